"""The engine that the settings ask for."""

from dataclasses import replace
from typing import TypeVar

from models.errors import InvalidBundleError
from models.runtime.bundle import load_bundle
from service.inference.batch_engine import BatchEngine
from service.inference.decode_pool import DEFAULT_DECODER, DecodePool
from service.inference.decode_worker import DecodeLimits
from service.inference.local_engine import EngineLimits, LocalEngine
from service.inference.served import with_default_thresholds
from service.settings import Settings

EngineT = TypeVar("EngineT", bound=LocalEngine)


def build_engine(settings: Settings) -> LocalEngine:
    """Open the bundle and put an engine around it; it is not started yet.

    Raises:
        InvalidBundleError: the bundle cannot be served; the message names its folder.
    """
    return _build(LocalEngine, settings, DEFAULT_DECODER, spinning=True)


def build_batch_engine(settings: Settings, decoder: str = DEFAULT_DECODER) -> BatchEngine:
    """The same, for a worker: its idle threads leave the cores to the process that answers at once."""
    return _build(BatchEngine, settings, decoder, spinning=False)


def _build(kind: type[EngineT], settings: Settings, decoder: str, *, spinning: bool) -> EngineT:
    decode_limits = DecodeLimits(
        wall_s=settings.decode_timeout_s,
        cpu_s=settings.decode_cpu_s,
        memory_bytes=settings.decode_memory_bytes,
        upload_bytes=settings.upload_limit_bytes,
    )
    limits = EngineLimits(
        requests=settings.queue_limit,
        upload_bytes=settings.upload_limit_bytes,
        pixels=settings.pixel_limit_px,
        graph_runs=settings.inference_workers,
        threads=settings.inference_threads,
        spinning=spinning,
    )
    try:
        bundle = load_bundle(settings.bundle_dir)
        bundle = replace(bundle, manifest=with_default_thresholds(bundle.manifest, settings))
    except InvalidBundleError as error:
        raise InvalidBundleError(f"{settings.bundle_dir}: {error}") from error
    recycle_after = settings.decode_recycle_after
    pool = DecodePool(decode_limits, size=settings.decode_workers, recycle_after=recycle_after, decoder=decoder)
    return kind(bundle, pool, limits)
