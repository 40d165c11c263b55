"""The probability keeps the order of the logits and its digits, also where it is nearly 0 or nearly 1."""

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.runtime.calibration import calibrated_probability

getcontext().prec = 60
SIX_DIGITS = 5e-7  # half a unit of the sixth significant digit, relative

logits = st.floats(-300, 300, width=32)
slopes = st.floats(0.125, 2)
intercepts = st.floats(-5, 5)


def probability(logit: float, slope: float = 1.0, intercept: float = 0.0) -> float:
    value = calibrated_probability(np.array([[logit]], np.float32), np.array([slope]), np.array([intercept]))
    return float(value[0, 0])


class TestCalibratedProbability:
    @given(logit=logits, slope=slopes, intercept=intercepts)
    def test_is_the_sigmoid_to_six_digits(self, logit: float, slope: float, intercept: float) -> None:
        """Against arithmetic with 60 digits; a float32 sigmoid is 0 below -104 and 1 above 17."""
        exact = 1 / (1 + (-(Decimal(slope) * Decimal(logit) + Decimal(intercept))).exp())

        assert abs(Decimal(probability(logit, slope, intercept)) / exact - 1) < SIX_DIGITS

    @given(logit=logits, slope=slopes, intercept=intercepts)
    def test_rises_from_each_float32_to_the_next(self, logit: float, slope: float, intercept: float) -> None:
        """Two pictures the model tells apart are never shown as equal; near logit 0 a step is at least 1e-6 here."""
        following = max(float(np.nextafter(np.float32(logit), np.float32(np.inf))), logit + 1e-6)

        assert probability(logit, slope, intercept) < probability(following, slope, intercept)

    @given(logit=st.floats(-700, 1000, width=32))
    def test_is_never_certain(self, logit: float) -> None:
        """Strictly between 0 and 1."""
        assert 0 < probability(logit) < 1

    def test_is_continuous_where_the_tail_begins(self) -> None:
        """No step at z = 16."""
        below, above = probability(math.nextafter(16, 0)), probability(16)

        assert above - below < 1e-12

    def test_each_finding_has_its_own_line(self) -> None:
        """Slope and intercept go by column."""
        result = calibrated_probability(
            np.array([[1, 1], [2, 2]], np.float32), np.array([1.0, 2.0]), np.array([0.0, -1.0])
        )

        expected = 1 / (1 + np.exp(-np.array([[1.0, 1.0], [2.0, 3.0]])))
        assert result.dtype == np.float64
        assert result == pytest.approx(expected, rel=1e-12)
