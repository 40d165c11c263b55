"""Pixels under one ranking, against scikit-learn and at the ends of the scale."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.anomaly.pixel_scores import PixelCounts

# A level holds a thousandth of the pixels; what lies within one counts as tied.
LEVELS_TOLERANCE = 2e-3


def samples(num: int = 5, side: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps that know a little of their truth, with many zeros; a border that does not count."""
    rng = np.random.default_rng(0)
    truths = rng.random((num, side, side)) < 0.1
    maps = np.maximum(0, rng.normal(size=truths.shape) + truths).astype(np.float32)
    known = np.zeros_like(truths)
    known[:, 2:-2, 3:-1] = True
    return maps, truths, known


def test_pixel_counts__agree_with_scikit_learn():
    """Pooled and by image; zeros are ties."""
    maps, truths, known = samples()
    counts = PixelCounts.of(maps, truths, known)

    assert counts.pooled().aurocs[0] == pytest.approx(roc_auc_score(truths[known], maps[known]), abs=LEVELS_TOLERANCE)
    assert counts.pooled().average_precisions[0] == pytest.approx(
        average_precision_score(truths[known], maps[known]), abs=LEVELS_TOLERANCE
    )
    assert counts.pooled().prevalences[0] == truths[known].mean()
    expected = [roc_auc_score(*pair) for pair in ((t[k], m[k]) for m, t, k in zip(maps, truths, known, strict=True))]
    assert counts.by_image().aurocs == pytest.approx(expected, abs=LEVELS_TOLERANCE)


def test_pixel_counts__weights_are_repetitions():
    """An image drawn twice counts as two, one not drawn not at all."""
    maps, truths, known = samples()
    weights = np.array([[2, 0, 1, 1, 1]])
    rows = [0, 0, 2, 3, 4]
    drawn = PixelCounts.of(maps, truths, known).pooled(weights)

    expected = roc_auc_score(truths[rows][known[rows]], maps[rows][known[rows]])
    assert drawn.aurocs[0] == pytest.approx(expected, abs=LEVELS_TOLERANCE)


def test_pixel_counts__a_perfect_map_scores_one_and_its_negative_zero():
    """The ends of the scale are reached."""
    _, truths, known = samples()
    best, worst = (PixelCounts.of(maps, truths, known).pooled() for maps in (truths * 1.0, truths * -1.0))

    assert best.aurocs[0] == best.average_precisions[0] == 1
    assert worst.aurocs[0] == 0


def test_pixel_counts__a_flat_and_a_random_map_say_nothing():
    """AUROC one half, average precision the prevalence."""
    _, truths, known = samples(20)
    flat = PixelCounts.of(np.zeros(truths.shape, np.float32), truths, known).pooled()
    noise = np.random.default_rng(1).random(truths.shape).astype(np.float32)
    random = PixelCounts.of(noise, truths, known).pooled()

    assert flat.aurocs[0] == 0.5
    assert flat.average_precisions[0] == pytest.approx(flat.prevalences[0])
    assert random.aurocs[0] == pytest.approx(0.5, abs=0.03)
    assert random.average_precisions[0] == pytest.approx(random.prevalences[0], abs=0.02)


def test_pixel_counts__are_undefined_without_an_anomaly():
    """A clean image has no pixel inside."""
    maps, truths, known = samples()
    counts = PixelCounts.of(maps, np.zeros_like(truths), known)

    assert np.isnan(counts.by_image().aurocs).all()
    assert np.isnan(counts.pooled().average_precisions).all()


def test_pixel_counts__refuse_what_cannot_be_ranked():
    """A NaN where a pixel counts is a fault of the map, not a low value."""
    maps, truths, known = samples()
    maps[0, 5, 5] = np.nan

    with pytest.raises(ValueError, match="NaN"):
        PixelCounts.of(maps, truths, known)
    with pytest.raises(ValueError, match="0 known pixels"):
        PixelCounts.of(maps, truths, np.zeros_like(known))
