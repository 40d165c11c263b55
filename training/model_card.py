"""README.md of a bundle: what the model is, what it was made from, what it was measured to do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.labels import display_name
from models.runtime.manifest import Manifest
from training.card_sources import caveats, origins
from training.metrics import AurocReport


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What only the export knows.

    Attributes:
        report: AUROC on images that no weight was trained on.
        evaluated_on: those images in words, with counts.
        pretraining: the run's description (`training.run.Run.describe`).
        finetuning: likewise, of each network whose logits are averaged.
        fitted_on: images of calibration and thresholds, in words.
        is_fitted_here: those are the images of the report.
        calibration_error: expected calibration error on the images of the report.
        by_chance: what that error would be on as many images if every probability were right.
    """

    report: AurocReport
    evaluated_on: str
    pretraining: Mapping[str, Any]
    finetuning: Sequence[Mapping[str, Any]]
    fitted_on: str
    is_fitted_here: bool
    calibration_error: float
    by_chance: float


LICENCE = (
    "These images keep their own terms. The weights that come with Thorascope's repository are under Apache-2.0, as",
    "its code.",
)
AVERAGED = "- The classifier's logits are the mean of those parts' logits."
PURPOSE = (
    "Scores a frontal chest radiograph for the 14 findings of ChestX-ray14 (`classifier.onnx`, with a map of each)",
    "and paints what a masked autoencoder expects to see (`reconstructor.onnx`). `bundle.json` states the inputs,",
    "thresholds, calibration and hashes.",
)
HELD_OUT = (
    "- Patients of the held-out images were kept out of what was learned from labels, as far as patients are known.",
)
BOXES_TOO = (
    "- Patients of the held-out images, and patients with a radiologist's box, were kept out of what was",
    "  learned from labels, as far as patients are known.",
)
MAPS = (
    "- Boxes show what moved the score (`docs/saliency.md`). They outline no lesions; `docs/science.md` has what was",
    "  measured.",
    "- The anomaly map shows where a masked autoencoder paints something else than the picture. Read it as a picture",
    "  of the model, not of the patient; `docs/anomaly.md` has what was measured.",
)


def model_card(manifest: Manifest, facts: CardFacts) -> str:
    """Render the card as Markdown."""
    report = facts.report
    sources = {name for run in _runs(facts) for name in run["sources"]}
    rows = [
        f"| {display_name(row.finding)} | {row.positives} | {row.negatives} | {_number(row.value)} "
        f"| {_interval(row.low, row.high)} |"
        for row in report.findings
    ]
    mean = f"**mean of {report.num_defined} of {len(report.findings)}**"
    return "\n".join(
        [
            f"# {manifest.name} {manifest.version}",
            "",
            "**For research only. Not a medical device; not for clinical use.**",
            "",
            *PURPOSE,
            "",
            "## How it was made",
            "",
            f"- Reconstructor: {_pretraining_words(facts.pretraining)}",
            *_classifiers_lines(facts),
            *[f"- {note}" for note in dict.fromkeys(run["note"] for run in _runs(facts) if run.get("note"))],
            *([AVERAGED] if len(facts.finetuning) > 1 else []),
            *(HELD_OUT if _has_learned_from_boxed(facts) else BOXES_TOO),
            "",
            "| images of | without labels | with labels, or as normals |",
            "|---|---|---|",
            *_source_rows(facts),
            "",
            "## What it does",
            "",
            f"AUROC on {facts.evaluated_on}. Intervals: 95 %, bootstrap over patients.",
            "",
            "| finding | with | without | AUROC | interval |",
            "|---|---|---|---|---|",
            *rows,
            f"| {mean} | | | **{_number(report.mean)}** | {_interval(report.low, report.high)} |",
            "",
            "## What to keep in mind",
            "",
            "- The counts are small and the intervals wide; a finding with two positives is an anecdote.",
            "- Calibration (a slope for each finding with 20 positives, else a pooled one; an intercept each) and the",
            f"  thresholds `balanced`, `sensitive` and `specific` were fitted on {facts.fitted_on}; the AUROC",
            "  does not depend on them.",
            f"- Expected calibration error on the images of the table: {facts.calibration_error:.3f}; if every",
            f"  probability were right, chance alone would show {facts.by_chance:.3f}."
            + (" Both were fitted on these images, so it flatters." if facts.is_fitted_here else ""),
            *caveats(sources),
            *MAPS,
            "",
            "## Where the images came from",
            "",
            *origins(sources),
            "",
            *LICENCE,
            "",
        ]
    )


def _classifiers_lines(facts: CardFacts) -> Iterator[str]:
    """How each network whose logits are averaged was made, then what it started from."""
    parts = len(facts.finetuning)
    for part, run in enumerate(facts.finetuning, start=1):
        name = f"Classifier, part {part} of {parts}" if parts > 1 else "Classifier"
        yield f"- {name}: {_probe_words(run) if _is_probe(run) else _finetuning_words(run)}"
        if _started_from(run) == facts.pretraining:
            yield "  It started from the masked autoencoder that also paints."
        else:
            yield from _start_lines(run)


