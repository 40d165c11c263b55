"""The engine that the settings ask for."""

from models.errors import InvalidBundleError
from models.runtime.bundle import load_bundle
from service.inference.decode_pool import DecodePool
from service.inference.decode_worker import DecodeLimits
from service.inference.engine import Engine
from service.inference.local_engine import EngineLimits, LocalEngine
from service.settings import Settings


def build_engine(settings: Settings) -> Engine:
    """Open the bundle and put an engine around it; it is not started yet.

    Raises:
        InvalidBundleError: the bundle cannot be served; the message names its folder.
    """
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
    )
    try:
        bundle = load_bundle(settings.bundle_dir)
    except InvalidBundleError as error:
        raise InvalidBundleError(f"{settings.bundle_dir}: {error}") from error
    pool = DecodePool(decode_limits, size=settings.decode_workers, recycle_after=settings.decode_recycle_after)
    return LocalEngine(bundle, pool, limits)
