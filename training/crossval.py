"""Cross-validation: scores of every training image by networks that have not seen its patient, and their ensemble."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from models.nets.architecture import Classifier
from models.nets.checkpoint import load, save
from models.nets.slim_resnet import SlimClassifier, together
from training.carry_out import carry_out
from training.data.crops import statistics_table
from training.data.dataset import Row
from training.engine import Engine
from training.material import Labelled, Sources, labelled, plain
from training.metrics import AurocReport, auroc_report
from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.types import FinetuneRecipe
from training.run import DESCRIPTION, NETWORK, Run
from training.selection import logits_of

OUT_OF_FOLD, SUMMARY = "out_of_fold.csv", "crossval.json"


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What networks say of images whose patients they have not seen.

    Attributes:
        findings: F names.
        files: N names of image files, without folders.
        patients: N.
        labels: (N, F), NaN unknown.
        logits: (S, N, F), one cross-validation a seed.
    """

    findings: tuple[str, ...]
    files: tuple[str, ...]
    patients: tuple[str, ...]
    labels: NDArray[np.float32]
    logits: NDArray[np.float32]

    @property
    def mean_logits(self) -> NDArray[np.float32]:
        """(N, F), averaged over the seeds: an ensemble of as many networks as there are seeds."""
        mean: NDArray[np.float32] = self.logits.mean(axis=0)
        return mean


def crossval(
    recipe: CrossvalRecipe, sources: Sources, start: Path | None, folder: Path, engine: Engine, fabric: Fabric
) -> OutOfFold | None:
    """Train and score all members; those whose network is in the folder are only scored.

    Args:
        recipe: folds, seeds, and what a member is trained by.
        sources: where its data sets lie.
        start: checkpoint that gives the trunks; None for random weights.
        folder: one run a member, then `out_of_fold.csv`, `crossval.json` and, of slim ResNets, the ensemble of all
            members in `network.safetensors`.
        engine: how steps are executed.
        fabric: launched.

    Returns:
        None if a run was told to stop before its end.

    Raises:
        training.data.dataset.DataError: a fold is empty, or what `carry_out` raises.
    """
    parts: list[list[_Part]] = []
    networks: list[Classifier] = []
    for seed in recipe.seeds:
        parts.append([])
        for fold in range(recipe.folds) if recipe.held_folds is None else recipe.held_folds:
            member = member_of(recipe, seed, fold)
            network = _trained(member, sources, start, folder / member.name, engine, fabric)
            if network is None:
                return None
            networks.append(network)
            parts[-1].append(_scored(member, network, sources, recipe.score_side_px, fabric))
    outcome = _joined(parts)
    if fabric.is_global_zero:
        _write(folder, recipe, outcome, len(networks))
        _describe(folder, recipe, labelled(replace(recipe.member, folds=0), sources).rows)
        slim = [network for network in networks if isinstance(network, SlimClassifier)]
        if len(slim) == len(networks):
            save(together([network.cpu() for network in slim]), folder / NETWORK)
    fabric.barrier()
    return outcome


def member_of(recipe: CrossvalRecipe, seed: int, fold: int) -> FinetuneRecipe:
    """The recipe of one member; each has randomness of its own."""
    own_seed = 1000 * seed + fold
    name = f"seed-{seed}-fold-{fold}"
    return replace(recipe.member, name=name, folds=recipe.folds, held_fold=fold, seed=own_seed)


@dataclass(frozen=True, slots=True)
class _Part:
    """One fold: its images, which the member has not seen, and the member's logits (N, F)."""

    held: Labelled
    logits: NDArray[np.float32]


def _trained(
    member: FinetuneRecipe, sources: Sources, start: Path | None, folder: Path, engine: Engine, fabric: Fabric
) -> Classifier | None:
    run = Run(folder, interval_s=600, is_writer=fabric.is_global_zero, has_board=fabric.is_global_zero)
    run.stop_on_sigterm()
    if not (folder / NETWORK).exists() and not carry_out(member, sources, start, run, engine, fabric):
        return None
    network = load(folder / NETWORK)
    if not isinstance(network, Classifier):
        raise ValueError(f"{folder / NETWORK}: a {type(network).__name__} classifies nothing")  # noqa: TRY004  # as in `commands`
    return network


def _scored(member: FinetuneRecipe, network: Classifier, sources: Sources, side_px: int, fabric: Fabric) -> _Part:
    held = labelled(member, sources, held_out=True)
    images = plain(held.rows, replace(member, image_size_px=side_px), sources)
    table = statistics_table(member.data, member.normalisation).numpy()
    logits = logits_of(network.to(fabric.device), images, table[held.data.images.part_of], fabric.device)
    return _Part(held, logits)


def _joined(parts: Sequence[Sequence[_Part]]) -> OutOfFold:
    rows = [row for part in parts[0] for row in part.held.rows]
    return OutOfFold(
        parts[0][0].held.findings,
        tuple(row.file.name for row in rows),
        tuple(row.patient for row in rows),
        np.concatenate([part.held.data.labels for part in parts[0]]),
        np.stack([np.concatenate([part.logits for part in seed]) for seed in parts]),
    )


def _describe(folder: Path, recipe: CrossvalRecipe, rows: Sequence[Row]) -> None:
    """`run.json`, as that of one run, with what repeats it."""
    content = {
        "recipe": asdict(recipe.member),
        "num_images": len(rows),
        "sources": dict(sorted(Counter(row.source or "unnamed" for row in rows).items())),
        "crossval": json.loads((folder / SUMMARY).read_text()),
    }
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=2, default=str) + "\n")


def _write(folder: Path, recipe: CrossvalRecipe, outcome: OutOfFold, num_networks: int) -> None:
    with (folder / OUT_OF_FOLD).open("w", newline="") as stream:
        writer = csv.writer(stream)
        logits = [f"logit:{seed}:{name}" for seed in recipe.seeds for name in outcome.findings]
        writer.writerow(["file", "patient", *(f"label:{name}" for name in outcome.findings), *logits])
        for index, file in enumerate(outcome.files):
            known = ["" if np.isnan(value) else int(value) for value in outcome.labels[index]]
            scores = [f"{value:.6g}" for value in outcome.logits[:, index].ravel()]
            writer.writerow([file, outcome.patients[index], *known, *scores])
    reports = [_report(outcome, logits) for logits in outcome.logits]
    summary: dict[str, Any] = {
        "images": len(outcome.files),
        "patients": len(set(outcome.patients)),
        "folds": recipe.folds,
        "seeds": list(recipe.seeds),
        "networks": num_networks,
        "mean_auroc_by_seed": [report.mean for report in reports],
        "mean_auroc_of_mean_logits": _report(outcome, outcome.mean_logits).mean,
    }
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")


def _report(outcome: OutOfFold, logits: NDArray[np.float32]) -> AurocReport:
    return auroc_report(outcome.findings, outcome.labels, logits, outcome.patients)


def read_out_of_fold(path: Path) -> OutOfFold:
    """Read `out_of_fold.csv`.

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
    )