def _start_lines(run: Mapping[str, Any]) -> Iterator[str]:
    if start := _started_from(run):
        words = _pretraining_words(start) if _is_unlabelled(start) else _finetuning_words(start)
        yield f"  It started from: {words}"


def _pretraining_words(run: Mapping[str, Any]) -> str:
    recipe, optim = run["recipe"], run["recipe"]["optim"]
    if "decoder" in recipe:
        ratios = recipe.get("mask_ratios") or [recipe["mask_ratio"]]
        kind = (
            f"masked autoencoder, encoder `{recipe['encoder']}`, decoder `{recipe['decoder']}`, "
            f"{' or '.join(f'{ratio:.0%}' for ratio in ratios)} of the patches hidden"
        )
    else:
        kind = f"momentum contrast, encoder `{recipe['encoder']}`, {recipe['queue']} keys"
    return (
        f"{kind}, a schedule of {optim['epochs']} epochs over {run['num_images']} images, batch {optim['batch']} "
        f"(recipe `{recipe['name']}`)."
    )


def _probe_words(run: Mapping[str, Any]) -> str:
    recipe = run["recipe"]
    penalties = (
        f"penalty {recipe['ridge']:g}, and {recipe['invariance']:g} on what small crops, turns and changes of "
        "brightness move"
    )
    read = sum(run["sources"].get(source, 0) for source in recipe.get("normals", ()))
    seen = f"mean and spread of the patches of a frozen `{recipe['encoder']}` at {recipe['image_size_px']} px"
    images = _images({**run, "num_images": run["num_images"] - read})
    if recipe.get("kernel", "linear") == "linear":
        return f"ridge regression ({penalties}) over {seen}; {images} (recipe `{recipe['name']}`)."
    normal = f", and {read} read as normal, each counted as {recipe['normals_weight']:g} of one without a finding"
    return (
        f"ridge regression ({penalties}) on a Gaussian kernel, over {seen}: it compares a picture with those it was "
        f"solved on, whose features are in the file; {images}{normal if read else ''} (recipe `{recipe['name']}`)."
    )


def _finetuning_words(run: Mapping[str, Any]) -> str:
    recipe, optim, repeated = run["recipe"], run["recipe"]["optim"], run.get("crossval")
    penalty = recipe.get("refit_head")
    refit = f", then the head solved anew by logistic regression, C = {penalty}" if penalty else ""
    images = _images(run)
    if repeated:
        seeds = len(repeated["seeds"])
        images += (
            f", {repeated['folds']} folds by patient, {seeds} seed{'s' if seeds > 1 else ''}: the mean of the logits "
            f"of {repeated['networks']} networks `{recipe['encoder']}` at {recipe['image_size_px']} px, each "
            "of which has not seen a fold"
        )
    is_random = "start" in run and run["start"] is None  # older descriptions do not say
    origin = ", from random weights" if is_random else ""
    averaged = f", weights averaged with decay {recipe['average']}" if recipe.get("average") else ""
    return (
        f"{optim['epochs']} epochs over {images}{origin}; batch {optim['batch']}, layer decay "
        f"{optim['layer_decay']}, DropPath {recipe['drop_path']}, `{recipe['rand_augment']}`{averaged}{refit} (recipe "
        f"`{recipe['name']}`)."
    )


def _images(run: Mapping[str, Any]) -> str:
    labels = {"all": "all 14 labels", "any": "at least one label", "some": "some of the labels"}
    return f"{run['num_images']} images with {labels[run['recipe'].get('known', 'all')]}"


def _is_probe(run: Mapping[str, Any]) -> bool:
    return "invariance" in run["recipe"]


def _started_from(run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is known of the run that a run started from."""
    return (run.get("start") or {}).get("run")


def _is_unlabelled(run: Mapping[str, Any]) -> bool:
    return "decoder" in run["recipe"] or "queue" in run["recipe"]


def _has_learned_from_boxed(facts: CardFacts) -> bool:
    """Whether a supervised run kept patients with a box; older descriptions do not say, and may have."""
    return any(run["recipe"].get("keep_boxes", True) for run in _runs(facts) if not _is_unlabelled(run))


def _runs(facts: CardFacts) -> list[Mapping[str, Any]]:
    """All that the bundle was made from."""
    return [facts.pretraining, *facts.finetuning, *filter(None, map(_started_from, facts.finetuning))]


def _source_rows(facts: CardFacts) -> list[str]:
    """Images by source; one that several runs have seen counts once."""
    runs = _runs(facts)
    unlabelled = [run["sources"] for run in runs if _is_unlabelled(run)]
    labelled = [run["sources"] for run in runs if not _is_unlabelled(run)]
    names = sorted({name for sources in (*unlabelled, *labelled) for name in sources})
    return [f"| `{name}` | {_most(unlabelled, name)} | {_most(labelled, name)} |" for name in names]


def _most(counted: Sequence[Mapping[str, int]], name: str) -> int:
    return max((one.get(name, 0) for one in counted), default=0)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
