"""From a painting to a map and a score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.errors import InvalidBundleError
from models.runtime.anomaly_map import Content, Painting, measure
from models.runtime.anomaly_reference import AnomalyReference
from models.runtime.anomaly_smooth import smooth
from models.runtime.manifest import ReconstructorSpec

SIDE = 16
WHOLE: Content = (0, 0, SIDE, SIDE)


def spec(**fields: object) -> ReconstructorSpec:
    common = {"file": "r.onnx", "patch_size": 4, "grid": 4, "default_masks": 4, "masks": (4,), "norm_pix_loss": False}
    return ReconstructorSpec.model_validate(common | fields)


def painting(reconstruction: NDArray[np.float32]) -> Painting:
    """Of a black picture: the difference is the reconstruction."""
    return Painting(np.zeros((SIDE, SIDE), np.uint8), reconstruction, np.full((SIDE, SIDE), 0.1, np.float32))


def reference(mean: float, std: float) -> AnomalyReference:
    full = np.ones((SIDE, SIDE), np.float32)
    return AnomalyReference(full * np.float32(mean), full * np.float32(std), np.arange(4, dtype=np.float32))


def constant(value: float) -> NDArray[np.float32]:
    return np.full((SIDE, SIDE), value, np.float32)


class TestMeasure:
    def test_calibrated_is_in_deviations_of_the_normal(self) -> None:
        """(0.5 - 0.2) / 0.1 = 3 everywhere."""
        anomaly = measure(painting(constant(0.5)), WHOLE, spec(), reference(0.2, 0.1))

        assert anomaly.calibrated == pytest.approx(3.0, rel=1e-5)
        assert anomaly.score == pytest.approx(3.0, rel=1e-5)

    def test_better_than_normal_is_not_an_anomaly(self) -> None:
        """Clipped at 0, not counted against what is worse elsewhere; the map of nothing is black."""
        anomaly = measure(painting(constant(0.1)), WHOLE, spec(), reference(0.2, 0.1))

        assert anomaly.score == 0
        assert not anomaly.scaled.any()

    def test_a_position_that_never_varies_does_not_explode(self) -> None:
        """A deviation below one grey level counts as one grey level."""
        anomaly = measure(painting(constant(2 / 255)), WHOLE, spec(), reference(0, 0))

        assert anomaly.score == pytest.approx(2, rel=1e-5)

    def test_never_hidden_patches_take_no_part(self) -> None:
        """NaN in the difference, 0 in the map, nothing in the score."""
        reconstruction = constant(0.5)
        reconstruction[:4, :4] = np.nan
        anomaly = measure(painting(reconstruction), WHOLE, spec(smoothing_px=2), None)

        assert anomaly.score == pytest.approx(0.5, rel=1e-5)
        assert np.isnan(anomaly.difference[:4, :4]).all()
        assert not anomaly.calibrated[:4, :4].any()
        assert anomaly.calibrated[4:, 4:] == pytest.approx(0.5, rel=1e-5)
        assert np.isfinite(anomaly.scaled).all()

    def test_a_picture_without_one_painted_pixel_is_refused(self) -> None:
        """A score of nothing would look like a perfectly normal picture."""
        with pytest.raises(InvalidBundleError, match="painted nothing"):
            measure(painting(constant(np.nan)), WHOLE, spec(), None)

    @given(value=st.floats(0, 1, width=32), padding=st.sampled_from([0.0, 0.3, 1.0, float("nan"), float("inf")]))
    def test_the_score_is_blind_to_the_padding(self, value: float, padding: float) -> None:
        """Whatever the graph paints there, smoothed or not."""
        reconstruction = constant(padding)
        reconstruction[4:12] = value
        for sigma_px in (0.0, 3.0):
            anomaly = measure(painting(reconstruction), (4, 0, 12, SIDE), spec(smoothing_px=sigma_px), None)
            assert anomaly.score == pytest.approx(value, rel=1e-4, abs=1e-7)
            for array in (anomaly.difference, anomaly.spread, anomaly.calibrated, anomaly.scaled):
                assert not array[:4].any()
                assert not array[12:].any()

    def test_a_fixed_scale_leaves_a_normal_picture_dark(self) -> None:
        """With each map's own maximum, noise looks as hot as any anomaly."""
        assert measure(painting(constant(0.5)), WHOLE, spec(), None).scaled.max() == 1
        assert measure(painting(constant(0.5)), WHOLE, spec(map_scale=2.0), None).scaled.max() == 0.25
        assert measure(painting(constant(0.5)), WHOLE, spec(map_scale=0.1), None).scaled.max() == 1

    def test_percentile_is_the_share_of_normals_not_above(self) -> None:
        """Scores 0, 1, 2, 3; between the second and the third half of them lie below."""
        percentiles = [
            measure(painting(constant(value)), WHOLE, spec(), reference(0, 0.1)).percentile
            for value in (0.05, 0.15, 0.9)
        ]

        assert percentiles == [25, 50, 100]


class TestSmooth:
    def test_a_constant_stays_constant_up_to_the_rim(self) -> None:
        """Weights are normalised over what is known."""
        known = np.zeros((SIDE, SIDE), np.bool_)
        known[2:9, 3:14] = True
        result = smooth(constant(0.7), known, 3.0)

        assert result[known] == pytest.approx(0.7, rel=1e-4)
        assert not result[~known].any()

    def test_spreads_a_point(self) -> None:
        """And keeps its place."""
        values = constant(0)
        values[8, 8] = 1
        result = smooth(values, np.ones_like(values, np.bool_), 1.0)

        assert result.argmax() == 8 * SIDE + 8
        assert 0 < result[8, 9] < result[8, 8] < 1

    def test_without_width_nothing_moves(self) -> None:
        """Sigma 0 is no filter."""
        values = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
        np.testing.assert_array_equal(smooth(values, np.ones_like(values, np.bool_), 0), values)
