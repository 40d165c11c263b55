"""`python -m training bundle quantize`: a complete bundle, or none and the reason in numbers."""

import json

import pytest

from models.runtime.bundle import load_bundle
from models.runtime.verify import verify
from tests.training.evaluation.console import run
from tests.training.quantisation.conv_bundle import SIDE_PX, write_conv_bundle
from tests.training.tiny import phantoms, write_manifest_csv
from training.data.dataset import DataError
from training.evaluation.comparison import Comparison
from training.quantisation.agreement import AUROC_LIMIT, IOU_LIMIT, Agreement
from training.quantisation.bundle import candidates, ranked
from training.quantisation.schemes import SCHEMES


@pytest.fixture(name="site")
def _site(tmp_path):
    """A manifest of phantoms, half of them in `val`, with a bundle beside it."""
    write_manifest_csv(tmp_path, num=24)
    write_conv_bundle(tmp_path / "bundle", "exact")
    return tmp_path


def arguments(site, *more: object) -> list[object]:
    """Few pictures, few draws."""
    data = ["quantize", site / "bundle", "--data", site / "manifest.csv", "--out", site / "int8", "--threads", 1]
    return [*data, "--calibration", 4, "--trial", 2, "--resamples", 20, "--json", site / "report.json", *more]


def with_maps(iou: float) -> Agreement:
    """An agreement of which only the maps matter."""
    return Agreement(1, 1, Comparison((), None, None, None), iou, None, 1, 0.0, 0.0, 0.0)


def test_an_accepted_bundle_is_complete(site, capsys):
    """Sound by `bundle verify`, under a name of its own, with what was measured; the original stays as it was."""
    before = load_bundle(site / "bundle")

    assert run("bundle", *arguments(site, "--scheme", "weights"))

    assert [] == verify(site / "int8")
    after = load_bundle(site / "int8")
    assert "conv-int8" == after.manifest.name
    measured = json.loads((site / "int8" / "bundle.json").read_text())["provenance"]["quantisation"]
    assert before.sha256 == load_bundle(site / "bundle").sha256 == measured["from"]["sha256"]
    assert before.manifest.findings == after.manifest.findings
    assert len(after.files["classifier.onnx"]) < len(before.files["classifier.onnx"])
    assert ("weights", True) == (measured["scheme"], measured["accepted"])
    assert abs(measured["mean_auroc_shift"]) <= AUROC_LIMIT
    assert measured["map_iou"] >= IOU_LIMIT
    card = (site / "int8" / "README.md").read_text()
    assert card.startswith("# conv-int8 1.0.0")
    assert "\n## conv 1.0.0\n\n### What it does\n" in card
    text = capsys.readouterr().out
    assert f"Map IoU {measured['map_iou']:.4f}" in text
    assert f"Map IoU {measured['map_iou']:.4f}" in card


def test_a_refused_bundle_is_not_written(tmp_path, capsys):
    """What was near enough in the trial was judged, the numbers are printed, and the folder is not made."""
    write_manifest_csv(tmp_path, num=24)
    write_conv_bundle(tmp_path / "bundle", "delicate")

    assert not run("bundle", *arguments(tmp_path))

    assert not (tmp_path / "int8").exists()
    verdicts = json.loads((tmp_path / "report.json").read_text())["verdicts"]
    assert [False, False] == [one["accepted"] for one in verdicts]
    assert "weights" == verdicts[-1]["scheme"]
    text = capsys.readouterr().out
    assert text.endswith("Refused: no bundle is written.\n")
    assert "at least 0.95 is asked" in text


@pytest.mark.parametrize(
    ("overlaps", "expected"),
    [
        ((0.5, 0.8, 0.7, 0.9), ["static-ends", "weights"]),
        ((0.5, 0.96, 0.99, 0.98), ["static-ends", "static-convs", "weights"]),
        ((0.97, 0.5, 0.99, 0.98), ["static", "static-convs", "weights"]),
    ],
    ids=["none is near", "two are near", "the fastest is near"],
)
def test_what_computes_in_int8_is_judged_before_what_only_stores_it(site, overlaps, expected):
    """And of its kind, what is fastest of all that have near maps, or else what has the nearest."""
    bundle = load_bundle(site / "bundle")
    made = candidates(bundle, SCHEMES, phantoms(2, SIDE_PX))

    order = ranked([(one, with_maps(iou)) for one, iou in zip(made, overlaps, strict=True)])

    assert expected == [one.scheme.name for one in order]


def test_a_folder_that_holds_something_is_left_alone(site):
    """It is refused before anything is computed."""
    (site / "int8").mkdir()
    (site / "int8" / "notes.txt").write_text("mine")

    with pytest.raises(ValueError, match="not empty"):
        run("bundle", *arguments(site))


def test_patients_of_val_are_not_quantised_on(tmp_path):
    """A table with a patient on both sides is refused as it is read."""
    path = write_manifest_csv(tmp_path, num=8)
    lines = path.read_text().splitlines()
    patients = [f"p{place}" for place in range(8)]
    for name in patients:
        lines = [line.replace(f",{name},", ",p0,") for line in lines]
    path.write_text("\n".join(lines) + "\n")
    write_conv_bundle(tmp_path / "bundle")

    with pytest.raises(DataError, match="1 patients are in two splits, among them p0"):
        run("bundle", *arguments(tmp_path))


def test_unsplit_data_judge_nothing(site):
    """Ranges and verdict would be of the same pictures."""
    table = site / "manifest.csv"
    table.write_text(table.read_text().replace(",train,", ",,").replace(",val,", ",,"))

    with pytest.raises(DataError, match=r"unsplit.*a column `split`"):
        run("bundle", *arguments(site))

    assert not (site / "int8").exists()
