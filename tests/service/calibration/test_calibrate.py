"""`python -m service calibrate`: from images or scores with labels to a bundle that is served."""

import csv
import json
from collections.abc import Callable

import numpy as np
import pytest

from models.imaging import phantom
from models.imaging.heatmap import png_bytes
from models.runtime.bundle import load_bundle
from models.runtime.verify import verify
from service.__main__ import main
from service.api.job_formats import columns, to_csv, to_jsonl, write_parquet
from service.calibration.site_bundle import site_version
from service.inference.served import served_model
from service.jobs.job import Task
from tests import dicom_samples

Run = Callable[..., tuple[int, str, str]]
NUM_ROWS = 200


@pytest.fixture
def run(bundle_dir, monkeypatch, capsys) -> Run:
    """Runs a command; returns its exit status and what it wrote."""
    monkeypatch.setenv("THORASCOPE_BUNDLE_DIR", str(bundle_dir))
    monkeypatch.setenv("THORASCOPE_DECODE_WORKERS", "1")
    monkeypatch.setenv("THORASCOPE_INFERENCE_THREADS", "1")

    def run_command(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_command


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Drawn chests of 30 patients, and three files that cannot count; Effusion and Mass in every other patient."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = []
    for number in range(60):
        (folder / f"{number}.png").write_bytes(png_bytes(phantom.draw(number, 60, 48)))
        rows.append((f"{number}.png", "Effusion;Mass" if number % 4 < 2 else "No Finding", f"p{number // 2}"))
    (folder / "scan.dcm").write_bytes(dicom_samples.plain(dicom_samples.chest(), Modality="CT"))
    (folder / "notes.txt").write_bytes(b"no image")
    rows += [(name, "Mass", "x") for name in ("scan.dcm", "notes.txt", "absent.png")]
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "label", "patient_id"), *rows])
    return folder


def answer(file, logits, model):
    findings = [
        {"name": finding.name, "logit": logit, "probability": 0.5, "threshold": 0.5, "positive": True, "boxes": []}
        for finding, logit in zip(model.manifest.findings, logits, strict=True)
    ]
    return {
        "file": file,
        "model": {"sha256": model.sha256},
        "gate": {"verdict": "accepted", "reasons": []},
        "findings": findings,
    }


@pytest.fixture
def scored(tmp_path, settings):
    """Labels and results of a batch in all three formats; one row has a problem, one was rejected and answered."""
    model = served_model(settings)
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 4, (NUM_ROWS, 14))
    present = generator.random(logits.shape) < 1 / (1 + np.exp(-0.4 * logits))
    names = [f"{number:03}.png" for number in range(NUM_ROWS - 1)] + ["=1.png"]
    rows = [answer(name, [*values[:13], None], model) for name, values in zip(names, logits.tolist(), strict=True)]
    rows[3] = {"file": names[3], "problem": {"type": "/problems/undecodable-image", "detail": "it is cut short"}}
    rows[4]["gate"] = {"verdict": "rejected", "reasons": ["modality"]}
    rows = [{"index": place, **row} for place, row in enumerate(rows)]
    table = columns(Task.PREDICT, model)
    (tmp_path / "rows.csv").write_bytes(b"".join(to_csv(rows, table)))
    (tmp_path / "rows.jsonl").write_bytes(b"".join(to_jsonl(rows)))
    write_parquet(rows, table, tmp_path / "rows.parquet")
    findings = [finding.name for finding in model.manifest.findings]
    with (tmp_path / "labels.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", *findings])
        writer.writerows([name, *values] for name, values in zip(names, present.astype(int).tolist(), strict=True))
    return tmp_path


def provenance(folder):
    return json.loads((folder / "bundle.json").read_text())["provenance"]["site_calibration"]


def calibrate(run, folder, *extra, name="ward-7"):
    return run("calibrate", "--data", folder / "labels.csv", "--name", name, *extra)


class TestImages:
    def test_a_folder_of_pictures_becomes_a_bundle_that_is_served(self, run, pictures, tmp_path, monkeypatch):
        """The same graphs; other calibration, thresholds and hash; what could not count is named."""
        out = tmp_path / "calibrated"
        status, said, err = calibrate(run, pictures, "--out", out)
        bundle = load_bundle(out)

        assert 1 == status, err
        assert "left out, rejected by the gate: scan.dcm" in err
        assert "left out, not scored: notes.txt" in err
        assert "left out, not scored: absent.png" in err
        assert "0.0.1+site.ward-7" == bundle.manifest.version
        assert ("balanced", "sensitive", "specific") == bundle.manifest.threshold_names
        assert [] == verify(out)
        told = provenance(out)
        assert (60, 30, 30) == (told["images"], told["patients"], told["positives"]["Mass"])
        assert told["calibration_error_after"] < told["calibration_error_before"]
        assert bundle.sha256 in said
        assert "| Mass" in said
        assert "| Mass" in (out / "README.md").read_text()

        monkeypatch.setenv("THORASCOPE_BUNDLE_DIR", str(out))
        status, said, _ = run("predict", "--json", "--thresholds", "specific", pictures / "1.png")
        body = json.loads(said)
        assert (0, "specific", bundle.sha256) == (status, body["model"]["thresholds"], body["model"]["sha256"])
        assert 0.5 == pytest.approx(next(f["probability"] for f in body["findings"] if f["name"] == "Mass"), abs=0.2)


