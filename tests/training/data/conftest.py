"""Twins to read, and to break."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.twins import write_twin

NUM = 24

Twin = Callable[[str], Path]


@pytest.fixture
def twin(tmp_path) -> Twin:
    """Writes a fresh twin of a data set by its name."""
    return lambda name: write_twin(name, tmp_path / name, num=NUM, seed=0)
