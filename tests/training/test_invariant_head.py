"""The head that is solved so as not to answer to changes that mean nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from models.nets.probe import ProbeClassifier, ProbeConfig
from models.nets.vit import VitShape
from tests.training.execution import ENGINE, alone
from tests.training.tiny import SIDE_PX, phantoms
from training.data.dataset import Row
from training.invariant_head import covariance_of_changes, features_of, solve_head
from training.recipes.probe_types import ProbeRecipe


def material(num: int = 300, seed: int = 0):
    """Two features tell the label equally well; changes move the second alone."""
    random = np.random.default_rng(seed)
    labels = (random.random((num, 2)) < 0.4).astype(np.float32)
    plain = np.stack([labels[:, 0], labels[:, 0], labels[:, 1]], axis=1) + random.normal(0, 1, (num, 3))
    moved = plain[:, None] + random.normal(0, 1, (num, 4, 3)) * np.array([0, 2, 0])
    return np.concatenate([plain[:, None], moved], axis=1), labels


class TestSolveHead:
    def test_without_changes_it_is_ridge_regression(self):
        """scikit-learn's, but for the scale that the spread gives."""
        features, labels = material()
        weight, _ = solve_head(features, labels, ridge=0.5, invariance=0.0, spread=1.0)
        plain = features[:, 0]
        standard = (plain - plain.mean(axis=0)) / (plain.std(axis=0) + 1e-6)
        theirs = Ridge(alpha=0.5 * len(plain)).fit(standard, labels[:, 0]).coef_ / (plain.std(axis=0) + 1e-6)

        assert weight[0] / np.linalg.norm(weight[0]) == pytest.approx(theirs / np.linalg.norm(theirs))

    def test_it_leans_on_what_changes_do_not_move(self):
        """And the more, the dearer they are."""
        features, labels = material()
        shares = [
            abs(weight[0, 1] / weight[0, 0])
            for weight, _ in (
                solve_head(features, labels, ridge=0.1, invariance=price, spread=1.0) for price in (0.0, 1.0, 10.0)
            )
        ]

        assert shares[0] == pytest.approx(1, abs=0.3)
        assert shares[0] > 2 * shares[1] > 4 * shares[2]

    def test_logits_have_the_spread_and_lie_about_the_prevalence(self):
        """So a committee knows how loud it is, and the calibration where it stands."""
        features, labels = material()
        weight, bias = solve_head(features, labels, ridge=0.1, invariance=1.0, spread=0.5)
        logits = features[:, 0] @ weight.T + bias

        assert logits.std(axis=0) == pytest.approx([0.5, 0.5])
        share = labels.mean(axis=0)
        assert logits.mean(axis=0) == pytest.approx(np.log(share / (1 - share)), abs=1e-6)

    def test_unknown_labels_take_no_part(self):
        """Of one finding; the other's solution stays."""
        features, labels = material()
        hidden = labels.copy()
        hidden[::3, 1] = np.nan
        known = ~np.isnan(hidden[:, 1])

        (all_weight, _), (weight, _) = (
            solve_head(features, one, ridge=0.1, invariance=0.0, spread=1.0) for one in (labels, hidden)
        )
        logits = features[known, 0] @ weight[1]

        assert np.array_equal(all_weight[0], weight[0])
        assert not np.allclose(all_weight[1], weight[1])
        assert logits.std() == pytest.approx(1)


class TestCovarianceOfChanges:
    def test_it_is_the_mean_over_pictures_of_numpy_s(self):
        """Each about the mean of its own views."""
        features, _ = material(num=20)

        expected = np.mean([np.cov(views, rowvar=False) for views in features], axis=0)

        assert expected == pytest.approx(covariance_of_changes(features))

    def test_one_view_does_not_change(self):
        """Nor divides by nought."""
        assert not covariance_of_changes(material(num=20)[0][:, :1]).any()


def test_features_of__another_number_of_views_or_precision_is_not_taken_from_the_cache(tmp_path):
    """The same is; more views begin with those of fewer."""
    probe = ProbeClassifier(ProbeConfig(VitShape(48, 2, 3), 2, SIDE_PX))
    rows = [Row(Path(f"{number}.png"), frozenset(), frozenset(), str(number), "train") for number in range(2)]
    (tmp_path / "start").write_bytes(b"weights")

    def features(views, fabric=None):
        recipe = ProbeRecipe(name="tiny", encoder="vit_tiny", image_size_px=SIDE_PX, given_px=40, views=views)
        return features_of(probe, rows, phantoms(2), recipe, (tmp_path, tmp_path / "start"), fabric or alone())

    two, three, again = (features(views) for views in (2, 3, 2))

    assert (2, 3, 96) == two.shape
    assert (2, 4, 96) == three.shape
    assert np.array_equal(two, three[:, :3])
    assert np.array_equal(two, again)
    assert 2 == len(list(tmp_path.glob("features-*.npy")))

    rounded = features(2, replace(ENGINE, precision="bf16-mixed").launch())

    assert not np.array_equal(two, rounded)
    assert np.allclose(two, rounded, atol=0.1)
