"""What a row of a manifest says of an image: the format of docs/data.md, for training and for a site's calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

NO_FINDING: Final = "No Finding"
UNLABELLED: Final = "Unlabelled"


@dataclass(frozen=True, slots=True)
class StatedFindings:
    """What is said of one image.

    Attributes:
        present: findings that it has.
        known: findings that are said to be present or absent; what is present is known.
        others: what else it names, unless nothing is known.
    """

    present: frozenset[str]
    known: frozenset[str]
    others: frozenset[str]


def stated_findings(record: Mapping[str, str], findings: Sequence[str]) -> StatedFindings:
    """Understand the column `label`, names joined by `;`.

    A row with an `nih_index`, and every row of a table without the column `source`, is complete: it knows all
    findings, and what it does not name is absent. Any other source knows only the findings it names, and Pneumonia
    where it says "No Finding" (Kermany et al. read for pneumonia alone). "Unlabelled" rows know nothing.

    Args:
        record: fields of the row, by column.
        findings: those that are asked for.

    Raises:
        ValueError: a complete row names anything but the findings, nothing at all, or findings beside "No Finding".
    """
    names = frozenset(name.strip() for name in record["label"].split(";")) - {""}
    asked = frozenset(findings)
    present, others = names & asked, names - asked - {NO_FINDING, UNLABELLED}
    if UNLABELLED in names:
        return StatedFindings(frozenset(), frozenset(), frozenset())
    if not record.get("nih_index") and "source" in record:
        absent = frozenset({"Pneumonia"}) & asked if NO_FINDING in names else frozenset()
        return StatedFindings(present, present | absent, others)
    if others:
        raise ValueError(f"{min(others)!r} is none of the {len(findings)} findings ({', '.join(findings)})")
    if not names:  # nobody has looked, perhaps, and that would count as absent for every finding
        raise ValueError(f"the label is blank; write {NO_FINDING!r}, or {UNLABELLED!r}")
    if present and NO_FINDING in names:
        raise ValueError(f"findings stand beside {NO_FINDING!r}")
    return StatedFindings(present, asked, others)
