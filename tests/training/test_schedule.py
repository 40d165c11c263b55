"""The learning rate over a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import goldens
from training.schedule import CosineSchedule

GOLDEN = goldens.facts("lr_schedule")

# Two ways to write the same cosine; the smallest rate of the goldens is a millionth of the peak.
TOLERANCE = 1e-12


@pytest.mark.parametrize("name", GOLDEN)
def test_schedule__is_the_official_code_s(name):
    """At the start, in the warm-up, at its end, down the cosine, at the very end."""
    golden = GOLDEN[name]
    schedule = CosineSchedule(golden["lr"], golden["min_lr"], golden["warmup_epochs"], golden["epochs"])

    for epoch, rate, _ in golden["values"]:
        assert rate == pytest.approx(schedule(epoch), rel=TOLERANCE, abs=golden["lr"] * TOLERANCE)


@given(peak=st.floats(1e-6, 1), share=st.floats(0, 1), warmup=st.floats(0.01, 40), rest=st.floats(0.5, 800))
def test_schedule__rises_from_zero_meets_at_the_peak_and_ends_at_the_minimum(peak, share, warmup, rest):
    """No jump where the warm-up hands over to the cosine."""
    schedule = CosineSchedule(peak, peak * share, warmup, warmup + rest)

    assert 0 == schedule(0)
    assert peak == pytest.approx(schedule(warmup * (1 - 1e-9)))
    assert peak == pytest.approx(schedule(warmup))
    assert peak * share == pytest.approx(schedule(warmup + rest), abs=peak * 1e-9)
    assert all(schedule(warmup + rest * k / 10) >= schedule(warmup + rest * (k + 1) / 10) for k in range(10))
