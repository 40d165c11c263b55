"""`python -m training anomaly`: a benchmark at tiny size, on phantoms, with the tiny bundle."""

import json

import pytest
from PIL import Image

from models.errors import ThorascopeError
from models.imaging.phantom import draw
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from training.anomaly.implants import KINDS
from training.anomaly.methods import BANDS_ALONE, EDGES, INTENSITY, MEAN_NORMAL, ONE_MASK, PRODUCT, SHUFFLED
from training.anomaly.report import ALL
from training.anomaly.scoring import CHANCE
from training.data.dataset import DataError

BOXES_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    """Phantoms without a finding, three of each split, and a bundle."""
    folder = tmp_path_factory.mktemp("anomaly")
    lines = ["file,label,split,patient_id"]
    for index in range(6):
        Image.fromarray(draw(index, 96, 80)).save(folder / f"{index}.png")
        lines.append(f"{index}.png,No Finding,{'train' if index % 2 else 'val'},p{index}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    write_tiny_bundle(folder / "bundle")
    return folder


def arguments(folder, *more: object) -> list[object]:
    """Few seeds, few draws."""
    few = ["--mask-seeds", 2, "--shuffles", 1, "--resamples", 20, "--mask-ratio", 0.5]
    return [folder / "bundle", "--data", folder / "manifest.csv", "--json", folder / "report.json", *few, *more]


def test_anomaly__prints_what_it_measured_and_writes_it_unrounded(folder, capsys):
    """Every method once, seeds by their mean, each kind of implant; what was counted is said."""
    assert run("anomaly", *arguments(folder))

    text = capsys.readouterr().out
    report = json.loads((folder / "report.json").read_text())
    group = report["read for all findings"]
    names = {PRODUCT, ONE_MASK, SHUFFLED, INTENSITY, EDGES, MEAN_NORMAL, BANDS_ALONE, CHANCE}
    assert names == set(group["kinds"][ALL])
    assert {ALL, *KINDS} == set(group["kinds"])
    assert {"clean": 3, ALL: 15, **dict.fromkeys(KINDS, 3)} == group["cases"]
    product = group["kinds"][ALL][PRODUCT]["pixel AUROC"]["value"]
    assert 0 <= product <= 1
    assert f" {product:.3f} |" in next(line for line in text.splitlines() if line.startswith(f"| {PRODUCT} "))
    one_mask = group["kinds"][ALL][ONE_MASK]["pixel AUROC"]["value"]
    gain = group["product_against"][ALL][ONE_MASK]["auroc_difference"]["value"]
    assert product - one_mask == pytest.approx(gain)
    assert "research use only" in text
    assert group["seams"][PRODUCT] > 0


def test_anomaly__is_repeatable(folder):
    """The same bundle on the same pictures: the same numbers."""
    reports = []
    for _ in range(2):
        run("anomaly", *arguments(folder))
        reports.append((folder / "report.json").read_text())

    assert reports[0] == reports[1]


def test_anomaly__scores_real_boxes_besides(folder, capsys):
    """Pictures of any split; no clean one, so no image AUROC."""
    boxes = folder / "boxes.csv"
    boxes.write_text(BOXES_HEADER + "0.png,Pneumonia,300,300,200,200\n")
    # A published picture is square; the phantoms are not, and are refused by name.
    with pytest.raises(DataError, match="square"):
        run("anomaly", *arguments(folder, "--boxes", boxes))

    boxes.write_text(BOXES_HEADER + "elsewhere.png,Pneumonia,300,300,200,200\n")
    with pytest.raises(DataError, match="none of the 1 boxes"):
        run("anomaly", *arguments(folder, "--boxes", boxes))
    assert "pixel AUROC" in capsys.readouterr().out


def test_anomaly__draws_sheets(folder, tmp_path):
    """Maps and reconstructions of each group."""
    run("anomaly", *arguments(folder, "--out", tmp_path / "sheets"))

    assert {"maps-0.png", "reconstructions-0.png"} == {file.name for file in (tmp_path / "sheets").iterdir()}


def test_anomaly__refuses_what_it_cannot_measure(folder, tmp_path):
    """No reconstructor, no bundle, no normals: a line that says so."""
    write_tiny_bundle(tmp_path / "plain", reconstructor=False)
    with pytest.raises(ValueError, match="no reconstructor"):
        run("anomaly", tmp_path / "plain", *arguments(folder)[1:])
    with pytest.raises(ThorascopeError):
        run("anomaly", tmp_path / "nothing", *arguments(folder)[1:])
    (tmp_path / "manifest.csv").write_text("file,label\na.png,Mass\n")
    with pytest.raises(DataError, match="no row of split val"):
        run("anomaly", folder / "bundle", "--data", tmp_path / "manifest.csv")
