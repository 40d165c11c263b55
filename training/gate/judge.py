"""Scores of pictures by the gate's network, left-out groups, and where the thresholds are put."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.imaging.gate import BLANK_STD, view_logits
from models.imaging.gate_features import standardise
from models.imaging.gate_network import GateNetwork
from training.gate.examples import Pool
from training.gate.fit import FitSettings, fit
from training.gate.pictures import DRAWN_PREFIX, Picture

FOLDS = 3
# Shares of the left-out tuning chests; the goal is 0.01 for each on sources that were never looked at.
REFUSED_SHARE, ALARM_SHARE = 0.008, 0.003
COLOURED_REFUSED_SHARE = 0.05  # were they coloured; hardly any radiograph is, and of the other pictures most are
BLANK = -np.inf  # logit of a picture that is refused before the network sees it

Logits = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The network, and what networks that never saw a group said of it.

    Attributes:
        network: fitted on all tuning pictures, its thresholds set.
        left_out: (N, 4) logits of the tuning pictures, each by a network that saw nothing of its group.
    """

    network: GateNetwork
    left_out: Logits


def fit_and_cross_fit(pool: Pool, settings: FitSettings) -> Fitted:
    """Fit, and put the thresholds where left-out tuning chests say; no other picture is looked at."""
    pictures = pool.pictures
    logits = np.full((len(pictures), 4), np.nan)
    for groups in folds(pictures):
        network = fit(pool.without(groups), settings)
        places = [place for place, picture in enumerate(pictures) if picture.group in groups]
        logits[places] = judge(network, [pictures[place] for place in places])
    put = thresholds(pictures, logits)
    network = replace(
        fit(pool.without(()), settings),
        reject_below=put["reject_below"],
        reject_coloured_below=put["reject_coloured_below"],
        turn_margin=put["turn_margin"],
    )
    return Fitted(network, logits)


def thresholds(pictures: Sequence[Picture], left_out: Logits) -> dict[str, float]:
    """`reject_below`, `reject_coloured_below` and `turn_margin`, where left-out tuning chests put them.

    Each fold's radiographs give a quantile of their own, and the median over folds is taken: logits of different
    networks do not compare well, and a network that missed the largest collection says little of the one that ships.
    A blank radiograph has no logits and says nothing.
    """
    found = []
    for groups in folds(pictures):
        wanted = [p.is_chest and p.group in groups and not p.group.startswith(DRAWN_PREFIX) for p in pictures]
        chests = left_out[np.array(wanted, bool) & (left_out[:, 0] > BLANK)]
        if len(chests):
            best = chests.max(axis=1)
            lowest = np.quantile(best, (REFUSED_SHARE, COLOURED_REFUSED_SHARE))
            found.append((*lowest, np.quantile(best - chests[:, 0], 1 - ALARM_SHARE)))
    names = ("reject_below", "reject_coloured_below", "turn_margin")
    return dict(zip(names, np.median(found, axis=0).tolist(), strict=True))


def folds(pictures: Sequence[Picture]) -> list[frozenset[str]]:
    """Groups that are left out together: every group once, chests and others spread over the folds."""
    chests = sorted({picture.group for picture in pictures if picture.is_chest})
    others = sorted({picture.group for picture in pictures if not picture.is_chest})
    return [frozenset(chests[fold::FOLDS] + others[fold::FOLDS]) for fold in range(FOLDS)]


def judge(network: GateNetwork, pictures: Sequence[Picture]) -> Logits:
    """(N, 4) logits as they are and after one, two and three quarter turns anticlockwise; blank ones -inf."""
    logits = np.full((len(pictures), 4), BLANK)
    for place, picture in enumerate(pictures):
        grid = picture.grid.astype(np.float64)
        if grid.std() >= BLANK_STD:
            logits[place] = view_logits(network, standardise(grid), picture.aspect)
    return logits
