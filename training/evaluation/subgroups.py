"""The same numbers by source, sex, age and view: where a mean hides who is served worse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Row
from training.evaluation.scores import Scores
from training.metrics import AurocReport, auroc_report

UNKNOWN = "unknown"
AGE_BANDS = ("under 40", "40 to 60", "over 60")
FEW_PATIENTS = 10  # a group of fewer is counted, but no number of it is worth a table


def age_band(row: Row) -> str:
    """One of `AGE_BANDS`, 40 and 60 in the middle one; empty where the age is unknown."""
    if row.age_years is None:
        return ""
    return AGE_BANDS[(row.age_years >= 40) + (row.age_years > 60)]


FIELDS: Mapping[str, Callable[[Row], str]] = MappingProxyType(
    {
        "source": lambda row: row.source,
        "sex": lambda row: row.sex,
        "age": age_band,
        "view": lambda row: row.view,
    }
)


@dataclass(frozen=True, slots=True)
class SubgroupReport:
    """The images that share a property.

    Attributes:
        field: a key of `FIELDS`.
        value: what they share; `UNKNOWN` for images that do not say it.
        num_images: of the group.
        num_patients: whose images they are.
        aurocs: of the group alone; the mean is over the findings that are defined in it.
    """

    field: str
    value: str
    num_images: int
    num_patients: int
    aurocs: AurocReport

    @property
    def is_small(self) -> bool:
        """Whether there are too few patients for the numbers to be read as anything."""
        return self.num_patients < FEW_PATIENTS


def subgroup_reports(
    rows: Sequence[Row], scores: Scores, labels: NDArray[np.float32], *, num_resamples: int = 1000, seed: int = 0
) -> tuple[SubgroupReport, ...]:
    """Every group of every field of which some row says something.

    Args:
        rows: N.
        scores: of their images.
        labels: (N, F), NaN unknown, in the order of `scores.findings`.
        num_resamples: bootstrap draws of patients, within each group.
        seed: of the bootstrap.
    """
    judged = np.where(scores.trained, labels, np.nan)
    reports = []
    for field, value_of in FIELDS.items():
        values = [value_of(row) for row in rows]
        if not any(values):
            continue
        for value in sorted(set(values), key=_place):
            places = [place for place, other in enumerate(values) if other == value]
            patients = [rows[place].patient for place in places]
            aurocs = auroc_report(
                scores.findings,
                judged[places],
                scores.logits[places],
                patients,
                num_resamples=num_resamples,
                seed=seed,
            )
            reports.append(SubgroupReport(field, value or UNKNOWN, len(places), len(set(patients)), aurocs))
    return tuple(reports)


def _place(value: str) -> tuple[bool, int, str]:
    """Ages in their order, all else by name, the unknown last."""
    return value == "", AGE_BANDS.index(value) if value in AGE_BANDS else 0, value
