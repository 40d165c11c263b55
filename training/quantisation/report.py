"""What quantising cost and gained, as tables and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.evaluation.report_json import Json
from training.evaluation.table import ends, number, table
from training.quantisation.agreement import AUROC_LIMIT, IOU_LIMIT, Agreement
from training.quantisation.bundle import Candidate, Timing


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was measured of the candidate that was chosen.

    Attributes:
        candidate: the chosen one.
        found: on the images that decide.
        judged_on: those images, in words.
        timing: of original and candidate.
        original_bytes: of the original classifier's file.
    """

    candidate: Candidate
    found: Agreement
    judged_on: str
    timing: Timing
    original_bytes: int


def trial_lines(tried: Sequence[tuple[Candidate, Agreement]]) -> list[str]:
    """A row for each scheme on the images that choose."""
    rows = [
        [
            candidate.scheme.name,
            str(candidate.num_layers),
            f"{candidate.num_bytes / 1e6:.1f}",
            number(found.map_iou, 4),
            str(found.num_maps),
            f"{found.largest_change:.4f}",
            f"{found.median_change:.4f}",
            f"{found.flips:.4f}",
        ]
        for candidate, found in tried
    ]
    return table(["scheme", "int8 layers", "MB", "map IoU", "maps", "largest change", "median change", "flips"], rows)


def verdict_lines(verdict: Verdict) -> list[str]:
    """The decision and what it rests on."""
    found, timing, candidate = verdict.found, verdict.timing, verdict.candidate
    aurocs = found.aurocs
    sizes = verdict.original_bytes / 1e6, candidate.num_bytes / 1e6
    rows = [
        ["mean AUROC", number(aurocs.mean_b, 4), number(aurocs.mean_a, 4)],
        ["classifier, MB", *(f"{size:.1f}" for size in sizes)],
        ["ms a picture, with maps", *(f"{value:.1f}" for value in timing.with_maps)],
        ["ms a picture, without", *(f"{value:.1f}" for value in timing.without_maps)],
    ]
    shift = "undefined" if found.auroc_shift is None else f"{found.auroc_shift:+.4f}"
    interval = f"{ends(aurocs.interval, 4)}, paired" if aurocs.interval else "no interval"
    maps = ends(found.map_interval, 4) or "no interval"
    return [
        f"Scheme {candidate.scheme.name}: {candidate.scheme.text}; {candidate.num_layers} layers compute in int8.",
        f"Judged on {verdict.judged_on}: {found.num_images} images of {found.num_patients} patients.",
        "",
        *table(["", "original", "int8"], rows),
        "",
        f"Mean AUROC moves by {shift} ({interval}), over {aurocs.num_defined} findings; allowed is {AUROC_LIMIT}.",
        f"Map IoU {number(found.map_iou, 4)} ({maps}) over {found.num_maps} maps; at least {IOU_LIMIT} is asked.",
        "Both limits bind the number and both ends of its 95 % interval; what follows decides nothing.",
        f"Probabilities move by at most {found.largest_change:.4f}, {found.median_change:.4f} in the median picture;",
        f"{found.flips:.2%} of all calls of findings cross their threshold.",
        f"Times are medians of pictures asked in turn, {timing.threads} thread.",
    ]


def verdict_json(verdict: Verdict) -> dict[str, Json]:
    """Every number unrounded."""
    found, timing, candidate = verdict.found, verdict.timing, verdict.candidate
    aurocs = found.aurocs
    return {
        "scheme": candidate.scheme.name,
        "scheme_in_words": candidate.scheme.text,
        "int8_layers": candidate.num_layers,
        "judged_on": verdict.judged_on,
        "images": found.num_images,
        "patients": found.num_patients,
        "mean_auroc_original": aurocs.mean_b,
        "mean_auroc_int8": aurocs.mean_a,
        "mean_auroc_shift": found.auroc_shift,
        "mean_auroc_shift_interval": None if aurocs.interval is None else list(aurocs.interval),
        "findings_defined": aurocs.num_defined,
        "map_iou": found.map_iou,
        "map_iou_interval": None if found.map_interval is None else list(found.map_interval),
        "maps": found.num_maps,
        "largest_change": found.largest_change,
        "median_change": found.median_change,
        "flips": found.flips,
        "limits": {"mean_auroc_shift": AUROC_LIMIT, "map_iou": IOU_LIMIT},
        "accepted": found.is_accepted,
        "bytes_original": verdict.original_bytes,
        "bytes_int8": candidate.num_bytes,
        "threads": timing.threads,
        "ms_with_maps": list(timing.with_maps),
        "ms_without_maps": list(timing.without_maps),
    }
