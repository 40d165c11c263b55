"""Fixtures for all tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_SHARED = Path(__file__).parents[2] / "shared"

# How long an example takes says something about the machine, nothing about the law.
settings.register_profile("product", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("product")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make soak` is the suite's fault tests at the size that the documentation speaks of."""
    parser.addoption("--full-size", action="store_true", help="run fault tests with as many images as is promised")


@pytest.fixture(scope="session")
def full_size(request: pytest.FixtureRequest) -> bool:
    """Whether the fault tests run at full size."""
    return bool(request.config.getoption("--full-size"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real radiographs and reference material beside the repository; never part of it."""
    if not _SHARED.is_dir():
        pytest.skip("needs the real radiographs in ../shared, which are not part of the repository")
    return _SHARED
