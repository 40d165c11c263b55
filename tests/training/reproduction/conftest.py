"""Twins and workshops for tests of reproduction."""

from pathlib import Path

import pytest

from training.data.twins import write_twin
from training.engine import Engine
from training.material import Sources
from training.reproduction.at_hand import AtHand
from training.reproduction.workshop import Workshop

ENGINE = Engine()
NUM_PICTURES = 16


@pytest.fixture(name="roots", scope="package")
def _roots(tmp_path_factory) -> dict[str, Path]:
    """Twins of the data sets that tests of this package need, written once."""
    folder = tmp_path_factory.mktemp("twins")
    names = ("chestxray14", "chexpert", "covidx", "manifest")
    return {name: write_twin(name, folder / name, num=NUM_PICTURES, seed=0) for name in names}


@pytest.fixture(name="workshop_on")
def _workshop_on(roots, tmp_path):
    """Makes a workshop that has some of the twins at hand."""

    def workshop_on(*names: str, any_licence: bool = True, **weights: Path) -> Workshop:
        sources = Sources({name: roots[name] for name in names}, tmp_path / "cache", any_licence)
        files = {key.replace("_", "-"): path for key, path in weights.items()}
        return Workshop(AtHand(sources, files), tmp_path / "runs", ENGINE, ENGINE.launch())

    return workshop_on
