"""`python -m training localize`: boxes of a data set against maps of a model."""

import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import pytest

from models.labels import CHESTXRAY14
from models.nets.checkpoint import save
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from tests.training.tiny import classifier
from training.data.boxes import SIDE_PX, LabelledBox, read_boxes
from training.data.catalogue import open_dataset
from training.data.dataset import DataError
from training.data.twins import write_twin
from training.evaluation.boxed import Case, square_input
from training.evaluation.bundle_model import BundleModel
from training.evaluation.localisation import MAP_THRESHOLDS, overlaps, predicted_box
from training.evaluation.maps import ClosedFormMaps


@pytest.fixture(name="twin")
def _twin(tmp_path):
    """A twin of ChestX-ray14 with boxes, a bundle and a checkpoint beside it."""
    write_twin("chestxray14", tmp_path / "twin", num=48, seed=0)
    write_tiny_bundle(tmp_path / "bundle")
    save(classifier(), tmp_path / "network.safetensors")
    return tmp_path


def arguments(twin, model: str, *more: object) -> list[object]:
    """A model on the twin, few draws."""
    data = ["--dataset", "chestxray14", "--data", twin / "twin", "--boxes", twin / "twin" / "BBox_List_2017.csv"]
    return [twin / model, *data, "--resamples", 20, "--json", twin / "report.json", *more]


def write_boxes(path: Path, labels: Sequence[LabelledBox]) -> None:
    """As ChestX-ray14 has them."""
    lines = ["Image Index,Finding Label,Bbox [x,y,w,h],,,"]
    for label in labels:
        top, left, bottom, right = (edge * SIDE_PX for edge in astuple(label.box))
        lines.append(f"{label.file},{label.finding},{left},{top},{right - left},{bottom - top}")
    path.write_text("\n".join(lines) + "\n")


def test_localize__prints_what_it_measured(twin, capsys):
    """Images and splits, the thresholds that were chosen, findings, controls, all pooled."""
    num_boxes = len(read_boxes(twin / "twin" / "BBox_List_2017.csv"))

    assert run("localize", *arguments(twin, "bundle"))

    text = capsys.readouterr().out
    assert text.startswith("thorascope-tiny 0.0.1 (sha256 ")
    assert f"{num_boxes} of {num_boxes} boxes lie on images at hand: {num_boxes} of split test." in text
    assert "for each patient the one that is best on all others" in text
    pooled = json.loads((twin / "report.json").read_text())["report"]["findings"][-1]
    assert (None, num_boxes) == (pooled["finding"], pooled["cases"])
    at_25 = next(point["value"] for point in pooled["by"]["model"]["precision"] if point["iou"] == 0.25)
    assert f" {at_25:.3f} |" in next(line for line in text.splitlines() if line.startswith("| all "))


def test_localize__chooses_the_threshold_of_each_patient_on_the_others(twin):
    """One box is what a low threshold gives, one what a high one gives: each patient gets what suits the other."""
    model = BundleModel(twin / "bundle")
    rows = {row.patient: row for row in open_dataset("chestxray14", twin / "twin").split("test")}
    chosen = [rows[patient] for patient in sorted(rows)[:2]]
    inputs = [square_input(row.file, model.contract) for row in chosen]
    maps = ClosedFormMaps(model).draw(inputs, [0, 0])
    drawn = [predicted_box(maps[place], inputs[place], threshold) for place, threshold in enumerate((0.1, 0.8))]
    labels = [LabelledBox(row.file.name, CHESTXRAY14[0], box) for row, box in zip(chosen, drawn, strict=True)]
    write_boxes(twin / "boxes.csv", labels)
    cases = [Case(row, label) for row, label in zip(chosen, labels, strict=True)]
    found = overlaps(cases, model.findings, model.contract, ClosedFormMaps(model), MAP_THRESHOLDS)
    low, high = found.argmax(axis=1)

    run("localize", *arguments(twin, "bundle", "--boxes", twin / "boxes.csv"))

    report = json.loads((twin / "report.json").read_text())
    assert [MAP_THRESHOLDS[low], MAP_THRESHOLDS[high]] == report["map_thresholds"]
    mean_iou = report["report"]["findings"][-1]["by"]["model"]["mean_iou"]
    assert (found[0, high] + found[1, low]) / 2 == pytest.approx(mean_iou)
    assert mean_iou < found.mean(axis=0).max() - 0.1


