"""The command line, as a user types it."""

import json
from collections.abc import Callable

import pytest
from PIL import Image

from service.__main__ import main
from tests import dicom_samples
from tests.tiny_bundle import write_tiny_bundle

Run = Callable[..., tuple[int, str, str]]


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture
def files(tmp_path, chest_png) -> list[str]:
    """A good file, one that is refused, one that is no image and one that is not there."""
    contents = {
        "chest.png": chest_png,
        "scan.dcm": dicom_samples.plain(dicom_samples.chest(), Modality="CT"),
        "notes.txt": b"not an image",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in (*contents, "absent.png")]


@pytest.fixture
def run(bundle_dir, monkeypatch, capsys) -> Run:
    """Runs a command; returns its exit status and what it wrote."""
    monkeypatch.setenv("THORASCOPE_BUNDLE_DIR", str(bundle_dir))
    monkeypatch.setenv("THORASCOPE_DECODE_WORKERS", "1")

    def run_command(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_command


class TestPredict:
    def test_json_is_one_object_a_file_in_their_order(self, run, files, tmp_path):
        """The body of POST /predict, or its problem; overlays beside."""
        status, out, _ = run("predict", "--json", "--overlay", tmp_path / "out", *files)
        chest, scan, notes, absent = (json.loads(line) for line in out.splitlines())

        assert 1 == status
        assert files == [row["file"] for row in (chest, scan, notes, absent)]
        assert {"model", "image", "gate", "geometry", "findings", "overlay", "file"} == set(chest)
        assert (90, 120) == size(chest["overlay"])
        assert "/problems/not-a-chest-radiograph" == scan["problem"]["type"]
        assert "/problems/unsupported-media" == notes["problem"]["type"]
        assert "read" in absent["problem"]["title"]

    def test_a_table_lists_findings_and_the_notice(self, run, files):
        """For people; what is over its threshold is marked."""
        status, out, _ = run("predict", files[0])

        assert 0 == status
        assert "Pleural effusion" in out
        assert "not trained" in out
        assert any(line.startswith("* ") for line in out.splitlines())
        assert "research use only" in out

    def test_thresholds_are_those_asked_for_or_of_the_settings(self, run, files, monkeypatch):
        """The command line wins; answers carry the name."""
        monkeypatch.setenv("THORASCOPE_THRESHOLDS", "specific")
        asked = [run("predict", "--json", *extra, files[0])[1] for extra in ((), ("--thresholds", "sensitive"))]

        assert ["specific", "sensitive"] == [json.loads(text)["model"]["thresholds"] for text in asked]

    def test_thresholds_that_are_not_there_are_told_with_those_that_are(self, run, files, monkeypatch):
        """By the option and by the variable."""
        status, out, err = run("predict", "--thresholds", "lenient", files[0])
        monkeypatch.setenv("THORASCOPE_THRESHOLDS", "lenient")

        assert (2, "") == (status, out)
        assert "tiny-thresholds, sensitive, specific" in err
        status, out, err = run("predict", files[0])
        assert (2, "") == (status, out)
        assert "THORASCOPE_THRESHOLDS" in err
        assert "tiny-thresholds, sensitive, specific" in err

    def test_gate_off_scores_what_is_refused(self, run, files):
        """On the user's word."""
        assert 0 == run("predict", "--gate", "off", files[1])[0]


class TestAnomalyMap:
    def test_it_writes_two_pictures_a_file(self, run, files, tmp_path):
        """And says where; inputs of the same name do not overwrite each other."""
        status, out, err = run("anomaly-map", "--out", tmp_path / "maps", files[0], files[0])
        first, second = (json.loads(line)["anomaly"] for line in out.splitlines())

        assert 0 == status
        assert (90, 120) == size(first["map"])
        assert (32, 32) == size(first["reconstruction"])
        assert 4 == len({first["map"], first["reconstruction"], second["map"], second["reconstruction"]})
        assert "research use only" in err

    def test_masks_the_bundle_does_not_know_are_a_problem(self, run, files, tmp_path):
        """The same one as over HTTP."""
        status, out, _ = run("anomaly-map", "--out", tmp_path, "--masks", 3, files[0])

        assert (1, "/problems/invalid-request") == (status, json.loads(out)["problem"]["type"])


class TestBundleVerify:
    def test_a_sound_bundle_is_described(self, run, bundle_dir):
        """Its files, its hash."""
        status, out, _ = run("bundle", "verify", bundle_dir)

        assert 0 == status
        assert "classifier.onnx" in out

    def test_a_changed_file_is_named(self, run, tmp_path):
        """One byte suffices."""
        write_tiny_bundle(tmp_path)
        with (tmp_path / "classifier.onnx").open("ab") as stream:
            stream.write(b"x")
        status, out, err = run("bundle", "verify", tmp_path)

        assert (1, "") == (status, out)
        assert "classifier.onnx" in err


class TestFailures:
    @pytest.mark.parametrize("command", [("serve",), ("predict", "x.png"), ("anomaly-map", "x.png")])
    def test_an_absent_bundle_is_told_plainly(self, run, monkeypatch, tmp_path, command):
        """With the variable that names another, and no traceback."""
        monkeypatch.setenv("THORASCOPE_BUNDLE_DIR", str(tmp_path / "absent"))
        status, out, err = run(*command)

        assert (2, "") == (status, out)
        assert str(tmp_path / "absent") in err
        assert "THORASCOPE_BUNDLE_DIR" in err

    def test_a_wrong_setting_is_named(self, run, monkeypatch, files):
        """And not only a value."""
        monkeypatch.setenv("THORASCOPE_DECODE_WORKERS", "none")
        status, _, err = run("predict", files[0])

        assert 2 == status
        assert "THORASCOPE_DECODE_WORKERS" in err

    def test_a_misspelt_setting_is_told_and_does_no_harm(self, run, files, monkeypatch):
        monkeypatch.setenv("THORASCOPE_THRESHOLD", "specific")

        status, _, err = run("predict", files[0])

        assert 0 == status
        assert "thorascope: THORASCOPE_THRESHOLD is no setting; did you mean THORASCOPE_THRESHOLDS?\n" in err

    @pytest.mark.parametrize("command", [("predict", "--overlay"), ("anomaly-map", "--out"), ("batch", "--out")])
    def test_what_cannot_be_written_is_told_before_the_work(self, run, files, tmp_path, command):
        """A folder that is a file, or lies in one; for results of a batch, a folder."""
        name, option = command
        (tmp_path / "rows.csv").mkdir()
        out = tmp_path / "rows.csv" if name == "batch" else tmp_path / "notes.txt"
        status, shown, error = run(name, tmp_path if name == "batch" else files[0], option, out)

        assert (2, "", 1) == (status, shown, len(error.splitlines())), error
        assert f"thorascope: {out} cannot be written" in error

    @pytest.mark.parametrize(
        ("arguments", "choice"),
        [(("batch", ".", "--out", "rows.csv", "--task"), "anomaly-map"), (("worker", "--lanes"), "interactive")],
    )
    def test_a_word_that_is_none_is_told_with_those_that_are(self, run, capsys, arguments, choice):
        """As for every option with a list of words."""
        with pytest.raises(SystemExit):
            run(*arguments, "none")

        assert f"'{choice}'" in capsys.readouterr().err

    def test_usage_is_shown_for_an_unknown_command(self, run, capsys):
        """Exit status 2, as every command line has it."""
        with pytest.raises(SystemExit) as exited:
            run("diagnose")

        assert 2 == exited.value.code

    def test_help_needs_no_bundle(self, run):
        """`python -m service --help`."""
        with pytest.raises(SystemExit) as exited:
            run("--help")

        assert 0 == exited.value.code
