"""A run's folder: what it says, and when it refuses to go on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import CheckpointError
from tests.training.tiny import PRETRAIN
from training.data.dataset import Row
from training.description import described
from training.run import Run

ROWS = [
    Row(file=Path(f"{index}.png"), labels=frozenset(), known=frozenset(), patient=str(index), source="phantom")
    for index in range(7)
]


def begun(folder: Path) -> Run:
    """A run with a checkpoint."""
    run = Run(folder)
    run.describe(PRETRAIN, ROWS)
    run.save({"step": 1})
    return run


class TestDescribe:
    def test_it_says_what_was_run_on_what(self, tmp_path):
        """The model card is written from it."""
        description = begun(tmp_path).description()

        assert PRETRAIN.optim.epochs == description["recipe"]["optim"]["epochs"]
        assert {"phantom": 7} == description["sources"]

    def test_it_says_what_it_started_from(self, tmp_path):
        """Hash and run of the checkpoint; nothing for random weights, no run where none is described beside it."""
        before = begun(tmp_path / "before")
        network = tmp_path / "before/network.safetensors"
        network.write_bytes(b"weights")
        (tmp_path / "other.safetensors").write_bytes(b"weights")

        assert before.description()["start"] is None
        started = described(PRETRAIN, ROWS, network)["start"]
        assert (64, before.description()) == (len(started["sha256"]), started["run"])
        assert {"sha256": started["sha256"], "run": None} == described(PRETRAIN, ROWS, tmp_path / "other.safetensors")[
            "start"
        ]

    def test_the_same_recipe_goes_on(self, tmp_path):
        """Nothing differs from what the file says, tuples and paths included."""
        begun(tmp_path)

        Run(tmp_path).describe(PRETRAIN, ROWS)

    def test_another_recipe_does_not(self, tmp_path):
        """A longer cosine would jump in the middle; the value is named."""
        begun(tmp_path)
        longer = replace(PRETRAIN, optim=replace(PRETRAIN.optim, epochs=99))

        with pytest.raises(ValueError, match=r"recipe\.optim\.epochs was 3, is 99"):
            Run(tmp_path).describe(longer, ROWS)

    def test_nor_do_other_images(self, tmp_path):
        """Steps would mean other rows."""
        begun(tmp_path)

        with pytest.raises(ValueError, match="num_images was 7, is 6"):
            Run(tmp_path).describe(PRETRAIN, ROWS[:6])

    @pytest.mark.parametrize(
        "change",
        [
            {"file": Path("another.png")},
            {"labels": frozenset({"Hernia"})},
            {"known": frozenset({"Hernia"})},
            {"patient": "another"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_nor_do_as_many_other_rows_of_the_same_source(self, tmp_path, change):
        """Of one of them another file, label or patient suffices."""
        begun(tmp_path)

        with pytest.raises(ValueError, match="rows_sha256: files, labels or patients"):
            Run(tmp_path).describe(PRETRAIN, [*ROWS[:3], replace(ROWS[3], **change), *ROWS[4:]])

    def test_nor_do_the_same_rows_in_another_order(self, tmp_path):
        """A step would mean others."""
        begun(tmp_path)

        with pytest.raises(ValueError, match="rows_sha256"):
            Run(tmp_path).describe(PRETRAIN, ROWS[::-1])

    def test_the_same_images_in_another_folder_do(self, tmp_path):
        """Data move; so do checkouts."""
        begun(tmp_path)

        Run(tmp_path).describe(PRETRAIN, [replace(row, file=Path("moved") / row.file) for row in ROWS])

    def test_what_an_older_version_began_goes_on(self, tmp_path):
        """Its `run.json`, and that of the run it started from, say nothing of single rows, and go on saying nothing."""
        begun(tmp_path / "before")
        start = tmp_path / "before/network.safetensors"
        start.write_bytes(b"weights")
        run = Run(tmp_path / "after")
        run.describe(PRETRAIN, ROWS, start)
        run.save({"step": 1})
        path = tmp_path / "after/run.json"
        older = json.loads(path.read_text())
        del older["rows_sha256"], older["start"]["run"]["rows_sha256"]
        path.write_text(json.dumps(older))

        Run(tmp_path / "after").describe(PRETRAIN, ROWS, start)

        assert older == run.description()


class TestLoad:
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_a_checkpoint_that_is_cut_short_is_named(self, tmp_path, share):
        """One line that says what to do."""
        begun(tmp_path)
        whole = (tmp_path / "checkpoint.pt").read_bytes()
        (tmp_path / "checkpoint.pt").write_bytes(whole[: int(share * len(whole))])

        with pytest.raises(CheckpointError, match=r"checkpoint\.pt is damaged.*begin anew in another folder"):
            Run(tmp_path).load()

    @pytest.mark.parametrize("content", [[1, 2], {"weight": torch.zeros(2)}], ids=["list", "weights"])
    def test_so_is_a_file_that_holds_something_else(self, tmp_path, content):
        """The weights of the best epoch know no step."""
        begun(tmp_path)
        torch.save(content, tmp_path / "checkpoint.pt")

        with pytest.raises(CheckpointError, match=r"checkpoint\.pt is damaged"):
            Run(tmp_path).load()

    def test_the_log_is_left_as_it_is_then(self, tmp_path):
        """It may be all that is left of the run."""
        begun(tmp_path).log([{"step": 1, "loss": 1.0}])
        (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")

        with pytest.raises(CheckpointError):
            Run(tmp_path).load()

        assert ['{"step": 1, "loss": 1.0}'] == (tmp_path / "log.jsonl").read_text().splitlines()


def test_report_images__names_a_few_and_lists_all(tmp_path):
    """A step has thousands."""
    words = begun(tmp_path).report_images([0, 2, 3, 4, 5, 6])

    assert words.startswith("0.png, 2.png, 3.png, 4.png, 5.png and 1 more")
    assert "6.png" in (tmp_path / "images.json").read_text()


def test_only_the_first_process_writes(tmp_path):
    """Of a distributed run."""
    run = Run(tmp_path, is_writer=False)
    run.describe(PRETRAIN, ROWS)
    run.log([{"step": 1, "loss": 1.0}])
    run.save({"step": 1})

    assert [] == list(tmp_path.iterdir())


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path):
    """With the lines of steps that no checkpoint knows."""
    run = begun(tmp_path)
    run.log([{"step": 1, "loss": 1.0}, {"step": 2, "loss": 2.0}])
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 3, "lo')

    run.load()

    assert ['{"step": 1, "loss": 1.0}'] == (tmp_path / "log.jsonl").read_text().splitlines()


@pytest.mark.parametrize("ended", [False, True])
def test_a_run_that_ended_before_its_first_checkpoint_leaves_no_log(tmp_path, ended):
    """Its steps are made again; the log of one that is done stays."""
    Run(tmp_path).log([{"step": 1, "loss": 1.0}])
    (tmp_path / "events.out.tfevents.1").touch()
    if ended:
        (tmp_path / "network.safetensors").touch()

    assert Run(tmp_path).load() is None
    assert ended == (tmp_path / "log.jsonl").exists() == (tmp_path / "events.out.tfevents.1").exists()
