"""Out-of-fold scores: what networks say of images whose patients they have not seen, and the file that keeps it."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.splits import fold_of

OUT_OF_FOLD = "out_of_fold.csv"
SUMMARY = "crossval.json"  # beside it


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What networks say of images whose patients they have not seen.

    Attributes:
        findings: F names.
        files: N names of image files, without folders.
        patients: N.
        labels: (N, F), NaN unknown.
        logits: (S, N, F), one cross-validation a seed.
        folds: (N,), images of one number were scored by the same networks; None where nobody says.
    """

    findings: tuple[str, ...]
    files: tuple[str, ...]
    patients: tuple[str, ...]
    labels: NDArray[np.float32]
    logits: NDArray[np.float32]
    folds: NDArray[np.int64] | None = None

    @property
    def mean_logits(self) -> NDArray[np.float32]:
        """(N, F), averaged over the seeds: an ensemble of as many networks as there are seeds."""
        mean: NDArray[np.float32] = self.logits.mean(axis=0)
        return mean

    def aligned(self, other: "OutOfFold") -> "OutOfFold":
        """The other's rows in the order of these.

        Raises:
            ValueError: they are of other images or findings, or two images have one name.
        """
        places = {file: place for place, file in enumerate(other.files)}
        if len(places) < len(other.files):
            raise ValueError("out-of-fold scores name two images alike, so they cannot be laid beside others")
        if set(places) != set(self.files) or other.findings != self.findings:
            raise ValueError("out-of-fold scores that are laid together are of the same images and findings")
        order = [places[file] for file in self.files]
        return OutOfFold(
            other.findings,
            self.files,
            tuple(other.patients[place] for place in order),
            other.labels[order],
            other.logits[:, order],
            None if other.folds is None else other.folds[order],
        )


def joint_scores(outcomes: Sequence[OutOfFold]) -> OutOfFold:
    """What the mean of several networks' logits says of the same images, one cross-validation.

    Raises:
        ValueError: they are of other images or findings.
    """
    first, *others = outcomes
    together = [first, *(first.aligned(other) for other in others)]
    logits = np.mean([one.mean_logits for one in together], axis=0, keepdims=True)
    return replace(first, logits=logits, folds=_joint_folds([one.folds for one in together]))


def _joint_folds(folds: Sequence[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
    """Images of one number are in one fold of each."""
    known = [one for one in folds if one is not None]
    if len(known) < len(folds):
        return None
    _, numbers = np.unique(np.stack(known), axis=1, return_inverse=True)
    return np.asarray(numbers, np.int64).reshape(-1)


def write_out_of_fold(outcome: OutOfFold, seeds: Sequence[int], path: Path) -> None:
    """One row an image: file, patient, fold, a label a finding, and for each seed a logit a finding to six digits."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        logits = [f"logit:{seed}:{name}" for seed in seeds for name in outcome.findings]
        fold = [] if outcome.folds is None else ["fold"]
        writer.writerow(["file", "patient", *fold, *(f"label:{name}" for name in outcome.findings), *logits])
        for index, file in enumerate(outcome.files):
            known = ["" if np.isnan(value) else int(value) for value in outcome.labels[index]]
            scores = [f"{value:.6g}" for value in outcome.logits[:, index].ravel()]
            fold = [] if outcome.folds is None else [str(outcome.folds[index])]
            writer.writerow([file, outcome.patients[index], *fold, *known, *scores])


def read_out_of_fold(path: Path) -> OutOfFold:
    """Read `out_of_fold.csv`; folds that it does not tell are told by the patients and the `crossval.json` beside it.

    Raises:
        ValueError: the file is another one.
    """
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or "file" not in rows[0]:
        raise ValueError(f"{path}: no out-of-fold scores")
    findings = tuple(name.removeprefix("label:") for name in rows[0] if name.startswith("label:"))
    columns = [name for name in rows[0] if name.startswith("logit:")]
    seeds = len(columns) // len(findings)
    labels = [[float(row[f"label:{name}"] or "nan") for name in findings] for row in rows]
    logits = np.array([[float(row[name]) for name in columns] for row in rows], np.float32)
    return OutOfFold(
        findings,
        tuple(row["file"] for row in rows),
        tuple(row["patient"] for row in rows),
        np.array(labels, np.float32),
        logits.reshape(len(rows), seeds, len(findings)).transpose(1, 0, 2),
        _folds(rows, path.parent / SUMMARY),
    )


def _folds(rows: Sequence[Mapping[str, str]], summary: Path) -> NDArray[np.int64] | None:
    if "fold" in rows[0]:
        return np.array([int(row["fold"]) for row in rows], np.int64)
    if not summary.is_file():
        return None
    folds = int(json.loads(summary.read_text())["folds"])
    return np.array([fold_of(row["patient"], folds) for row in rows], np.int64)
