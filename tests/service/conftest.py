"""A tiny bundle, decoder processes that are started once, and applications around them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from models.imaging import phantom
from models.imaging.heatmap import png_bytes
from models.runtime.bundle import Bundle, load_bundle
from service.api.app import create_app
from service.inference.decode_pool import DecodePool
from service.inference.decode_worker import DecodeLimits
from service.inference.local_engine import EngineLimits, LocalEngine
from service.settings import Settings
from tests.service.fake_engine import FakeEngine
from tests.tiny_bundle import write_tiny_bundle

LIMITS = DecodeLimits(wall_s=60.0, cpu_s=30, memory_bytes=3 * 2**30, upload_bytes=2**20, start_s=240.0, take_s=240.0)


@pytest.fixture(scope="session")
def chest_png() -> bytes:
    """A drawn chest, taller than wide."""
    return png_bytes(phantom.draw(1, 120, 90))


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with one finding that was not trained, and three threshold sets."""
    folder = tmp_path_factory.mktemp("bundle")
    write_tiny_bundle(folder, untrained=("Hernia",), threshold_sets=True)
    return folder


@pytest.fixture(scope="session")
def bundle(bundle_dir: Path) -> Bundle:
    """The same, opened."""
    return load_bundle(bundle_dir)


@pytest.fixture(scope="session")
def settings(bundle_dir: Path) -> Settings:
    """Small limits, so that tests reach them."""
    return Settings(bundle_dir=bundle_dir, upload_limit_bytes=2**20, pixel_limit_px=1_000_000)


@pytest.fixture(scope="session")
def pool() -> Iterator[DecodePool]:
    """Real decoder processes with a decoder that breaks on demand."""
    pool = DecodePool(LIMITS, size=1, decoder="tests.service.faulty_decoder:decode")
    asyncio.run(pool.start())
    yield pool
    asyncio.run(pool.close())


@pytest.fixture(scope="session")
def client(settings: Settings, bundle: Bundle) -> Iterator[TestClient]:
    """The whole application over real decoder processes and sessions; its decoder breaks on demand."""
    pool = DecodePool(LIMITS, size=2, decoder="tests.service.faulty_decoder:decode")
    limits = EngineLimits(upload_bytes=settings.upload_limit_bytes, pixels=settings.pixel_limit_px, threads=1)
    with TestClient(create_app(settings, engine=LocalEngine(bundle, pool, limits))) as client:
        yield client


@pytest.fixture
def fake_engine(bundle: Bundle) -> FakeEngine:
    """An engine that answers without decoding, and remembers what it was asked."""
    return FakeEngine(bundle)


@pytest.fixture
def fake_client(settings: Settings, fake_engine: FakeEngine) -> Iterator[TestClient]:
    """The application over it: milliseconds a test."""
    with TestClient(create_app(settings, engine=fake_engine)) as client:
        yield client
