"""Images as memory-mapped arrays of uint8 squares, decoded and laid out once."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.errors import ThorascopeError
from models.imaging.decode import decode
from models.imaging.preprocess import InputContract, ModelInput, prepare
from models.imaging.radiograph import Radiograph
from training.data.dataset import DataError

_NAMED = 5  # files that an error names before it only counts


@dataclass(frozen=True, slots=True)
class PackedImages:
    """Rows of one or more packed arrays, seen as one.

    Attributes:
        parts: each (N, P, P) uint8, usually memory-mapped.
        part_of: (N,) which part a row lies in; also its index into whatever goes by data set.
        place_of: (N,) its place there.
    """

    parts: tuple[NDArray[np.uint8], ...]
    part_of: NDArray[np.int64]
    place_of: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[NDArray[np.uint8]]) -> "PackedImages":
        """All rows of all parts, in order."""
        lengths = [len(part) for part in parts]
        part_of = np.repeat(np.arange(len(parts)), lengths)
        return cls(tuple(parts), part_of, np.concatenate([np.arange(length) for length in lengths]))

    def __len__(self) -> int:
        return len(self.part_of)

    @property
    def side_px(self) -> int:
        """Rows and columns of one image."""
        return int(self.parts[0].shape[1])

    @property
    def num_bytes(self) -> int:
        """Of all rows."""
        return len(self) * self.side_px**2

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(B, P, P), copied."""
        taken = np.empty((len(rows), self.side_px, self.side_px), np.uint8)
        part_of, place_of = self.part_of[rows], self.place_of[rows]
        for index, part in enumerate(self.parts):
            chosen = part_of == index
            taken[chosen] = part[place_of[chosen]]
        return taken


def pack(files: Sequence[Path], contract: InputContract, cache: Path) -> NDArray[np.uint8]:
    """Decode every file as serving does, or reopen what an earlier call decoded.

    The cache's name is a hash of the contract and of the files' names, sizes and times of change, so neither another
    list nor other pictures meet a stale array. The decoder is not in it: where that has changed, empty the cache.

    Args:
        files: images in order.
        contract: the square to lay them on, as in the bundle.
        cache: folder of cached arrays; made if needed.

    Returns:
        (N, side, side) uint8, memory-mapped read-only.

    Raises:
        DataError: files are missing, or one does not decode; the message names them.
        OSError: the array cannot be written, as on a full disk; nothing of it is left behind.
    """
    described = [[str(file), *seen] for file, seen in zip(files, _sizes_and_times(files), strict=True)]
    key = [described, contract.side, contract.geometry, contract.padding]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    target = cache / f"{name}.npy"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.partial.npy")  # others may be packing the same
        try:
            _write(files, contract, partial)
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)
    packed: NDArray[np.uint8] = np.load(target, mmap_mode="r")
    return packed


def _write(files: Sequence[Path], contract: InputContract, path: Path) -> None:
    """One square after another: on a full disk a write fails, where a mapped array would kill the process."""
    shape = (len(files), contract.side, contract.side)
    pool = ThreadPoolExecutor()  # Pillow releases the lock while it decodes and resizes
    images = pool.map(lambda file: read_input(file, contract).image, files)
    try:
        with path.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for image in tqdm(images, total=len(files), desc="packing", unit="img"):
                stream.write(image.tobytes())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OSError(f"{len(files)} packed images of {math.prod(shape) / 1e9:.1f} GB do not fit: {error}") from error
    finally:
        pool.shutdown(cancel_futures=True)  # after an error nobody wants the rest


def _sizes_and_times(files: Sequence[Path]) -> list[tuple[int, int]]:
    found, missing = [], []
    for file in files:
        try:
            seen = file.stat()
            found.append((seen.st_size, seen.st_mtime_ns))
        except OSError:
            missing.append(str(file))
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise DataError(f"{len(missing)} of {len(files)} images are missing: {', '.join(missing[:_NAMED])}{more}")
    return found


def read_input(file: Path, contract: InputContract) -> ModelInput:
    """A picture as a model sees it, by the code that serves.

    Raises:
        DataError: as `read_radiograph`.
    """
    return prepare(read_radiograph(file), contract)


def read_radiograph(file: Path) -> Radiograph:
    """A picture as the service decodes it.

    Raises:
        DataError: it is missing, or does not decode; the message names it.
    """
    try:
        return decode(file.read_bytes())
    except (ThorascopeError, OSError) as error:
        raise DataError(f"{file}: {error}") from error
