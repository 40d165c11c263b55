"""`python -m training anomaly`: a benchmark at tiny size, on phantoms, with the tiny bundle."""

import json
from io import BytesIO

import pytest
from PIL import Image

from models.errors import ThorascopeError
from models.imaging.phantom import draw
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import load_bundle
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from training.anomaly.benchmark import cases
from training.anomaly.figures import draw_maps
from training.anomaly.implants import KINDS
from training.anomaly.methods import BANDS_ALONE, EDGES, INTENSITY, MEAN_NORMAL, ONE_MASK, PRODUCT, SHUFFLED
from training.anomaly.report import ALL
from training.anomaly.scoring import CHANCE
from training.commands import anomaly
from training.data.dataset import DataError
from training.data.manifest import read_folder

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


def test_anomaly__says_that_there_are_too_few_before_anything_is_made(folder, tmp_path, monkeypatch):
    """References take minutes."""
    lines = ["file,label,nih_index,source,patient_id"]
    lines += [f"{folder / str(index)}.png,No Finding,{(index % 2) or ''},other,p{index}" for index in range(6)]
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(anomaly, "_methods", lambda *_: pytest.fail("references were made"))

    with pytest.raises(DataError, match=r"2 pictures of 2 patients; .*2 pictures of 2 patients, too few for numbers"):
        run("anomaly", folder / "bundle", "--data", tmp_path / "manifest.csv", "--limit", 2)


def test_anomaly__headings_of_a_sheet_name_columns_and_touch_nothing(folder):
    """What was laid in stands at its line."""
    bundle = load_bundle(folder / "bundle")
    rows = read_folder(folder / "manifest.csv").split("val")[:1]
    shown = list(cases(rows, bundle.manifest.input.contract, 0))
    sheet = draw_maps(shown, AnomalyDetector.open(bundle, threads=1), "read for all findings")
    sheet.savefig(BytesIO())

    lines = [sheet.axes[place : place + 4] for place in range(0, len(sheet.axes), 4)]
    assert ["picture", "truth", "painted", "map"] == [axes.get_title() for axes in lines[0]]
    assert {""} == {axes.get_title() for line in lines[1:] for axes in line}
    assert [case.kind for case in shown] == [line[0].texts[0].get_text() for line in lines]
    (title,) = sheet.texts
    heads = max(axes.title.get_window_extent().y1 for axes in lines[0])
    assert heads < title.get_window_extent().y0 < title.get_window_extent().y1 < sheet.bbox.y1
