"""Undoes what training does to its process, so that a test leaves the next one as it found it."""

import logging

import pytest
import torch

# pytest's log capture would make torch's structured trace format every graph it meets.
logging.getLogger("torch.__trace").setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def _subnormal_numbers():
    """A run lets the processor round them to zero; Hypothesis draws them."""
    yield
    torch.set_flush_denormal(False)
