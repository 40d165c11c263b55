"""The pictures that the gate is fitted and measured on, small, with where each comes from."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from models.errors import ThorascopeError
from models.imaging.decode import decode
from models.imaging.gate_features import shrink
from models.imaging.radiograph import ImageFormat, Radiograph
from training.data.dataset import DataError, Row
from training.gate.drawn import DRAWN, chest

SIDE: Final = 96  # of the squares that variants are made of
DRAWN_PREFIX: Final = "drawn-"
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".dcm"})
# Carriers of one collection under another name: left out together.
_GROUPS = {"covidrad_rsna_normal": "nih", "muhammedtalo_covid": "ieee8023"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Attributes:
        grid: (GRID, GRID) uint8, as the gate shrinks it.
        square: (SIDE, SIDE) uint8, of which variants are made; None where it is only tested on.
        aspect: width by height.
        source: file's collection or package.
        group: sources that are left out together.
        is_chest: a frontal chest radiograph, upright and of the right polarity.
        is_tuning: whether weights and thresholds may know it.
        coloured: share of it whose colour no tint explains.
    """

    grid: NDArray[np.uint8]
    square: NDArray[np.uint8] | None
    aspect: float
    source: str
    group: str
    is_chest: bool
    is_tuning: bool
    coloured: float = 0.0


def chests(rows: Iterable[Row]) -> Iterator[Picture]:
    """Radiographs of a manifest; those whose weights may ship are for tuning, all others for testing.

    A row with a flag of polarity or orientation is left out: it is no upright chest, and too few for a rate.
    """
    for row in tqdm(list(rows), unit="radiograph"):
        if "upside down" in row.flag or "inverted" in row.flag:
            continue
        group = _GROUPS.get(row.source, row.source.split("_")[0] or "unnamed")
        yield _picture(_decode(row.file), row.source, group, is_chest=True, is_tuning=row.may_ship)


def others(folder: Path, *, is_tuning: bool) -> Iterator[Picture]:
    """Pictures that show no chest radiograph, `SOURCE/...` in a folder: PNG, JPEG or DICOM.

    A file that does not decode is left out, as the service would not show it to the gate.

    Raises:
        DataError: there is none.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in _SUFFIXES]
    if not files:
        raise DataError(f"no PNG, JPEG or DICOM under {folder.name}")
    for file in tqdm(files, unit="picture"):
        source = file.relative_to(folder).parts[0]
        try:
            radiograph = _decode(file)
        except ThorascopeError:
            continue
        yield _picture(radiograph, source, source, is_chest=False, is_tuning=is_tuning)


def drawn(seed: int, num: int) -> Iterator[Picture]:
    """So many of each kind of drawn non-radiograph, and phantoms, which tests take for chests; all for tuning."""
    rng = np.random.default_rng(seed)
    artists: list[tuple[str, Callable[[np.random.Generator], NDArray[np.uint8]]]] = [*DRAWN.items(), ("phantom", chest)]
    for name, draw in artists:
        for _ in range(num):
            one = Radiograph(draw(rng), ImageFormat.PNG)
            yield _picture(one, DRAWN_PREFIX + name, DRAWN_PREFIX + name, is_chest=name == "phantom", is_tuning=True)


def _decode(file: Path) -> Radiograph:
    return decode(file.read_bytes())


def _picture(radiograph: Radiograph, source: str, group: str, *, is_chest: bool, is_tuning: bool) -> Picture:
    pixels = radiograph.pixels
    square = None
    if is_tuning:
        square = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))
    return Picture(
        grid=shrink(pixels).astype(np.uint8),
        square=square,
        aspect=pixels.shape[1] / pixels.shape[0],
        source=source,
        group=group,
        is_chest=is_chest,
        is_tuning=is_tuning,
        coloured=radiograph.coloured,
    )
