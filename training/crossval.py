"""Cross-validation: scores of every training image by networks that have not seen its patient, and their ensemble."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from training.description import DESCRIPTION, NETWORK, described
from training.engine import Engine
from training.loop import raised_by_any
from training.material import Labelled, Sources, labelled, normals, plain
from training.metrics import AurocReport, auroc_report
from training.out_of_fold import OUT_OF_FOLD, SUMMARY, OutOfFold, write_out_of_fold
from training.recipes.crossval_types import CrossvalRecipe
from training.recipes.probe_types import ProbeRecipe
from training.recipes.types import FinetuneRecipe
from training.run import Run
from training.selection import logits_of


@dataclass(frozen=True, slots=True)
class Execution:
    """How members are trained.

    Attributes:
        engine: how steps are executed.
        fabric: launched.
        open_run: makes the run of a folder; called where a member is not done.
    """

    engine: Engine
    fabric: Fabric
    open_run: Callable[[Path], Run] = Run


def crossval(
    recipe: CrossvalRecipe, sources: Sources, start: Path | None, folder: Path, execution: Execution
) -> OutOfFold | None:
    """Train and score all members; those whose network is in the folder are only scored.

    A run that is told to stop after its last step, or while a fold is scored, is heard between members: what is begun
    is finished, and nothing else is trained.

    Args:
        recipe: folds, seeds, and what a member is trained by.
        sources: where its data sets lie.
        start: checkpoint that gives the trunks; None for random weights.
        folder: one run a member, then `out_of_fold.csv`, `crossval.json` and, of slim ResNets, the ensemble of all
            members in `network.safetensors`.
        execution: how steps are executed, and how a member's run is opened.

    Returns:
        None if a run was told to stop before the last member was scored.

    Raises:
        training.data.dataset.DataError: a fold is empty, or what `carry_out` raises.
    """
    parts: list[list[_Part]] = []
    networks: list[Classifier] = []
    runs = _Runs(execution)
    for seed in recipe.seeds:
        parts.append([])
        for fold in range(recipe.folds) if recipe.held_folds is None else recipe.held_folds:
            member = member_of(recipe, seed, fold)
            network = _trained(member, sources, start, folder / member.name, runs)
            if network is None:
                return None
            networks.append(network)
            parts[-1].append(_scored(member, network, sources, recipe.score_side_px, execution.fabric))
    outcome = _joined(parts)
    if execution.fabric.is_global_zero:
        _write(folder, recipe, outcome, len(networks))
        _describe(folder, recipe, labelled(replace(recipe.member, folds=0), sources).rows, start)
        slim = [network for network in networks if isinstance(network, SlimClassifier)]
        if len(slim) == len(networks):
            save(together([network.cpu() for network in slim]), folder / NETWORK)
    execution.fabric.barrier()
    return outcome


def member_of(recipe: CrossvalRecipe, seed: int, fold: int) -> FinetuneRecipe | ProbeRecipe:
    """The recipe of one member; each has randomness of its own."""
    own_seed = 1000 * seed + fold
    name = f"seed-{seed}-fold-{fold}"
    return replace(recipe.member, name=name, folds=recipe.folds, held_fold=fold, seed=own_seed)


class _Runs:
    """Opens the members' runs, and knows the latest: what asks the process to stop is told that one."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self._latest: Run | None = None

    def open(self, folder: Path) -> Run:
        """The run of a member's folder."""
        self._latest = self.execution.open_run(folder)
        return self._latest

    @property
    def are_stopping(self) -> bool:
        """Whether a process was told to stop; all of them ask at the same places."""
        is_told = self._latest is not None and self._latest.stopping
        return raised_by_any(self.execution.fabric, is_told)[0]


@dataclass(frozen=True, slots=True)
class _Part:
    """One fold: its number, its images, which the member has not seen, and the member's logits (N, F)."""

    fold: int
    held: Labelled
    logits: NDArray[np.float32]


def _trained(
    member: FinetuneRecipe | ProbeRecipe, sources: Sources, start: Path | None, folder: Path, runs: _Runs
) -> Classifier | None:
    """None where its run, or one before it, was told to stop."""
    if runs.are_stopping:
        return None
    if (folder / NETWORK).exists():
        rows = labelled(member, sources).rows
        if isinstance(member, ProbeRecipe):
            rows = (*rows, *normals(member, sources))
        Run(folder, is_writer=False).describe(member, rows, start)  # of this recipe, on these images?
    else:
        run, execution = runs.open(folder), runs.execution
        if not carry_out(member, sources, start, run, execution.engine, execution.fabric) or runs.are_stopping:
            return None
    network = load(folder / NETWORK)
    if not isinstance(network, Classifier):
        raise ValueError(f"{folder / NETWORK}: a {type(network).__name__} classifies nothing")  # noqa: TRY004  # as in `commands`
    return network


def _scored(
    member: FinetuneRecipe | ProbeRecipe, network: Classifier, sources: Sources, side_px: int, fabric: Fabric
) -> _Part:
    held = labelled(member, sources, held_out=True)
    images = plain(held.rows, replace(member, image_size_px=side_px), sources)
    table = statistics_table(member.data, member.normalisation).numpy()
    logits = logits_of(network.to(fabric.device), images, table[held.data.images.part_of], fabric.device)
    return _Part(member.held_fold, held, logits)


def _joined(parts: Sequence[Sequence[_Part]]) -> OutOfFold:
    rows = [row for part in parts[0] for row in part.held.rows]
    return OutOfFold(
        parts[0][0].held.findings,
        tuple(row.file.name for row in rows),
        tuple(row.patient for row in rows),
        np.concatenate([part.held.data.labels for part in parts[0]]),
        np.stack([np.concatenate([part.logits for part in seed]) for seed in parts]),
        np.repeat([part.fold for part in parts[0]], [len(part.held.rows) for part in parts[0]]),
    )


def _describe(folder: Path, recipe: CrossvalRecipe, rows: Sequence[Row], start: Path | None) -> None:
    """`run.json`, as that of one run, with what repeats it."""
    content = described(recipe.member, rows, start) | {"crossval": json.loads((folder / SUMMARY).read_text())}
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=2) + "\n")


def _write(folder: Path, recipe: CrossvalRecipe, outcome: OutOfFold, num_networks: int) -> None:
    write_out_of_fold(outcome, recipe.seeds, folder / OUT_OF_FOLD)
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
