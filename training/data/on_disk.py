"""What lies on disk where a data set says an image is."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from models.errors import ThorascopeError
from models.imaging.decode import decode

_CHUNK = 1024  # files handed to the threads at a time, so that a long list waits in no queue


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What was found of one image.

    Attributes:
        file: where it should be.
        fault: empty, `missing`, `unreadable` or `undecodable`.
        reason: what the system or the decoder said of it.
        sha256: of the bytes, in hexadecimal; empty where nobody asked.
        kind: format and size, such as `png 1024 x 1024`; empty where it was not decoded.
    """

    file: Path
    fault: str = ""
    reason: str = ""
    sha256: str = ""
    kind: str = ""


def look(files: Sequence[Path], *, hash_images: bool, decode_images: bool) -> Iterator[OnDisk]:
    """Look at files, in order, several at a time; with neither switch on, only whether they exist."""
    one = partial(_look, hash_images=hash_images, decode_images=decode_images)
    with ThreadPoolExecutor() as pool, tqdm(total=len(files), desc="images", unit="img", delay=1, leave=False) as bar:
        for start in range(0, len(files), _CHUNK):
            for found in pool.map(one, files[start : start + _CHUNK]):
                bar.update()
                yield found


def _look(file: Path, *, hash_images: bool, decode_images: bool) -> OnDisk:
    if not file.exists():
        return OnDisk(file, "missing")
    if not (hash_images or decode_images):
        return OnDisk(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        return OnDisk(file, "unreadable", error.strerror or type(error).__name__)
    sha256 = hashlib.sha256(content).hexdigest() if hash_images else ""
    if not decode_images:
        return OnDisk(file, sha256=sha256)
    try:
        radiograph = decode(content)
    except ThorascopeError as error:
        return OnDisk(file, "undecodable", str(error), sha256)
    rows, columns = radiograph.pixels.shape
    return OnDisk(file, sha256=sha256, kind=f"{radiograph.format.value} {rows} x {columns}")