class TestScores:
    @pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
    def test_results_of_batch_are_taken_in_every_format(self, run, scored, settings, suffix):
        """The same numbers from each; slopes as the labels were drawn."""
        out = scored / "out"
        status, _, err = calibrate(run, scored, "--scores", scored / f"rows.{suffix}", "--out", out)
        manifest = load_bundle(out).manifest
        told = provenance(out)

        assert 1 == status, err
        assert "left out, not scored: 003.png: it is cut short" in err
        assert "left out, rejected by the gate: 004.png: modality" in err
        assert (NUM_ROWS - 2, ["Hernia"]) == (told["images"], told["kept"])
        assert served_model(settings).sha256 == told["base_sha256"]
        assert [0.4] * 13 == pytest.approx([one.calibration.slope for one in manifest.findings[:13]], abs=0.15)
        assert manifest.threshold_sets[0].description.endswith("; fewer than 20 positives: Hernia (0)")

    def test_columns_that_calibration_does_not_read_may_be_missing(self, run, scored):
        """A table that an earlier version wrote has fewer."""
        with (scored / "rows.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        with (scored / "fewer.csv").open("w", newline="") as stream:
            kept = [name for name in rows[0] if not name.endswith("_threshold")]
            writer = csv.DictWriter(stream, kept, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        status, _, err = calibrate(run, scored, "--scores", scored / "fewer.csv", "--out", scored / "out")

        assert 1 == status, err
        assert NUM_ROWS - 2 == provenance(scored / "out")["images"]

    def test_files_are_linked_and_the_base_stays_as_it_was(self, run, scored, bundle_dir):
        """A bundle is megabytes; a calibration is a manifest."""
        before = (bundle_dir / "bundle.json").read_bytes()
        out = scored / "out"
        calibrate(run, scored, "--scores", scored / "rows.csv", "--out", out)

        assert before == (bundle_dir / "bundle.json").read_bytes()
        for name in ("classifier.onnx", "reconstructor.onnx", "anomaly_reference.npz"):
            assert (bundle_dir / name).read_bytes() == (out / name).read_bytes()

    def test_a_calibrated_bundle_is_calibrated_again(self, run, scored, tmp_path):
        """The site's name is replaced; its own scores are asked for."""
        out = scored / "out"
        calibrate(run, scored, "--scores", scored / "rows.csv", "--out", out)
        status, _, err = calibrate(
            run, scored, "--scores", scored / "rows.csv", "--bundle", out, "--out", tmp_path / "b"
        )

        assert 2 == status
        assert "of another bundle" in err


class TestRefused:
    @pytest.mark.parametrize(
        ("extra", "reason"),
        [
            (("--scores", "rows.txt"), "suffix must be"),
            (("--scores", "absent.csv"), "No such file"),
            (("--scores", "absent.parquet"), "cannot be read"),
            (("--scores", "labels.csv"), "lacks the column"),
            (("--scores", "broken.parquet"), "not what `batch` writes"),
            (("--scores", "broken.jsonl"), "not what `batch` writes"),
            (("--scores", "others.jsonl"), "no result for any file"),
            (("--scores", "others.jsonl"), "a zip's member as `archive.zip/member`"),
            (
                ("--scores", "twice.jsonl"),
                "two results for 000.png; give the files, or the archives they lie in, names",
            ),
        ],
    )
    def test_scores_that_do_not_fit_are_told(self, run, scored, extra, reason):
        """And no bundle is written."""
        lines = (scored / "rows.jsonl").read_text().splitlines()
        (scored / "broken.parquet").write_bytes(b"PAR1")
        (scored / "broken.jsonl").write_text("[]\n")
        (scored / "others.jsonl").write_text(lines[0].replace("000.png", "else.png"))
        (scored / "twice.jsonl").write_text("\n".join([lines[0], lines[0]]))
        status, out, err = calibrate(run, scored, extra[0], scored / extra[1], "--out", scored / "out")

        assert (2, "") == (status, out)
        assert reason in err
        assert [] == list((scored / "out").iterdir())

    def test_a_folder_that_is_not_empty_is_left_alone(self, run, scored):
        """Above all the bundle itself."""
        status, _, err = calibrate(run, scored, "--scores", scored / "rows.csv", "--out", scored)

        assert 2 == status
        assert "not empty" in err

    def test_too_few_images_are_told(self, run, scored):
        """With the limit."""
        (scored / "labels.csv").write_text("file,label\n000.png,Mass\n")
        status, _, err = calibrate(run, scored, "--scores", scored / "rows.csv", "--out", scored / "out")

        assert 2 == status
        assert "1 images with a score and a label; at least 50" in err

    @pytest.mark.parametrize(("option", "value"), [("--name", "ward 7"), ("--name", ""), ("--folds", "1")])
    def test_arguments_out_of_range_are_told(self, run, scored, option, value, capsys):
        """By argparse."""
        with pytest.raises(SystemExit) as exited:
            calibrate(run, scored, "--out", scored / "out", option, value)

        assert 2 == exited.value.code
        assert option in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.2.0", "0.2.0+site.a"),
        ("0.2.0+site.b", "0.2.0+site.a"),
        ("0.2.0+int8", "0.2.0+int8.site.a"),
        ("0.2.0+int8.site.b", "0.2.0+int8.site.a"),
    ],
)
def test_site_version__is_build_metadata(version, expected):
    """Of Semantic Versioning; an earlier site's is replaced."""
    assert expected == site_version(version, "a")
