"""The file of normal references."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from models.errors import InvalidBundleError
from models.runtime.anomaly_reference import AnomalyReference, dump_reference, load_reference

MAP = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
REFERENCE = AnomalyReference(MAP, MAP, np.array([0.1, 0.2, 0.2, 0.7], np.float32))
BY_PLACE = np.stack([0 * MAP, 0 * MAP + np.float32(0.5)])
WITH_MAPS = replace(REFERENCE, log_map=BY_PLACE)


def archive(**changes: Any) -> bytes:
    content = BytesIO()
    arrays: dict[str, Any] = {"mean": MAP, "std": MAP, "scores": REFERENCE.scores} | changes
    np.savez(content, **{name: value for name, value in arrays.items() if value is not None})
    return content.getvalue()


class Trap:
    """Fails the test that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it was unpickled",)


class TestReference:
    def test_survives_the_trip_to_disk(self) -> None:
        """Equal statistics make equal bytes."""
        loaded = load_reference(dump_reference(REFERENCE), 4)

        np.testing.assert_array_equal(loaded.mean, MAP)
        np.testing.assert_array_equal(loaded.scores, REFERENCE.scores)
        assert dump_reference(loaded) == dump_reference(REFERENCE)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"PK\x03\x04 cut short",
            b"\x80\x04\x95 a pickle",
            archive()[:-30],
            archive(mean=None),
            archive(mean=MAP.astype(np.float64)),
            archive(mean=MAP[0]),
            archive(std=MAP[:2]),
            archive(std=-MAP),
            archive(mean=MAP * np.float32(np.nan)),
            archive(scores=np.array([], np.float32)),
            archive(scores=np.array([2, 1], np.float32)),
            archive(log_map=MAP),
            archive(log_map=-BY_PLACE),
            archive(log_map=BY_PLACE[:, :2]),
            archive(log_map=BY_PLACE * np.float32(np.nan)),
        ],
    )
    def test_refuses_what_is_no_reference(self, content: bytes) -> None:
        """Damaged, incomplete, of another type or shape, or with values that measure nothing."""
        with pytest.raises(InvalidBundleError):
            load_reference(content, 4)

    def test_statistics_of_maps_survive_too(self) -> None:
        """They are optional: bundles up to 0.3.0 have none."""
        loaded = load_reference(dump_reference(WITH_MAPS), 4)

        assert loaded.log_map is not None
        np.testing.assert_array_equal(loaded.log_map, BY_PLACE)
        assert load_reference(dump_reference(REFERENCE), 4).log_map is None

    def test_a_map_is_measured_by_what_normals_have_at_each_place(self) -> None:
        """In deviations of its logarithm: e is one unit of a logarithm, two deviations of a half; below normal is 0."""
        drawn = np.full((4, 4), np.e, np.float32)
        drawn[0] = 0
        measured = WITH_MAPS.beyond_normal(drawn)

        assert measured[1:] == pytest.approx(2)
        assert measured[0] == pytest.approx(0)
        np.testing.assert_array_equal(REFERENCE.beyond_normal(drawn), drawn)

    def test_never_unpickles(self) -> None:
        """numpy would, if it were let: an array of objects runs code while it is loaded."""
        with pytest.raises(InvalidBundleError):
            load_reference(archive(scores=np.array([Trap()], dtype=object)), 4)

    def test_refuses_another_side(self) -> None:
        """It belongs to another bundle."""
        with pytest.raises(InvalidBundleError, match="side is 8"):
            load_reference(dump_reference(REFERENCE), 8)

    @pytest.mark.parametrize(
        ("score", "percentile"), [(0, 0), (0.125, 25), (0.25, 75), (0.5, 75), (0.75, 100), (9, 100)]
    )
    def test_percentile_counts_normals_not_above(self, score: float, percentile: float) -> None:
        """Ties count as not above; never below 0 nor over 100."""
        scores = np.array([0.125, 0.25, 0.25, 0.75], np.float32)

        assert AnomalyReference(MAP, MAP, scores).percentile(score) == percentile
