"""`python -m training evaluate`: what a user sees, and what a script reads."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from models.labels import CHESTXRAY14
from models.nets.checkpoint import save
from models.nets.densenet import DenseNetClassifier, DenseNetShape
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from tests.training.tiny import SIDE_PX, classifier, spread, write_manifest_csv
from training.data.covidx import CLASSES
from training.data.dataset import DataError
from training.data.manifest import read_folder
from training.data.twins import write_twin
from training.description import described
from training.recipes.vit_tiny16_cpu import FINETUNE


@pytest.fixture(name="site")
def _site(tmp_path):
    """A manifest of phantoms, six of them in `val`, with a bundle and a checkpoint beside it."""
    write_manifest_csv(tmp_path)
    write_tiny_bundle(tmp_path / "bundle", untrained=("Hernia",))
    save(classifier(), tmp_path / "network.safetensors")
    return tmp_path


def arguments(site, *more: object) -> list[object]:
    """The bundle on the manifest, few draws."""
    options = ["--data", site / "manifest.csv", "--cache", site / "cache", "--resamples", 20]
    return [site / "bundle", *options, "--json", site / "report.json", *more]


def together(text: str) -> list[int]:
    """TP, FP, TN and FN of all findings as one."""
    line = next(line for line in text.splitlines() if line.startswith("| all together "))
    return [int(cell) for cell in line.split("|")[3:7]]


def change(site, edit) -> None:
    """Rewrite the manifest row by row."""
    with (site / "manifest.csv").open(newline="") as stream:
        rows = [edit(index, row) for index, row in enumerate(csv.DictReader(stream))]
    with (site / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class TestFindings:
    def test_a_bundle_gets_its_tables(self, site, capsys):
        """Model, images, findings, mean with the number of findings it is over, operating points."""
        assert run("evaluate", *arguments(site))

        text = capsys.readouterr().out
        assert text.startswith("thorascope-tiny 0.0.1 (sha256 ")
        assert "on manifest.csv, split val" in text
        assert "6 images of 6 patients; intervals from 20 bootstrap draws of patients, seed 0." in text
        assert "| mean of 13 of 14 defined |" in text
        assert "The model was not trained for: Hiatal hernia." in text
        assert "At thresholds from the bundle (tiny-thresholds)." in text
        assert all(len(line) == len(lines[0]) for lines in tables(text) for line in lines)

    def test_the_json_has_the_numbers_of_the_tables(self, site, capsys):
        """And says what was measured, on what."""
        run("evaluate", *arguments(site))

        report = json.loads((site / "report.json").read_text())
        assert ("thorascope-tiny 0.0.1", 64) == (report["model"]["name"], len(report["model"]["sha256"]))
        assert {"dataset": "manifest", "split": "val", "complete_rows_only": False} == report["data"]
        findings = report["report"]["findings"]
        assert list(CHESTXRAY14) == [finding["finding"] for finding in findings]
        assert (None, False) == (findings[-1]["auroc"], findings[-1]["trained"])
        assert f" {findings[4]['auroc']:.3f} |" in capsys.readouterr().out

    def test_rows_that_say_nothing_are_counted_and_left_out(self, site, capsys):
        """An unlabelled row is no row without findings."""
        change(site, lambda index, row: row | {"label": "Unlabelled"} if index == 0 else row)

        run("evaluate", *arguments(site))

        text = capsys.readouterr().out
        assert "1 of 6 rows of split val say nothing of these findings: not scored." in text
        assert "5 images of 5 patients" in text

    def test_a_file_that_is_named_twice_is_told(self, site, capsys):
        """It weighs twice in every number."""
        table = site / "manifest.csv"
        lines = table.read_text().splitlines()
        table.write_text("\n".join([*lines, next(line for line in lines if ",val," in line)]) + "\n")

        run("evaluate", *arguments(site))

        assert "1 rows name a file that another row names, too: it counts as often.\n" in capsys.readouterr().out

    def test_complete_leaves_out_rows_that_know_some(self, site, capsys):
        """The rows that a model card is measured on; otherwise they count for what they know."""
        change(site, lambda index, row: row | {"nih_index": "", "label": "Mass"} if index == 0 else row)

        run("evaluate", *arguments(site))
        text = capsys.readouterr().out
        assert "6 images of 6 patients" in text
        assert "1 rows know some findings only and may bring positives without negatives" in text
        known = [finding["unknown"] for finding in json.loads((site / "report.json").read_text())["report"]["findings"]]
        assert [1, 0] == [known[CHESTXRAY14.index(name)] for name in ("Edema", "Mass")]

        run("evaluate", *arguments(site, "--complete"))
        assert "5 images of 5 patients" in capsys.readouterr().out

    def test_another_model_is_compared_on_the_same_images(self, site, capsys):
        """By finding with DeLong and the paired bootstrap, and on average."""
        run("evaluate", *arguments(site, "--against", site / "network.safetensors"))

        assert "B is " in capsys.readouterr().out
        comparison = json.loads((site / "report.json").read_text())["against"]["comparison"]
        assert 13 == comparison["findings_defined"]
        assert comparison["mean_auroc_a"] - comparison["mean_auroc_b"] == comparison["difference"]

    def test_several_models_are_compared_by_their_means(self, site, capsys):
        """Seeds of one recipe against seeds of another: a row each, the means, and their paired difference."""
        bundle, *rest = arguments(site, "--against", site / "network.safetensors", site / "network.safetensors")

        assert run("evaluate", bundle, site / "network.safetensors", *rest)

        text = capsys.readouterr().out
        assert "2 models on manifest.csv, split val" in text
        assert ["| mean of the 2 of A", "| mean of the 2 of B", "| A - B "] == [
            start for start in ("| mean of the 2 of A", "| mean of the 2 of B", "| A - B ") if f"\n{start}" in text
        ]
        report = json.loads((site / "report.json").read_text())
        ours, theirs = ([one["mean_auroc"] for one in report["comparison"][side]["networks"]] for side in "ab")
        assert np.mean(ours) - np.mean(theirs) == pytest.approx(report["comparison"]["difference"]["mean_auroc"])
        assert (2, 2) == (len(report["models"]), len(report["against"]))

    @pytest.mark.parametrize("option", ["--subgroups", "--thresholds-from=train", "--threshold-set=specific"])
    def test_what_is_for_one_model_is_refused_for_several(self, site, option):
        """Rather than left out without a word."""
        bundle, *rest = arguments(site, option)

        with pytest.raises(ValueError, match="are for one model"):
            run("evaluate", bundle, bundle, *rest)

    def test_subgroups_are_listed_on_demand(self, site, capsys):
        """A handful of patients gets counts and no number."""
        run("evaluate", *arguments(site, "--subgroups"))

        assert "| phantom |      6 |        6 |                  |    too few |" in capsys.readouterr().out
        assert "phantom" == json.loads((site / "report.json").read_text())["subgroups"][0]["value"]

    def test_thresholds_are_chosen_on_other_patients(self, site, capsys):
        """Train chooses, val is reported; a threshold above all scores can be written down."""
        run("evaluate", *arguments(site, "--thresholds-from", "train"))

        assert "At thresholds from split train (Youden, 6 images)." in capsys.readouterr().out
        assert json.loads((site / "report.json").read_text())["report"]["thresholds"].startswith("split train")

    def test_a_set_of_the_bundle_cuts_in_place_of_the_one_in_force(self, site, capsys):
        """All findings together are a row. Unknown sets are refused, and so is a checkpoint."""
        write_tiny_bundle(site / "bundle", untrained=("Hernia",), threshold_sets=True)
        run("evaluate", *arguments(site, "--threshold-set", "specific"))
        specific = together(capsys.readouterr().out)
        run("evaluate", *arguments(site, "--threshold-set", "sensitive"))
        sensitive = together(capsys.readouterr().out)

        assert sum(specific[:2]) < sum(sensitive[:2])  # called positive
        assert sum(specific) == sum(sensitive) == 6 * 13
        with pytest.raises(ValueError, match="no threshold set 'low'; it has tiny-thresholds, sensitive, specific"):
            run("evaluate", *arguments(site, "--threshold-set", "low"))
        _, *rest = arguments(site, "--threshold-set", "specific")
        with pytest.raises(ValueError, match="is no bundle"):
            run("evaluate", site / "network.safetensors", *rest)

    def test_thresholds_from_the_reported_split_are_refused(self, site):
        """They flatter."""
        with pytest.raises(DataError, match="both choose the thresholds and be reported"):
            run("evaluate", *arguments(site, "--thresholds-from", "val"))

    def test_data_that_nobody_split_are_not_called_a_split(self, site, capsys):
        """All rows are judged, and the heading says so."""
        change(site, lambda _, row: {key: value for key, value in row.items() if key != "split"})

        run("evaluate", *arguments(site))

        text = capsys.readouterr().out
        assert "on manifest.csv, unsplit: all 12 rows\n" in text
        assert "split val" not in text

    def test_images_that_the_network_learned_from_are_warned_of(self, site, capsys):
        """Where the `run.json` beside it says so; one other row, and they are others."""
        _, *rest = arguments(site)
        rows = read_folder(site / "manifest.csv").split("val")
        for learned, is_warned in ((rows, True), (rows[1:], False)):
            (site / "run.json").write_text(json.dumps(described(replace(FINETUNE, image_size_px=SIDE_PX), learned)))
            run("evaluate", site / "network.safetensors", *rest)
            said = f"WARNING: {site / 'network.safetensors'}: the network learned from these very images"
            assert is_warned == (said in capsys.readouterr().out)
            run("evaluate", site / "bundle", "--against", site / "network.safetensors", *rest)
            assert is_warned == (said in capsys.readouterr().out)

    def test_what_has_no_number_gets_a_reason(self, site, capsys):
        """One line under the table, and none where all cells are filled."""
        run("evaluate", *arguments(site))
        assert "\nUndefined:" not in capsys.readouterr().out

        change(site, lambda index, row: row | {"label": "Mass" if index == 0 else "No Finding"})
        run("evaluate", *arguments(site))

        text = capsys.readouterr().out
        (line,) = (line for line in text.splitlines() if line.startswith("Undefined: "))
        assert "Undefined: no image with the finding, or none without." in line
        assert "No interval: too few patients with the finding, or without" in line
        assert "No interval of the mean: " in line

    def test_a_checkpoint_is_evaluated_too(self, site, capsys):
        """Without calibration and thresholds, because it has none."""
        _, *rest = arguments(site)
        run("evaluate", site / "network.safetensors", *rest)

        text = capsys.readouterr().out
        assert "mean of 14 of 14 defined" in text
        assert ("ECE" in text, "threshold" in text) == (False, False)


class TestRefusals:
    def test_a_split_without_rows_is_said_to_be_empty(self, site):
        """A table of nothing would look like a result."""
        with pytest.raises(DataError, match="manifest has no rows of split test"):
            run("evaluate", *arguments(site, "--split", "test"))

    def test_rows_without_any_label_are_no_data(self, site):
        """Likewise."""
        change(site, lambda _, row: row | {"label": "Unlabelled"})

        with pytest.raises(DataError, match="none of 6 rows of split val has the labels that are needed"):
            run("evaluate", *arguments(site))

    def test_a_folder_that_is_no_bundle_is_named(self, site):
        """The message says what it lacks."""
        _, *rest = arguments(site)
        (site / "cache").mkdir()

        with pytest.raises(ValueError, match=r"cache holds no bundle\.json"):
            run("evaluate", site / "cache", *rest)

    def test_merging_is_for_exclusive_classes(self, site):
        """Findings have nothing to merge."""
        with pytest.raises(ValueError, match="--merge is for exclusive classes"):
            run("evaluate", *arguments(site, "--merge"))


@pytest.fixture(name="covidx")
def _covidx(tmp_path):
    """Arguments for a network with four classes on a twin of COVIDx."""
    write_twin("covidx", tmp_path / "covidx", num=24, seed=0)
    save(spread(DenseNetClassifier(len(CLASSES), DenseNetShape(4, (1, 1, 1, 1), 4))), tmp_path / "net.safetensors")
    data = ["--dataset", "covidx", "--data", tmp_path / "covidx", "--split", "test"]
    report = ["--json", tmp_path / "report.json", "--cache", tmp_path / "cache", "--resamples", 20]
    return [tmp_path / "net.safetensors", *data, *report]


class TestClasses:
    def test_exclusive_classes_get_accuracy_and_confusion(self, covidx, tmp_path, capsys):
        """Of the test list, four classes, or three after merging."""
        run("evaluate", *covidx)
        four = json.loads((tmp_path / "report.json").read_text())["report"]
        run("evaluate", *covidx, "--merge")
        three = json.loads((tmp_path / "report.json").read_text())["report"]

        assert capsys.readouterr().out.count("Accuracy ") == 2
        assert list(CLASSES) == [part["name"] for part in four["classes"]]
        assert ["normal", "pneumonia", "COVID-19"] == [part["name"] for part in three["classes"]]
        assert four["accuracy"] == three["unmerged_accuracy"]
        assert np.sum(four["confusion"]) == np.sum(three["confusion"])

    def test_what_is_for_findings_is_refused(self, covidx):
        """DeLong compares one finding's ranks."""
        with pytest.raises(ValueError, match="covidx has classes"):
            run("evaluate", *covidx, "--subgroups")


def tables(text: str) -> list[list[str]]:
    """Lines of every table."""
    parts = [part.splitlines() for part in text.split("\n\n")]
    return [part for part in parts if part[0].startswith("|")]
