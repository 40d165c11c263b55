"""Masks that complement each other, and the maps they make."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidBundleError, InvalidRequestError
from models.runtime.anomaly import MAX_ROUNDS, AnomalyDetector, complementary_keeps
from models.runtime.bundle import Bundle, load_bundle
from tests.tiny_bundle import write_tiny_bundle


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(L, K, rounds, seed)."""
    num_patches = draw(st.integers(2, 300))
    masks = draw(st.integers(2, num_patches))
    return num_patches, masks, draw(st.integers(1, 4)), draw(st.integers(0, 2**64))


# numpy does not promise the stream of a permutation across versions: recorded with 2.4.
PINNED = [[2, 4], [3, 6], [0, 5], [1, 7]]


class TestComplementaryKeeps:
    @given(cut=cuts())
    def test_every_pass_shows_exactly_its_share(self, cut: tuple[int, int, int, int]) -> None:
        """V = floor(L / K) different patches, all of them in range."""
        num_patches, masks, rounds, _ = cut
        keep = complementary_keeps(*cut)

        assert keep.dtype == np.int64
        assert keep.shape == (rounds * masks, num_patches // masks)
        assert keep.min() >= 0
        assert keep.max() < num_patches
        assert (np.diff(keep, axis=1) > 0).all()

    @given(cut=cuts())
    def test_a_round_hides_each_patch_in_all_passes_but_at_most_one(self, cut: tuple[int, int, int, int]) -> None:
        """So every patch is painted at least K - 1 times a round; the L - K * V leftovers K times."""
        num_patches, masks, rounds, _ = cut
        keep = complementary_keeps(*cut)
        shown = np.array([np.bincount(one.ravel(), minlength=num_patches) for one in np.split(keep, rounds)])

        assert shown.max() <= 1
        assert ((shown == 0).sum(axis=1) == num_patches % masks).all()

    @given(cut=cuts())
    def test_the_seed_decides(self, cut: tuple[int, int, int, int]) -> None:
        """The same arguments give the same masks."""
        np.testing.assert_array_equal(complementary_keeps(*cut), complementary_keeps(*cut))

    def test_other_seeds_and_rounds_cut_otherwise(self) -> None:
        """Else rounds would add nothing."""
        first, second = np.split(complementary_keeps(196, 10, 2, 0), 2)

        assert (first != second).any()
        assert (first != complementary_keeps(196, 10, 1, 1)).any()

    def test_a_longer_run_begins_as_the_shorter(self) -> None:
        """More rounds refine a map, they do not replace it."""
        np.testing.assert_array_equal(complementary_keeps(196, 10, 3, 7)[:10], complementary_keeps(196, 10, 1, 7))

    def test_the_papers_ninety_percent(self) -> None:
        """K = 10 shows 19 of 196 patches, 177 are hidden."""
        assert complementary_keeps(196, 10, 1, 0).shape == (10, 19)

    def test_the_stream_is_pinned(self) -> None:
        """The same upload gives the same map also after an update of numpy; this fails where it would not."""
        assert complementary_keeps(8, 4, 1, 0).tolist() == PINNED

    @pytest.mark.parametrize("cut", [(4, 1, 1, 0), (4, 5, 1, 0), (4, 2, 0, 0), (4, 2, 1, -1)])
    def test_refuses_what_hides_nothing_or_shows_nothing(self, cut: tuple[int, int, int, int]) -> None:
        """One group would show the whole picture."""
        with pytest.raises(ValueError, match="masks"):
            complementary_keeps(*cut)


@pytest.fixture
def detector(bundle: Bundle) -> AnomalyDetector:
    return AnomalyDetector.open(bundle, threads=1)


class TestAnomalyDetector:
    def test_maps_every_image_at_model_size(self, detector: AnomalyDetector, images: np.ndarray) -> None:
        """Shapes, types and ranges of the contract."""
        maps = detector.run(images)

        assert len(maps) == 3
        for anomaly in maps:
            for array in astuple(anomaly)[:5]:
                assert array.shape == (32, 32)
                assert array.dtype == np.float32
                assert np.isfinite(array).all()
            assert anomaly.scaled.max() == 1
            assert anomaly.calibrated.min() >= 0
            assert anomaly.percentile is not None
            assert 0 <= anomaly.percentile <= 100

    def test_the_same_call_gives_the_same_map(self, detector: AnomalyDetector, images: np.ndarray) -> None:
        """And another seed another one, or the seed would mean nothing."""
        first, again, other = (detector.run(images[:1], seed=seed)[0] for seed in (3, 3, 4))

        np.testing.assert_array_equal(first.calibrated, again.calibrated)
        assert first.score == again.score
        assert (first.reconstruction != other.reconstruction).any()

    def test_the_default_is_the_bundles(self, detector: AnomalyDetector, images: np.ndarray) -> None:
        """Four masks in the tiny bundle."""
        assert detector.run(images[:1])[0].score == detector.run(images[:1], masks=4)[0].score

    def test_difference_is_absolute_on_the_scale_of_the_image(
        self, detector: AnomalyDetector, images: np.ndarray
    ) -> None:
        """|image / 255 - reconstruction|."""
        (anomaly,) = detector.run(images[:1])

        expected = np.abs(images[0, 0] / 255 - anomaly.reconstruction)
        np.testing.assert_allclose(anomaly.difference, expected, atol=1e-6)

    def test_an_odd_spot_scores_higher_and_is_where_the_map_is_hottest(self, detector: AnomalyDetector) -> None:
        """The map points at what the reconstruction does not know."""
        images = np.full((2, 1, 32, 32), 100, np.uint8)
        images[1, 0, 17:20, 9:12] = 255
        plain, odd = detector.run(images)

        assert odd.score > plain.score
        row, column = np.unravel_index(odd.calibrated.argmax(), (32, 32))
        assert 16 <= row < 24
        assert 8 <= column < 16

    def test_padding_takes_no_part(self, detector: AnomalyDetector, images: np.ndarray) -> None:
        """What stands in the padding changes neither map nor score."""
        content = (0, 8, 32, 24)
        noisy = images[:1].copy()
        mirrored = noisy.copy()
        # Mirrored: the tiny reconstructor sees the padding too, but works with the means of patches alone.
        mirrored[..., :8] = noisy[..., 7::-1]
        mirrored[..., 24:] = noisy[..., :23:-1]
        first, second = detector.run(np.concatenate([noisy, mirrored]), [content, content])

        assert first.score == pytest.approx(second.score, rel=1e-6)
        np.testing.assert_allclose(first.calibrated, second.calibrated, atol=1e-5)
        assert not first.calibrated[:, :8].any()
        assert not first.difference[:, 24:].any()

    def test_each_image_has_its_own_content(self, detector: AnomalyDetector, images: np.ndarray) -> None:
        """A batch may mix portrait and landscape."""
        contents = [(0, 8, 32, 24), (8, 0, 24, 32), (0, 0, 32, 32)]
        maps = detector.run(images, contents)

        for anomaly, (top, left, bottom, right) in zip(maps, contents, strict=True):
            assert anomaly.calibrated[top:bottom, left:right].all()
            anomaly.calibrated[top:bottom, left:right] = 0
            assert not anomaly.calibrated.any()

    def test_many_passes_go_image_by_image(self, detector: AnomalyDetector, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory is bounded: at most 80 passes at once, and each map is that of its image alone."""
        images = np.random.default_rng(0).integers(0, 255, (5, 1, 32, 32), np.uint8)
        alone = [detector.run(image[None], rounds=8)[0] for image in images]
        sizes: list[int] = []
        compute = detector._session.run

        def counted(feeds: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
            sizes.append(len(feeds["image"]) * len(feeds["keep"]))
            return compute(feeds, outputs)

        monkeypatch.setattr(detector._session, "run", counted)
        together = detector.run(images, rounds=8)

        assert [64, 64, 32] == sizes
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(one.calibrated, other.calibrated, rtol=1e-5)

    @pytest.mark.parametrize(
        "arguments", [{"masks": 3}, {"masks": 0}, {"rounds": 0}, {"rounds": MAX_ROUNDS + 1}, {"seed": -1}]
    )
    def test_arguments_out_of_range_are_the_callers_fault(
        self, detector: AnomalyDetector, images: np.ndarray, arguments: dict[str, Any]
    ) -> None:
        """Only the bundle's numbers of masks are accepted."""
        with pytest.raises(InvalidRequestError):
            detector.run(images, **arguments)

    def test_other_masks_have_no_percentile(self, detector: AnomalyDetector, images: np.ndarray) -> None:
        """The references were mapped with the default masks, and another K paints better or worse."""
        assert detector.run(images[:1], masks=2)[0].percentile is None

    def test_without_references_there_is_no_percentile(self, tmp_path: Path, images: np.ndarray) -> None:
        """And the calibrated map is the smoothed difference."""
        write_tiny_bundle(tmp_path, reference=False)
        (anomaly,) = AnomalyDetector.open(load_bundle(tmp_path)).run(images[:1])

        assert anomaly.percentile is None
        assert anomaly.score == pytest.approx(anomaly.difference.mean(), rel=0.05)

    def test_a_bundle_without_reconstructor_has_no_detector(self, tmp_path: Path) -> None:
        """Whoever opens one has to look first."""
        write_tiny_bundle(tmp_path, reconstructor=False)

        with pytest.raises(ValueError, match="no reconstructor"):
            AnomalyDetector.open(load_bundle(tmp_path))

    def test_references_of_another_size_are_refused(self, tmp_path: Path) -> None:
        """They belong to another bundle."""
        write_tiny_bundle(tmp_path / "large", side=64)
        large = load_bundle(tmp_path / "large")
        write_tiny_bundle(tmp_path / "small")
        small = load_bundle(tmp_path / "small")
        name = "anomaly_reference.npz"
        mixed = Bundle(small.folder, small.manifest, {**small.files, name: large.files[name]}, small.sha256)

        with pytest.raises(InvalidBundleError, match="side is 32"):
            AnomalyDetector.open(mixed)
