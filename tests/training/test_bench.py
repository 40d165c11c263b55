"""The bench's own arithmetic: ratios, goals, and a file that can be read back."""

import json
import time

import pytest

from training import bench


def _sleep(seconds: float):
    return lambda: time.sleep(seconds)


def test_a_ratio_beyond_its_goal_is_marked_missed():
    """The check must be able to fail."""
    row = bench._compare("maps / plain, class token", 1, _sleep(0.02), _sleep(0.005), repeats=3)

    assert row.ratio > 1.05
    assert row.is_met is False


def test_a_ratio_within_its_goal_is_met():
    """At least 30 times, for the rival that is slower."""
    row = bench._compare("pytorch-grad-cam / maps", 1, _sleep(0.2), _sleep(0.001), repeats=3)

    assert row.is_met is True
    assert row.numerator_ms == pytest.approx(200, rel=0.5)


def test_a_row_survives_json():
    """`bench.json` is written from these."""
    row = bench._compare("pytorch-grad-cam / maps", 1, _sleep(0.002), _sleep(0.001), repeats=3)

    assert row.name == json.loads(bench.report({"cores": 2}, [row]))["rows"][0]["name"]
