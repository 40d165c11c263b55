"""What the CheXpert labeller writes about a finding, as CheXpert and MIMIC-CXR-JPG publish it."""

from collections.abc import Sequence
from enum import Enum

from training.data.dataset import DataError

NO_FINDING = "No Finding"


class Mention(Enum):
    """What a report says of a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    NONE = "not mentioned"


_SPELLINGS = {
    "1.0": Mention.PRESENT,
    "1": Mention.PRESENT,
    "0.0": Mention.ABSENT,
    "0": Mention.ABSENT,
    "-1.0": Mention.UNCERTAIN,
    "-1": Mention.UNCERTAIN,
    "": Mention.NONE,
}


def mentions(findings: Sequence[str], fields: Sequence[str], place: str) -> dict[str, Mention]:
    """What each finding's field means.

    Args:
        findings: names of the columns.
        fields: a row's values, one a finding.
        place: file and line, for the message.

    Raises:
        DataError: a value is none of 1, 0, -1 and blank.
    """
    for finding, field in zip(findings, fields, strict=True):
        if field not in _SPELLINGS:
            raise DataError(f"{place}: {finding} is {field!r}, which is none of 1, 0, -1 and blank")
    return {finding: _SPELLINGS[field] for finding, field in zip(findings, fields, strict=True)}
