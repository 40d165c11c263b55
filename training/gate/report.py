"""How often the gate refuses what it should and what it should not, source by source."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from models.imaging.gate_network import GateNetwork
from training.evaluation.table import table
from training.gate.judge import Logits
from training.gate.pictures import Picture

_TURNS = {1: "turned left", 2: "upside down", 3: "turned right"}  # what a turn of the picture makes of an upright one


def report_lines(pictures: Sequence[Picture], logits: Logits, network: GateNetwork, title: str) -> list[str]:
    """All tables."""
    chests = refusal_lines(pictures, logits, network, of_chests=True)
    others = refusal_lines(pictures, logits, network, of_chests=False)
    turns = turn_lines(pictures, logits, network)
    return [f"{title}.", "", "Radiographs:", "", *chests, "", "Other pictures:", "", *others, "", *turns]


def refusal_lines(pictures: Sequence[Picture], logits: Logits, network: GateNetwork, *, of_chests: bool) -> list[str]:
    """Share refused of each source and of all, with Wilson's 95 % interval."""
    refused = _refused(pictures, logits, network)
    wanted = np.array([picture.is_chest == of_chests for picture in pictures], bool)
    sources = np.array([picture.source for picture in pictures])
    rows = [_row(source, refused[wanted & (sources == source)]) for source in sorted(set(sources[wanted].tolist()))]
    return table(("source", "n", "refused", "share", "95 % interval"), [*rows, _row("all", refused[wanted])])


def turn_lines(pictures: Sequence[Picture], logits: Logits, network: GateNetwork) -> list[str]:
    """Of accepted chests: flagged as they are, and flagged rightly after each turn.

    A turn of the picture only reorders the four logits, so no picture is turned for this.
    """
    is_chest = np.array([picture.is_chest for picture in pictures], bool)
    kept = logits[is_chest & ~_refused(pictures, logits, network)]
    best = kept.argmax(axis=1)
    rows = [_row("as it is (false alarms)", kept.max(axis=1) - kept[:, 0] > network.turn_margin)]
    for turns, name in _TURNS.items():
        margin = kept.max(axis=1) - kept[:, turns]
        rows.append(_row(name, (best == 0) & (margin > network.turn_margin)))
    return table(("accepted chests", "n", "flagged", "share", "95 % interval"), rows)


def _refused(pictures: Sequence[Picture], logits: Logits, network: GateNetwork) -> NDArray[np.bool_]:
    passing = np.array([network.passing(picture.coloured) for picture in pictures])
    return np.asarray(logits.max(axis=1) < passing)


def _row(name: str, hits: NDArray[np.bool_]) -> tuple[str, ...]:
    if not len(hits):
        return name, "0", "0", "undefined", ""
    count = int(hits.sum())
    interval = binomtest(count, len(hits)).proportion_ci(method="wilson")
    return name, str(len(hits)), str(count), f"{count / len(hits):.4f}", f"{interval.low:.4f} to {interval.high:.4f}"
