"""May this picture be read as a frontal chest radiograph? By its header, and by its pixels.

Reasons are stable slugs; clients branch on them:

| reason | verdict | means |
|---|---|---|
| `modality` | rejected | the header names a modality other than CR, DX, DR |
| `body-part` | rejected | the header names a part of the body other than the chest |
| `for-processing` | rejected | the header says that it is raw data of a detector |
| `blank` | rejected | the picture has no contrast |
| `elongated` | rejected | one side is more than four times as long as the other |
| `no-chest` | rejected | in none of four orientations does the picture look like a frontal chest radiograph |
| `upside-down` | suspicious | it looks like one that was turned by 180 degrees |
| `turned-left` | suspicious | it looks like one that was turned by 90 degrees, anticlockwise |
| `turned-right` | suspicious | it looks like one that was turned by 90 degrees, clockwise |
| `inverted` | suspicious | the lungs are brighter than what lies between and below them |
| `odd-header` | suspicious | no modality, a lateral or oblique view, or a colour image |

What was measured, on which pictures, and what was not: docs/gate.md.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.imaging.gate_features import describe, shrink, standardise
from models.imaging.gate_network import GateNetwork, shipped
from models.imaging.polarity import INVERTED_BELOW, polarised, polarity
from models.imaging.radiograph import Header

_MODALITIES = frozenset({"CR", "DX", "DR"})
# Defined terms of PS3.16, annex L, what consoles write besides ("PORT CHEST", "CHESTPA"), and other languages.
_CHEST = re.compile(r"CHEST|THORAX|TORAX|TORACE|LUNG|PULMON|HEART|CARDIAC|MEDIASTIN|CXR|\bRIB")
_NO_PART = frozenset({"UNKNOWN", "UNDEFINED", "UNSPECIFIED", "OTHER", "NONE", "DEFAULT", "NA", "N/A", "XR", "DX", "CR"})
_NOT_FRONTAL = frozenset({"LL", "RL", "LAT", "LATERAL", "LLO", "RLO", "OBLIQUE"})
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_RAW = "FOR PROCESSING"  # Presentation Intent Type of what is not meant to be looked at: PS3.3, C.8.11.1.1.1

BLANK_STD: Final = 3.0  # grey levels; the flattest of the 7898 radiographs of docs/gate.md has 10.4
ELONGATED_ABOVE: Final = 4.0  # longer by shorter side; the longest of those radiographs has 2.53
_TURNS: Final = (None, "turned-right", "upside-down", "turned-left")  # what a quarter turn each, anticlockwise, mends
_MIRRORED = np.array([0, 3, 2, 1])  # turn of a mirrored picture that is the mirror image of the picture's turn


class Verdict(StrEnum):
    """What becomes of the picture: answered, answered with a warning, refused."""

    ACCEPTED = "accepted"
    SUSPICIOUS = "suspicious"
    REJECTED = "rejected"


_VERDICTS = {
    "modality": Verdict.REJECTED,
    "body-part": Verdict.REJECTED,
    "for-processing": Verdict.REJECTED,
    "blank": Verdict.REJECTED,
    "elongated": Verdict.REJECTED,
    "no-chest": Verdict.REJECTED,
    "upside-down": Verdict.SUSPICIOUS,
    "turned-left": Verdict.SUSPICIOUS,
    "turned-right": Verdict.SUSPICIOUS,
    "inverted": Verdict.SUSPICIOUS,
    "odd-header": Verdict.SUSPICIOUS,
}


@dataclass(frozen=True, slots=True)
class GateResult:
    """Verdict and its reasons, the weightiest first.

    Attributes:
        score: how much the picture looks like a frontal chest radiograph, 0 to 1; None where only a header was judged.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    score: float | None = None


def check(
    header: Header | None,
    pixels: NDArray[np.uint8] | None,
    network: GateNetwork | None = None,
    *,
    coloured: float = 0.0,
    aspect: float = 1.0,
) -> GateResult:
    """Judge one picture.

    Args:
        header: None for PNG and JPEG.
        pixels: (H, W) uint8, dense tissue bright; None to judge by the header alone, before pixels are decoded.
        network: None for the one that ships.
        coloured: as `Radiograph` has it; a coloured picture has to look more like a chest.
        aspect: likewise.
    """
    found, score = set[str](), None
    if pixels is not None:
        seen = pixels.shape[1] / (pixels.shape[0] * aspect)
        found, score = _in_pixels(pixels, seen, coloured, network or shipped())
    if header is not None:
        found |= _in_header(header)
    reasons = tuple(reason for reason in _VERDICTS if reason in found)
    return GateResult(_VERDICTS[reasons[0]] if reasons else Verdict.ACCEPTED, reasons, score)


def _in_header(header: Header) -> set[str]:
    found = set()
    if header.modality is not None and header.modality not in _MODALITIES:
        found.add("modality")
    part = header.body_part_examined
    if part is not None and part not in _NO_PART and not _CHEST.search(part):
        found.add("body-part")
    if header.presentation_intent_type == _RAW:
        found.add("for-processing")
    is_frontal = header.view_position not in _NOT_FRONTAL
    if header.modality is None or not is_frontal or header.photometric_interpretation not in _GREY:
        found.add("odd-header")
    return found


def _in_pixels(
    pixels: NDArray[np.uint8], aspect: float, coloured: float, network: GateNetwork
) -> tuple[set[str], float]:
    small = shrink(pixels)
    if small.std() < BLANK_STD:
        return {"blank"}, 0.0
    if max(aspect, 1 / aspect) > ELONGATED_ABOVE:
        return {"elongated"}, 0.0
    square = standardise(small)
    logits = view_logits(network, square, aspect)
    score = float(expit(logits.max()))
    if logits.max() < network.passing(coloured):
        return {"no-chest"}, score
    turns = int(logits.argmax()) if logits.max() - logits[0] > network.turn_margin else 0
    turned = _TURNS[turns]
    found = {turned} if turned else set()
    if polarity(np.rot90(square, turns)) < INVERTED_BELOW:
        found.add("inverted")
    return found, score


def view_logits(network: GateNetwork, square: NDArray[np.float64], aspect: float) -> NDArray[np.float32]:
    """Logits (4,) as `orientations` has them, each the mean of the view's and its mirror image's."""
    seen, mirrored = (network.logits(orientations(one, aspect)) for one in (square, square[:, ::-1]))
    mean: NDArray[np.float32] = (seen + mirrored[_MIRRORED]) / 2
    return mean


def orientations(square: NDArray[np.float64], aspect: float) -> NDArray[np.float32]:
    """Features of a standardised picture as it is and after one, two and three quarter turns anticlockwise: (4, D)."""
    views = np.stack([polarised(np.rot90(square, turns)) for turns in range(4)])
    return describe(views, np.array([aspect, 1 / aspect, aspect, 1 / aspect]))
