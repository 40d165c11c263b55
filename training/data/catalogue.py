"""Data sets by name: how each is read, and where one lies under a folder."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from training.data import chestxray14, chexpert, covidx, manifest, mimic
from training.data.dataset import DataError, Dataset


@dataclass(frozen=True, slots=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        read: root folder, and options by name, to the data set.
        lies_in: whether a folder looks like it.
    """

    read: Callable[..., Dataset]
    lies_in: Callable[[Path], bool]


CATALOGUE = MappingProxyType(
    {
        chestxray14.NAME: Entry(chestxray14.read, chestxray14.lies_in),
        chexpert.NAME: Entry(chexpert.read, chexpert.lies_in),
        mimic.NAME: Entry(mimic.read, mimic.lies_in),
        covidx.NAME: Entry(covidx.read, covidx.lies_in),
        manifest.NAME: Entry(manifest.read_folder, manifest.lies_in),
    }
)
NAMES = tuple(CATALOGUE)


def open_dataset(name: str, root: Path, **options: object) -> Dataset:
    """Read a data set.

    Args:
        name: one of `NAMES`.
        root: its folder, or a CSV for `manifest`.
        options: what its `read` takes besides: `policy`, `findings` and `test_list` of chexpert, `findings` and
            `images` of mimic.

    Raises:
        DataError: no such data set, no such option, or what its `read` says.
    """
    if name not in CATALOGUE:
        raise DataError(f"there is no data set {name!r}; there are {', '.join(NAMES)}")
    if name == manifest.NAME and root.is_dir() and not manifest.lies_in(root):
        lying = [other for other in find_roots(root) if other != name]
        told = f"; {', '.join(lying)} lies there: name it by --dataset" if lying else ""
        raise DataError(f"{root} holds no {manifest.FILE}{told}")
    read = CATALOGUE[name].read
    _, *accepted = inspect.signature(read).parameters
    if unknown := sorted(options.keys() - set(accepted)):
        raise DataError(f"{name} takes no option {unknown[0]!r}; it takes {', '.join(accepted) or 'none'}")
    return read(root, **options)


def find_roots(data: Path) -> dict[str, Path]:
    """Which data sets lie under a folder: for each, the sub-folder that has its name, else the folder itself."""
    found = {}
    for name, entry in CATALOGUE.items():
        root = next((folder for folder in (data / name, data) if entry.lies_in(folder)), None)
        if root is not None:
            found[name] = root
    return found
