"""A tiny bundle on disk, and what it opens to."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.runtime.bundle import Bundle, load_bundle
from tests.tiny_bundle import write_tiny_bundle

SIDE = 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle that the test may break."""
    write_tiny_bundle(tmp_path / "bundle", SIDE)
    return tmp_path / "bundle"


@pytest.fixture
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder)


@pytest.fixture
def images() -> NDArray[np.uint8]:
    """(3, 1, S, S) noise."""
    generator = np.random.Generator(np.random.PCG64(1))
    return generator.integers(0, 256, (3, 1, SIDE, SIDE), dtype=np.uint8)
