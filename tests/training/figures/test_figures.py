"""`python -m training figures`: one picture a figure, or the reason why there is none."""

import numpy as np
import pytest
from PIL import Image

from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from tests.training.tiny import write_manifest_csv
from training.data.dataset import DataError

HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"


@pytest.fixture(name="site")
def _site(tmp_path):
    """A manifest of phantoms with a bundle beside it."""
    write_manifest_csv(tmp_path)
    write_tiny_bundle(tmp_path / "bundle", untrained=("Hernia",))
    return tmp_path


def arguments(site, *more: object) -> list[object]:
    """Few draws, small figures."""
    return [site / "bundle", "--out", site / "out", "--threads", 1, "--resamples", 5, "--num", 2, *more]


def with_data(site, *more: object) -> list[object]:
    """On the phantoms of the manifest."""
    return arguments(site, "--data", site / "manifest.csv", "--cache", site / "cache", *more)


def drawn(site) -> list[str]:
    """Names of figures that are there and show something."""
    paths = sorted((site / "out").iterdir())
    assert all(np.asarray(Image.open(path).convert("L")).std() > 5 for path in paths)
    return [path.stem for path in paths]


def test_without_data_phantoms_are_drawn(site, capsys):
    """And no curve, which is said."""
    assert run("figures", *arguments(site))

    assert ["anomalies", "reconstructions", "saliency"] == drawn(site)
    assert "roc: not drawn, it needs --data" in capsys.readouterr().out


def test_with_data_all_are_drawn(site):
    """From the rows of one split."""
    assert run("figures", *with_data(site))

    assert ["anomalies", "calibration", "reconstructions", "roc", "saliency"] == drawn(site)


def test_a_bundle_without_reconstructor_has_no_paintings(site, capsys):
    """The rest is drawn."""
    write_tiny_bundle(site / "bundle", reconstructor=False)

    assert run("figures", *arguments(site))

    assert ["saliency"] == drawn(site)
    assert "anomalies: not drawn, the bundle has no reconstructor" in capsys.readouterr().out


def test_boxes_choose_the_pictures_of_the_maps(site):
    """Those on images at hand; without one it is said."""
    boxes = site / "boxes.csv"
    boxes.write_text(f"{HEADER}0.png,Mass,100,200,300,400\n")
    assert run("figures", *with_data(site, "--only", "saliency", "--boxes", boxes))
    assert ["saliency"] == drawn(site)

    boxes.write_text(f"{HEADER}elsewhere.png,Mass,100,200,300,400\n")
    with pytest.raises(DataError, match="no box"):
        run("figures", *with_data(site, "--only", "saliency", "--boxes", boxes))
