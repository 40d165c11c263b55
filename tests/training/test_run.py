"""A run's folder: what it says, and when it refuses to go on."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.tiny import PRETRAIN
from training.data.dataset import Row
from training.run import Run, described

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
