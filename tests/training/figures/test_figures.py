"""`python -m training figures`: one picture a figure, or the reason why there is none."""

import numpy as np
import pytest
from PIL import Image

from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from tests.training.tiny import write_manifest_csv
from training.commands import figures
from training.data.dataset import DataError
from training.figures.curves import draw_roc

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


@pytest.mark.parametrize("num", [1, 2])
def test_without_a_finding_there_are_no_maps_of_findings(site, num, capsys):
    """The rest is drawn, of normals alone."""
    manifest = site / "manifest.csv"
    names = [line.split(",")[0] for line in manifest.read_text().splitlines()[1:]]
    manifest.write_text("file,label\n" + "".join(f"{name},No Finding\n" for name in names))

    assert run("figures", *with_data(site, "--only", "saliency", "anomalies", "roc", "--num", num))

    assert ["anomalies", "roc"] == drawn(site)
    assert "saliency: not drawn, no image has a finding" in capsys.readouterr().out


def test_titles_call_unsplit_data_so(site, monkeypatch):
    """No split was chosen from."""
    manifest = site / "manifest.csv"
    manifest.write_text("file,label\n0.png,No Finding\n1.png,Mass\n")
    titles = []

    def titled(scored):
        titles.append(scored.title)
        return draw_roc(scored)

    monkeypatch.setattr(figures, "draw_roc", titled)

    run("figures", *with_data(site, "--only", "roc"))

    assert "manifest.csv, unsplit: all 2 rows; research use only" in titles[0]


def test_the_mean_of_the_curves_is_that_of_evaluate(site, monkeypatch, capsys):
    """Value and interval, by one rule."""
    charts = []

    def kept(scored):
        charts.append(draw_roc(scored))
        return charts[0]

    monkeypatch.setattr(figures, "draw_roc", kept)
    data = ["--data", site / "manifest.csv", "--cache", site / "cache", "--resamples", 100]
    run("evaluate", site / "bundle", *data)
    run("figures", site / "bundle", *data, "--only", "roc", "--out", site / "out")

    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| mean of "))
    value, ends = [cell.strip() for cell in line.split("|")[5:7]]
    (legend,) = charts[0].axes[14].get_legend().get_texts()
    assert legend.get_text().startswith(f"AUROC {value}\n({ends})" if ends else f"AUROC {value}\n13")
