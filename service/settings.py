"""Every knob of the service, read once from the environment and passed down."""

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "THORASCOPE_"
_MIB = 2**20
_GIB = 2**30
_DAY_S = 86400.0
_ROOT = Path(__file__).resolve().parent.parent
_DEFAULT_BUNDLE = _ROOT / "models" / "bundles" / "default"

# What an interpreter may need to start at all. Nothing else of our environment reaches a decoder process, so that a
# hijacked decoder finds no secret in its own.
_STARTUP_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL")


class Settings(BaseSettings):
    """All knobs of the service, read once from THORASCOPE_* variables. Lengths in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, populate_by_name=True)

    host: str = Field(default="127.0.0.1", validation_alias=AliasChoices("THORASCOPE_HOST", "HOST"))
    port: int = Field(default=8000, ge=0, le=65535, validation_alias=AliasChoices("THORASCOPE_PORT", "PORT"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    shutdown_grace_s: int = Field(default=30, ge=0, description="time that running requests get to finish")

    bundle_dir: Path = Field(default=_DEFAULT_BUNDLE, description="folder of the bundle that is served")
    thresholds: str | None = Field(default=None, min_length=1, description="its threshold set; None: its own default")

    upload_limit_bytes: int = Field(default=64 * _MIB, gt=0, description="largest file, alone or in a job")
    upload_memory_bytes: int = Field(default=512 * _MIB, gt=0, description="bodies of all requests together")
    upload_timeout_s: float = Field(default=120.0, gt=0, description="time for a body; of a job, for each piece")
    pixel_limit_px: int = Field(default=64_000_000, gt=0, description="largest picture, in pixels")

    decode_workers: int = Field(default=2, ge=1, description="files decoded at once; one spare process stands by")
    decode_timeout_s: float = Field(default=30.0, gt=0, description="wall clock for one file")
    decode_cpu_s: int = Field(default=20, ge=1, description="CPU time for one file")
    decode_memory_bytes: int = Field(default=3072 * _MIB, gt=0, description="address space of a decoder process")
    decode_recycle_after: int = Field(default=200, ge=1, description="files a decoder process sees in its life")

    inference_workers: int = Field(default=1, ge=1, description="graphs run at once")
    inference_threads: int = Field(default=0, ge=0, description="threads of one graph run; 0: one a physical core")
    queue_limit: int = Field(default=32, ge=1, description="requests inside the engine; one more is overloaded")
    rounds_limit: int = Field(default=8, ge=1, le=8, description="largest `rounds` of an anomaly map")
    engine: Literal["local", "queue"] = Field(
        default="local", description="who answers /predict: this process, workers"
    )
    queue_timeout_s: float = Field(default=60.0, gt=0, description="time a worker has to answer, with engine=queue")

    data_dir: Path = Field(default=_ROOT / "var", description="folder of the private Redis and of the uploads")
    redis_url: str | None = Field(default=None, pattern="^(redis|rediss|unix)://", description="None: a private Redis")
    store_url: str | None = Field(default=None, description="folder or fsspec address; None: `uploads` in data_dir")
    workers: int | None = Field(default=None, ge=0, description="beside serve; None: 1 with the private Redis, else 0")
    batch_size: int = Field(default=8, ge=1, le=256, description="radiographs of a chunk")
    map_batch_size: int = Field(default=4, ge=1, le=64, description="the same, for anomaly maps")
    lease_s: float = Field(default=10.0, gt=0, description="after that, a worker that is silent counts as lost")
    watchdog_s: float = Field(default=15.0, gt=0, description="a worker that takes nothing while work waits ends")
    job_limit_bytes: int = Field(default=64 * _GIB, gt=0, description="largest job, unpacked")
    job_limit_files: int = Field(default=100_000, ge=1, description="files in one job")
    disk_reserve_bytes: int = Field(default=_GIB, ge=0, description="kept free on the disks of uploads and data_dir")
    upload_retention_s: float = Field(default=_DAY_S, ge=0, description="uploads are kept so long after a job's end")
    result_retention_s: float = Field(default=30 * _DAY_S, ge=0, description="so are results")

    @property
    def store_address(self) -> str:
        """Where uploads and results lie."""
        return self.store_url or str(self.data_dir / "uploads")

    def batch_size_of(self, task: str) -> int:
        """Of jobs with this task."""
        return self.map_batch_size if task == "anomaly-map" else self.batch_size


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"{_PREFIX}{name.upper()}"


def misspelt() -> dict[str, str | None]:
    """Variables of the environment that look like settings and are none, each with the setting it resembles, if any."""
    settings = [name.upper() for name in Settings.model_fields]
    strangers = {name: name.upper().removeprefix(_PREFIX) for name in os.environ if name.upper().startswith(_PREFIX)}
    return {
        name: next((variable_of(near) for near in get_close_matches(stranger, settings, n=1)), None)
        for name, stranger in sorted(strangers.items())
        if stranger not in settings
    }


def startup_environment() -> dict[str, str]:
    """The few variables of this process that a child interpreter may need to start; no setting, no secret."""
    return {name: os.environ[name] for name in _STARTUP_VARIABLES if name in os.environ}


def child_environment(settings: Settings | None) -> dict[str, str]:
    """The environment of a program that we start: what it may need to start, and our settings where it is one of us."""
    path = {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}
    if settings is None:
        return startup_environment() | path
    told = {variable_of(name): value for name, value in settings.model_dump(mode="json").items()}
    own = {name: str(value) for name, value in told.items() if value is not None}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    return inherited | own | path
