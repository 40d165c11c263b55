"""How many images and patients the sources say their data sets have, to be read beside what was found."""

from dataclasses import dataclass
from types import MappingProxyType

from training.data.dataset import SPLITS, Dataset

_PAPER = "arXiv:2210.12843"
_CODE = "lists of the official code"


@dataclass(frozen=True, slots=True)
class Published:
    """A number somebody published.

    Attributes:
        counted: `images` or `patients`.
        splits: the splits that are counted together, as the reader divides the data set by default.
        number: theirs.
        source: who says so.
    """

    counted: str
    splits: tuple[str, ...]
    number: int
    source: str

    def measured(self, dataset: Dataset) -> int:
        """The same number of a data set as it was read."""
        rows = [row for row in dataset.rows if row.split in self.splits]
        return len(rows) if self.counted == "images" else len({row.patient for row in rows})


_FITTING = ("train", "val")
PUBLISHED = MappingProxyType(
    {
        "chestxray14": (
            Published("images", SPLITS, 112_120, _PAPER),
            Published("patients", SPLITS, 30_805, _PAPER),
            Published("images", _FITTING, 86_524, _CODE),
            Published("patients", _FITTING, 28_008, _CODE),
            Published("images", ("train",), 75_312, _PAPER),
            Published("patients", ("train",), 24_342, _CODE),
            Published("images", ("val",), 11_212, _CODE),
            Published("patients", ("val",), 3_666, _CODE),
            Published("images", ("test",), 25_596, _PAPER),
            Published("patients", ("test",), 2_797, _CODE),
        ),
        "chexpert": (
            Published("images", _FITTING, 191_028, _PAPER),
            Published("images", _FITTING, 191_027, "doi:10.1148/atlas.1764531879152"),
            Published("images", ("test",), 202, "doi:10.1148/atlas.1764531879152"),
        ),
        "mimic": (Published("images", SPLITS, 243_334, _PAPER),),
        "covidx": (
            Published("images", _FITTING, 30_130, _PAPER),
            Published("images", ("test",), 400, _PAPER),
        ),
    }
)
