"""`export`: a bundle from runs, or from what another bundle has."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from models.nets.architecture import Classifier, Network
from models.nets.checkpoint import load
from models.nets.mae import MaskedAutoencoder
from models.runtime.bundle import MANIFEST_NAME, Bundle, load_bundle
from training.commands.recipe import add_recipe_arguments, recipe_of
from training.commands.rows import add_manifest_arguments, labelled
from training.committee import Committee
from training.description import DESCRIPTION, NETWORK
from training.export import Material, export
from training.graph_files import KeptClassifier, KeptReconstructor, Networks
from training.out_of_fold import OUT_OF_FOLD, OutOfFold, joint_scores, read_out_of_fold
from training.recipes.types import ExportRecipe
from training.run import Run

_SHOWN = {"normalisation": "grey", "geometry": "letterbox"}  # what the exported graphs and the bundle's contract do


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, manifest, the two runs, the bundle's folder."""
    add_recipe_arguments(parser)
    add_manifest_arguments(parser)
    parser.add_argument(
        "--pretrained",
        type=Path,
        required=True,
        help="run folder of pretrain, or a bundle whose reconstructor is kept as it is",
    )
    parser.add_argument(
        "--finetuned",
        type=Path,
        nargs="+",
        required=True,
        help="folder of finetune, probe or crossval, or a bundle whose classifier is kept; several: a mean of logits",
    )
    parser.add_argument(
        "--out-of-fold",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="folders of crossval that calibrate, one for each of --finetuned; default: those themselves",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")


def run(options: argparse.Namespace) -> bool:
    """Write the bundle, or raise."""
    recipe = recipe_of(options, "EXPORT", ExportRecipe)
    autoencoder, pretraining = reconstructor_of(options.pretrained)
    classifier, finetuning = committee_of(options.finetuned)
    material = Material(
        held_out=labelled(options, "val"),
        out_of_fold=scores_of(options.finetuned, options.out_of_fold),
        pretraining=pretraining,
        finetuning=finetuning,
        normals=[row for row in labelled(options, "train") if not row.labels and not row.flag],
    )
    manifest = export(recipe, Networks(classifier, autoencoder), material, options.out)
    print(f"{manifest.name} {manifest.version}: {options.out}")
    return True


def committee_of(
    folders: Sequence[Path],
) -> tuple[Classifier | Committee | KeptClassifier, Sequence[Mapping[str, Any]]]:
    """The classifier of one folder or the committee of several, and how each was trained."""
    if len(folders) == 1:
        return classifier_of(folders[0])
    members, descriptions = zip(*map(classifier_of, folders), strict=True)
    networks = [member for member in members if not isinstance(member, KeptClassifier)]
    if len(networks) < len(members):
        raise ValueError("--finetuned: a bundle's classifier is kept alone, it cannot be one of several")
    return Committee(networks).eval(), [one for described in descriptions for one in described]


def scores_of(finetuned: Sequence[Path], out_of_fold: Sequence[Path] | None) -> OutOfFold | None:
    """Out-of-fold scores of the classifier or committee; None where there are none and none were named.

    A run counts for one member, a bundle for as many as it states.

    Raises:
        ValueError: it would be calibrated on scores of a part of it, of more than it, or of other recipes (as far as
            all folders say which).
    """
    folders = out_of_fold or finetuned
    if out_of_fold is None and not all((folder / OUT_OF_FOLD).exists() for folder in folders):
        return None
    served = [name for folder in finetuned for name in _recipe_names(folder)]
    if len(folders) != len(served):
        raise ValueError(f"--out-of-fold: {len(folders)} folders for {len(served)} members of the classifier")
    scored = [name for folder in folders for name in _recipe_names(folder)]
    if all((*served, *scored)) and sorted(served) != sorted(scored):
        raise ValueError(f"--out-of-fold: scores of {', '.join(scored)} for a classifier of {', '.join(served)}")
    return joint_scores([read_out_of_fold(folder / OUT_OF_FOLD) for folder in folders])


def _recipe_names(folder: Path) -> list[str]:
    """Of the networks of a run or of a bundle; empty where it does not say."""
    if (folder / MANIFEST_NAME).is_file():
        runs = _finetuning(load_bundle(folder))
    else:
        runs = [Run(folder).description() if (folder / DESCRIPTION).is_file() else {}]
    return [run.get("recipe", {}).get("name", "") for run in runs]


def reconstructor_of(folder: Path) -> tuple[MaskedAutoencoder | KeptReconstructor, Mapping[str, Any]]:
    """The reconstructor of a run or of a bundle, and how it was trained."""
    if (folder / MANIFEST_NAME).is_file():
        return _kept_reconstructor(load_bundle(folder))
    network, description = _of_run(folder)
    if not isinstance(network, MaskedAutoencoder):
        raise ValueError("--pretrained: a bundle needs a masked autoencoder")  # noqa: TRY004  # a mistake of the caller's, said in one line
    return network, description


def classifier_of(folder: Path) -> tuple[Classifier | KeptClassifier, Sequence[Mapping[str, Any]]]:
    """The classifier of a run or of a bundle, and how its networks were trained."""
    if (folder / MANIFEST_NAME).is_file():
        return _kept_classifier(load_bundle(folder))
    network, description = _of_run(folder)
    if not isinstance(network, Classifier):
        raise ValueError("--finetuned: a bundle needs a classifier")  # noqa: TRY004  # a mistake of the caller's, said in one line
    return network, [description]


def _of_run(folder: Path) -> tuple[Network, Mapping[str, Any]]:
    description = Run(folder).description()
    for name, wanted in _SHOWN.items():
        if (stated := description.get("recipe", {}).get(name, wanted)) != wanted:
            raise ValueError(f"{folder}: a bundle's graphs are for {name} {wanted}; this run had {stated}")
    return load(folder / NETWORK).eval(), description


def _kept_reconstructor(bundle: Bundle) -> tuple[KeptReconstructor, Mapping[str, Any]]:
    manifest = bundle.manifest
    spec = manifest.reconstructor
    if spec is None:
        raise ValueError(f"--pretrained: {manifest.name} has no reconstructor that could be kept")
    kept = KeptReconstructor(bundle.files[spec.file], spec, manifest.input.side)
    trained = cast("dict[str, Any]", manifest.provenance["pretraining"])
    note = f"The reconstructor is that of {manifest.name} {manifest.version}, byte for byte; its references are new."
    return kept, {**trained, "note": note}


def _kept_classifier(bundle: Bundle) -> tuple[KeptClassifier, Sequence[Mapping[str, Any]]]:
    manifest, spec = bundle.manifest, bundle.manifest.classifier
    first, *others = _finetuning(bundle)
    kept = f"The classifier is that of {manifest.name} {manifest.version}, byte for byte."
    note = " ".join(filter(None, [kept, first.get("note")]))
    return KeptClassifier(bundle.files[spec.file], spec), [{**first, "note": note}, *others]


def _finetuning(bundle: Bundle) -> list[dict[str, Any]]:
    stated = cast("list[dict[str, Any]] | dict[str, Any]", bundle.manifest.provenance["finetuning"])
    return stated if isinstance(stated, list) else [stated]  # up to 0.3.0 there was one
