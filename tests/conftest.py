"""Fixtures for all tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_SHARED = Path(__file__).parents[2] / "shared"

# How long an example takes says something about the machine, nothing about the law.
settings.register_profile("product", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("product")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real radiographs and reference material beside the repository; never part of it."""
    if not _SHARED.is_dir():
        pytest.skip("needs the real radiographs in ../shared, which are not part of the repository")
    return _SHARED
