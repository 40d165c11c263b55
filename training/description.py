"""What `run.json` says: the recipe of a run, the images it was run on, and the checkpoint it started from."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.data.dataset import Row
from training.recipes.types import Recipe

DESCRIPTION = "run.json"
NETWORK = "network.safetensors"  # beside it, once the run is done
ROWS = "rows_sha256"
BUNDLE = "bundle.json"  # as `models.runtime.bundle` calls it, which the mere description of a run need not load


def described(recipe: Recipe, rows: Sequence[Row], start: Path | None = None) -> dict[str, Any]:
    """What `run.json` says of a recipe, overrides included, of what it is run on, and of the checkpoint it starts from.

    `rows_sha256` is of the rows' file names, labels, known findings and patients, in order; folders are not in it, so
    that data may move. `start` is None for random weights; else the checkpoint's hash, and what the `run.json` beside
    it says.
    """
    sources = dict(sorted(Counter(row.source or "unnamed" for row in rows).items()))
    content = {
        "recipe": asdict(recipe),
        "num_images": len(rows),
        "sources": sources,
        ROWS: _rows_sha256(rows),
        "start": _described_start(start),
    }
    description: dict[str, Any] = json.loads(json.dumps(content, default=str))
    return description


def differences(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Values that are not what they were, by their path; descriptions of older versions say nothing of single rows."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{path}{name}.")
        elif name == ROWS:
            if old is not None and old != new:
                found.append(f"{path}{name}: files, labels or patients of the images are not what they were")
        elif old != new:
            found.append(f"{path}{name} was {old}, is {new}")
    return found


def why_flattered(model: Path, rows: Sequence[Row], dataset: str, split: str) -> str | None:
    """Why numbers on these rows flatter a model, by what is said of its training; None where nothing speaks for it.

    That its rows were these very ones, in their order, is certain. Some runs say nothing of their rows, and others have
    more or fewer than are scored; then the names of split and data set tell, and another data set may have that name.

    Args:
        model: a bundle's folder, or the network of a run, with `run.json` beside it.
        rows: scored.
        dataset: their data set's name, as recipes have it.
        split: theirs.
    """
    trained = _trained_by(model)
    if any(one.get(ROWS) == _rows_sha256(rows) for one in trained):
        return "the network learned from these very images"
    recipes = [one["recipe"] for one in trained if dataset in one.get("recipe", {}).get("data", ())]
    if recipes and split == "train":
        return f"the network learned from split train of a data set {dataset}, which may be this one"
    if split == "val" and any(recipe.get("eval_every") for recipe in recipes):
        return f"the network's epoch was chosen by split val of a data set {dataset}, which may be this one"
    return None


def _trained_by(model: Path) -> list[dict[str, Any]]:
    """What a bundle says of its classifiers' trainings, or `run.json` of its own."""
    if (manifest := model / BUNDLE).is_file():
        said = json.loads(manifest.read_text()).get("provenance", {}).get("finetuning", [])
        return said if isinstance(said, list) else [said]
    beside = model.parent / DESCRIPTION
    return [json.loads(beside.read_text())] if model.name == NETWORK and beside.is_file() else []


def _rows_sha256(rows: Sequence[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        line = json.dumps([row.file.name, sorted(row.labels), sorted(row.known), row.patient])
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def _described_start(start: Path | None) -> dict[str, Any] | None:
    if start is None:
        return None
    beside = start.parent / DESCRIPTION
    run = json.loads(beside.read_text()) if start.name == NETWORK and beside.exists() else None
    return {"sha256": hashlib.sha256(start.read_bytes()).hexdigest(), "run": run}
