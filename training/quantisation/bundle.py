"""A bundle whose classifier is quantised: judged against the original, and written only where it is accepted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.runtime.bundle import Bundle, write_manifest
from models.runtime.classifier import Classifier
from models.runtime.manifest import Manifest
from training.evaluation.report_json import Json
from training.quantisation.agreement import IOU_LIMIT, Agreement, Pictures, agreement, answers
from training.quantisation.card import quantised_card
from training.quantisation.graph_edit import count_quantised
from training.quantisation.schemes import Scheme, prepared, quantised
from training.quantisation.timing import median_ms

SUFFIX = "-int8"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle with another classifier, not yet on disk.

    Attributes:
        bundle: the original's, but for the classifier's bytes.
        scheme: by which the classifier was made.
        num_layers: with int8 arithmetic.
    """

    bundle: Bundle
    scheme: Scheme
    num_layers: int

    @property
    def num_bytes(self) -> int:
        """Of the classifier's file."""
        return len(self.bundle.files[self.bundle.manifest.classifier.file])


@dataclass(frozen=True, slots=True)
class Timing:
    """Median milliseconds of a picture, original and candidate, with and without maps.

    Attributes:
        threads: of ONNX Runtime within an operator.
    """

    threads: int
    with_maps: tuple[float, float]
    without_maps: tuple[float, float]


class Judge:
    """The original's answers to some pictures, against which candidates are held.

    Args:
        bundle: the original.
        pictures: in the bundle's geometry, labels in its order of findings.
        threads: of ONNX Runtime within an operator.
    """

    def __init__(self, bundle: Bundle, pictures: Pictures, threads: int) -> None:
        self._pictures, self._threads = pictures, threads
        self._threshold = bundle.manifest.classifier.map_threshold
        classifier = Classifier.open(bundle, threads=threads)
        self._original = answers(classifier, pictures.inputs)

    def __call__(self, candidate: Candidate, *, num_resamples: int = 1000, seed: int = 0) -> Agreement:
        """Hold one candidate against the original."""
        said = answers(Classifier.open(candidate.bundle, threads=self._threads), self._pictures.inputs)
        draws = {"num_resamples": num_resamples, "seed": seed}
        return agreement(said, self._original, self._pictures, self._threshold, **draws)


def candidates(bundle: Bundle, schemes: Sequence[Scheme], calibration: NDArray[np.uint8]) -> list[Candidate]:
    """Quantise the classifier by each scheme.

    Args:
        bundle: the original.
        schemes: of `training.quantisation.schemes`.
        calibration: (N, S, S), none of which is a picture that the result is judged on.
    """
    name = bundle.manifest.classifier.file
    graph = prepared(bundle.files[name])
    made = []
    for scheme in schemes:
        model = quantised(graph, scheme, calibration)
        files = {**bundle.files, name: model.SerializeToString(deterministic=True)}
        changed = replace(bundle, files=MappingProxyType(files))
        made.append(Candidate(changed, scheme, count_quantised(model.graph)))
    return made


def ranked(tried: Sequence[tuple[Candidate, Agreement]]) -> list[Candidate]:
    """Whom to judge, in this order, until one is accepted.

    Of those that compute in int8 all whose maps were near enough in the trial, the one with most such layers first, or
    else the one with the nearest maps; then, of the others, the one with the nearest maps. AUROC takes no part: on the
    few pictures of a trial, two that change places move it by more than the limit.
    """
    nearest = sorted(tried, key=lambda pair: pair[1].map_iou or 0.0, reverse=True)
    faster = [pair for pair in nearest if pair[0].scheme.is_faster]
    near = [one for one, found in faster if (found.map_iou or 0.0) >= IOU_LIMIT]
    chosen = sorted(near, key=lambda one: one.num_layers, reverse=True) or [one for one, _ in faster[:1]]
    return [*chosen, *[one for one, _ in nearest if not one.scheme.is_faster][:1]]


def timing(original: Bundle, candidate: Candidate, image: NDArray[np.uint8], threads: int = 1) -> Timing:
    """Measure both in turn on one picture, (S, S)."""
    both = [Classifier.open(bundle, threads=threads) for bundle in (original, candidate.bundle)]
    with_maps = median_ms(both, image[None, None], saliency=True)
    without = median_ms(both, image[None, None], saliency=False)
    return Timing(threads, (with_maps[0], with_maps[1]), (without[0], without[1]))


def write_bundle(
    original: Bundle, candidate: Candidate, measured: dict[str, Json], lines: Sequence[str], folder: Path
) -> Manifest:
    """Write the candidate as a complete bundle; the manifest comes last.

    Exchange formats are not taken along: they hold the original network.

    Args:
        original: what the candidate was made from.
        candidate: accepted.
        measured: for the provenance.
        lines: the same for the card.
        folder: made if needed; empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in candidate.bundle.files.items():
        (folder / name).write_bytes(content)
    manifest = original.manifest
    source: dict[str, Json] = {"name": manifest.name, "version": manifest.version, "sha256": original.sha256}
    provenance = {**manifest.provenance, "quantisation": {"from": source, **measured}}
    renamed = manifest.model_copy(update={"name": f"{manifest.name}{SUFFIX}", "provenance": provenance})
    if renamed.reconstructor is not None:  # its file was written with the weights that it had borrowed
        complete = renamed.reconstructor.model_copy(update={"borrows_weights": False})
        renamed = renamed.model_copy(update={"reconstructor": complete})
    (folder / "README.md").write_text(quantised_card(original, renamed, lines), encoding="utf-8")
    return write_manifest(folder, renamed)