def test_localize__takes_a_given_threshold(twin, capsys):
    """And says that it was given."""
    run("localize", *arguments(twin, "bundle", "--threshold", 0.4))

    assert "map threshold 0.4, as given" in capsys.readouterr().out
    report = json.loads((twin / "report.json").read_text())
    assert ([0.4], True) == (report["map_thresholds"], report["map_threshold_is_given"])


def test_localize__draws_a_network_both_ways(twin, capsys):
    """Closed form and pytorch-grad-cam: the same layer, so nearly the same boxes."""
    means = []
    for maps in ("graph", "gradcam"):
        run("localize", *arguments(twin, "network.safetensors", "--maps", maps, "--threshold", 0.5))
        report = json.loads((twin / "report.json").read_text())
        means.append(report["report"]["findings"][-1]["by"]["model"]["mean_iou"])

    assert means[0] == pytest.approx(means[1], abs=0.03)
    assert "Maps: pytorch-grad-cam" in capsys.readouterr().out


def test_localize__of_a_bundle_cannot_use_pytorch_grad_cam(twin):
    """A graph has no gradient."""
    with pytest.raises(ValueError, match="needs the network"):
        run("localize", *arguments(twin, "bundle", "--maps", "gradcam"))


def test_localize__counts_boxes_of_findings_the_model_lacks(twin, capsys):
    """They are left out, and said to be."""
    write_tiny_bundle(twin / "small", findings=CHESTXRAY14[:3])

    run("localize", *arguments(twin, "small"))

    assert "more are of findings that the model does not have: left out." in capsys.readouterr().out


def test_localize__refuses_images_without_boxes(twin):
    """Boxes of the twin lie on its test split."""
    with pytest.raises(DataError, match=r"none of the \d+ boxes lies on an image"):
        run("localize", *arguments(twin, "bundle", "--split", "train"))


def test_localize__knows_published_names_from_a_manifest(twin, capsys):
    """The manifest's own file names may be others."""
    box = read_boxes(twin / "twin" / "BBox_List_2017.csv")[0]
    source = next((twin / "twin").rglob(box.file))
    (twin / "manifest.csv").write_text(
        f"file,label,source,nih_index\n{source.relative_to(twin)},{box.finding},x,{box.file}\n"
    )
    boxes = ["--boxes", twin / "twin" / "BBox_List_2017.csv"]

    run("localize", twin / "bundle", "--data", twin / "manifest.csv", *boxes, "--threshold", 0.5, "--resamples", 5)

    assert "boxes lie on images at hand: " in capsys.readouterr().out


def test_localize__knows_them_from_a_manifest_s_folder_too(twin, capsys):
    """The folder stands for its manifest everywhere else."""
    box = read_boxes(twin / "twin" / "BBox_List_2017.csv")[0]
    source = next((twin / "twin").rglob(box.file))
    folder = twin / "named"
    folder.mkdir()
    (folder / "other.png").write_bytes(source.read_bytes())
    (folder / "manifest.csv").write_text(f"file,label,source,nih_index\nother.png,{box.finding},x,{box.file}\n")
    boxes = ["--boxes", twin / "twin" / "BBox_List_2017.csv"]

    run("localize", twin / "bundle", "--data", folder, *boxes, "--threshold", 0.5, "--resamples", 5)

    assert "boxes lie on images at hand: " in capsys.readouterr().out


def test_localize__names_a_folder_that_is_not_there_before_it_measures(twin, capsys):
    with pytest.raises(SystemExit):
        run("localize", *arguments(twin, "bundle", "--json", twin / "nowhere" / "x.json"))

    assert "there is no folder" in capsys.readouterr().err
