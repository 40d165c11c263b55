"""The signed difference in bands: sign, scale, width, and the picture's own unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.runtime.anomaly_bands import cut_bands, excess_in_bands
from models.runtime.anomaly_map import Content, Painting, measure
from models.runtime.anomaly_reference import AnomalyReference
from models.runtime.manifest import BandsSpec, ReconstructorSpec

SIDE = 48
WHOLE = np.ones((SIDE, SIDE), np.bool_)
BANDS = BandsSpec(widths_px=(0, 6), darker=0.5)


def noise(seed: int = 0) -> NDArray[np.float32]:
    """A difference of deviation 0.1 everywhere."""
    return np.random.default_rng(seed).normal(0, 0.1, (SIDE, SIDE)).astype(np.float32)


def reference(std: float, num_bands: int = 2) -> AnomalyReference:
    """Mean 0 and one deviation everywhere."""
    full = np.ones((num_bands, SIDE, SIDE), np.float32)
    return AnomalyReference(0 * full, np.float32(std) * full, np.zeros(1, np.float32))


class TestCutBands:
    def test_width_0_is_the_whole_difference(self) -> None:
        """And the order is that of the widths."""
        whole, fine = cut_bands(noise(), WHOLE, (0, 6))

        np.testing.assert_array_equal(whole, noise())
        assert (fine != whole).any()

    def test_a_fine_band_does_not_see_a_difference_that_is_the_same_everywhere(self) -> None:
        """A painting that is too bright as a whole is broad, not fine; up to the picture's rim."""
        known = WHOLE.copy()
        known[:, :9] = False
        whole, fine = cut_bands(np.where(known, np.float32(0.3), np.float32(np.nan)), known, (0, 6))

        assert whole[known] == pytest.approx(0.3)
        assert fine == pytest.approx(0, abs=1e-5)


class TestExcessInBands:
    def test_noise_as_in_the_references_is_about_one(self) -> None:
        """In deviations: brighter noise weighs 1, darker a quarter of its square."""
        values = excess_in_bands(noise(), WHOLE, BandsSpec(widths_px=(0,), darker=0.5), 4.0, reference(0.1, 1))

        assert values.mean() == pytest.approx(((1 + 0.25) / 2) ** 0.5, rel=0.1)

    def test_darker_counts_its_share(self) -> None:
        """The same spot, brighter and darker."""
        spot = np.zeros((SIDE, SIDE), np.float32)
        spot[20:24, 20:24] = 1
        band = BandsSpec(widths_px=(0,), darker=0.5)
        brighter, darker = (excess_in_bands(sign * spot, WHOLE, band, 2.0, reference(0.1, 1)) for sign in (1, -1))

        np.testing.assert_allclose(darker, 0.5 * brighter, atol=1e-5)
        assert not excess_in_bands(-spot, WHOLE, BandsSpec(widths_px=(0,), darker=0), 2.0, reference(0.1, 1)).any()

    @given(gain=st.floats(1, 8))
    def test_a_picture_that_is_painted_badly_everywhere_is_not_anomalous_everywhere(self, gain: float) -> None:
        """Its own unit grows with its difference."""
        expected, found = (
            excess_in_bands(np.float32(factor) * noise(), WHOLE, BANDS, 4.0, reference(0.1)) for factor in (1, gain)
        )

        np.testing.assert_allclose(found, expected, rtol=1e-3)

    @given(share=st.floats(0, 1))
    def test_of_its_own_unit_a_share_is_divided_out(self, share: float) -> None:
        """A picture painted four times as badly has 4 to the power of what is left."""
        bands = BANDS.model_copy(update={"own_unit": share})
        calm, bad = (excess_in_bands(np.float32(k) * noise(), WHOLE, bands, 4.0, reference(0.1)) for k in (1, 4))

        np.testing.assert_allclose(bad, np.float32(4 ** (1 - share)) * calm, rtol=1e-3)

    def test_a_picture_that_is_painted_well_is_not_magnified_without_end(self) -> None:
        """A thousandth of what normals differ by is nothing."""
        values = excess_in_bands(noise() * np.float32(1e-3), WHOLE, BANDS, 4.0, reference(0.1))

        assert values.max() < 0.05

    def test_nothing_differs(self) -> None:
        """A black map, no division by zero, with and without references."""
        for yardstick in (None, reference(0)):
            assert not excess_in_bands(np.zeros((SIDE, SIDE), np.float32), WHOLE, BANDS, 4.0, yardstick).any()

    def test_finds_a_spot_in_noise_and_leaves_the_unknown_dark(self) -> None:
        """Where the difference is NaN there is no map."""
        signed, known = noise(), WHOLE.copy()
        signed[30:36, 30:36] += 0.6
        signed[:, :8], known[:, :8] = np.nan, False
        values = excess_in_bands(signed, known, BANDS, 2.0, reference(0.1))

        row, column = np.unravel_index(values.argmax(), values.shape)
        assert 29 < row < 36
        assert 29 < column < 36
        assert not values[:, :8].any()
        assert np.isfinite(values).all()


def test_measure__takes_bands_where_the_bundle_has_them() -> None:
    """The difference stays absolute; the calibrated map is that of the bands, the padding dark."""
    content: Content = (0, 8, SIDE, SIDE)
    fields = {"file": "r.onnx", "patch_size": 8, "grid": 6, "default_masks": 4, "masks": (4,), "norm_pix_loss": False}
    spec = ReconstructorSpec.model_validate(fields | {"bands": BANDS, "smoothing_px": 2.0})
    image = np.full((SIDE, SIDE), 100, np.uint8)
    image[20:26, 20:26] = 160
    painting = Painting(image, np.full((SIDE, SIDE), 100 / 255, np.float32), np.zeros((SIDE, SIDE), np.float32))
    anomaly = measure(painting, content, spec, reference(0.1))

    assert anomaly.difference[22, 22] == pytest.approx(60 / 255)
    assert anomaly.calibrated.argmax() in np.flatnonzero(image == 160)
    assert not anomaly.calibrated[:, :8].any()
    assert 0 < anomaly.score < anomaly.calibrated.max()
