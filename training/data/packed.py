"""A folder of images as one memory-mapped array of uint8 squares, decoded and letterboxed once."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.imaging.decode import decode
from models.imaging.preprocess import InputContract, prepare


def pack(files: Sequence[Path], contract: InputContract, cache: Path) -> NDArray[np.uint8]:
    """Decode every file as serving does, or reopen what an earlier call decoded.

    The cache's name is a hash of the file names, sizes and the contract, so another list never meets a stale array.

    Args:
        files: images in order.
        contract: the square to lay them on, as in the bundle.
        cache: folder of cached arrays; made if needed.

    Returns:
        (N, side, side) uint8, memory-mapped read-only.

    Raises:
        models.errors.ThorascopeError: a file does not decode; the message names it.
    """
    described = [[str(file), file.stat().st_size] for file in files]
    key = [described, contract.side, contract.geometry, contract.padding]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    target = cache / f"{name}.npy"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial.npy")
        shape = (len(files), contract.side, contract.side)
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        with ThreadPoolExecutor() as pool:  # Pillow releases the lock while it decodes and resizes
            images = pool.map(lambda file: prepare(decode(file.read_bytes()), contract).image, files)
            for index, image in enumerate(tqdm(images, total=len(files), desc="packing", unit="img")):
                array[index] = image
        array.flush()
        partial.rename(target)
    packed: NDArray[np.uint8] = np.load(target, mmap_mode="r")
    return packed
