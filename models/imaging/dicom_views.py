"""Radiographic views: View Code Sequence or Patient Orientation -> a term of View Position, (0018,5101).

pydicom's dictionary has these codes, but takes 90 MiB of memory and a second to import; a test holds the table to it.
"""

from collections.abc import Sequence
from typing import Final

# Schemes that SNOMED codes stand under: today's, and those of files written before 2019 (PS3.16, 8.3).
_SCHEMES = frozenset({"SCT", "SRT", "SNM3", "99SDM"})

# PS3.16, CID 4010, by SNOMED CT; R-10214 and R-10218 stood in its earlier editions.
VIEWS: Final = {
    "PA": frozenset({"272479007", "R-40888", "R-10214"}),
    "AP": frozenset({"399348003", "R-10206"}),
    "LL": frozenset({"399173006", "R-10236"}),
    "RL": frozenset({"399198007", "R-10232"}),
    "LATERAL": frozenset({"399067008", "R-102CD"}),
    "OBLIQUE": frozenset(
        {
            *("399182000", "R-102C1"),
            *("399184004", "R-10238", "399236003", "R-10234"),  # left, right
            *("399135007", "R-10220", "399356000", "R-40985", "R-10218"),  # left anterior, right anterior
            *("399006002", "R-10212", "399038007", "R-10210"),  # left posterior, right posterior
            *("399312000", "R-10208", "399059000", "R-10216"),  # antero-posterior, postero-anterior
            *("399160007", "R-10204", "260427002", "R-40783"),  # frontal, lateral
        }
    ),
}


def view_of(scheme: str, code: str) -> str | None:
    """Term of a coded view; None for one that is not a view of the chest, or says no more than `frontal`.

    AP, PA, LL and RL are defined terms of View Position (PS3.3, C.8.7.1.1); LATERAL and OBLIQUE, where the code tells
    no side, are what consoles write.
    """
    if scheme not in _SCHEMES:
        return None
    return next((view for view, codes in VIEWS.items() if code in codes), None)


def view_of_orientation(orientation: Sequence[str]) -> str | None:
    """LATERAL where Patient Orientation, (0020,0020), says that no side of the picture is the patient's left or right.

    None for any other. Each value is a direction of rows or columns; its first letter is the principal one (PS3.3,
    C.7.6.1.1.1): A and P for front and back, H and F for head and feet, L and R.
    """
    rows_and_columns = {direction[:1] for direction in orientation}
    is_lateral = len(orientation) == 2 and any(rows_and_columns == {a, h} for a in "AP" for h in "HF")
    return "LATERAL" if is_lateral else None
