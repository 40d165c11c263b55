"""What a picture that is answered says of itself in its text chunks: nothing out of a header, nothing of a patient."""

from collections.abc import Sequence
from typing import Final

from models.imaging.gate import GateResult
from service.inference.answers import FindingAnswer, ServedModel
from service.version import VERSION

_WARNING: Final = "For research only. Not for clinical use."


def picture_notes(model: ServedModel, gate: GateResult) -> dict[str, str]:
    """Text chunks of any picture, by keyword; the keywords are promised in docs/interface.md."""
    manifest = model.manifest
    return {
        "Description": _WARNING,
        "Software": f"Thorascope {VERSION}",
        "Bundle": f"{manifest.name} {manifest.version} {model.sha256}",
        "Gate": gate_line(gate),
    }


def finding_notes(model: ServedModel, gate: GateResult, answers: Sequence[FindingAnswer]) -> dict[str, str]:
    """Those of an overlay.

    Args:
        model: with the thresholds that the answers were given by.
    """
    positives = [f"{answer.finding.name} {answer.probability:.4f}" for answer in answers if answer.positive]
    return picture_notes(model, gate) | {
        "Thresholds": model.manifest.thresholds.name,
        "Positive": ", ".join(positives) or "none",
    }


def gate_line(gate: GateResult) -> str:
    """The verdict, and its reasons in parentheses."""
    return f"{gate.verdict} ({', '.join(gate.reasons)})" if gate.reasons else str(gate.verdict)
