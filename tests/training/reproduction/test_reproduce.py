"""The command from data to table: a small table 1 on a twin, in a few steps."""

import json
from pathlib import Path

import pytest

from training.commands.main import main
from training.commands.reproduce import changed
from training.data.twins import write_twin
from training.recipes.table1 import TABLE as TABLE1
from training.reproduction.conduct import picked

# As small as real runs can be: four patches, one epoch.
SIZE = [
    argument
    for path, value in (
        ("image_size_px", 32),
        ("packed_size_px", 40),
        ("optim.epochs", 1),
        ("optim.batch", 4),
        ("optim.warmup_epochs", 0),
    )
    for prefix in ("", "start.recipe.")
    for argument in ("--set", f"{prefix}{path}={value}")
]


@pytest.fixture(name="manifest", scope="module")
def _manifest(tmp_path_factory) -> Path:
    return write_twin("manifest", tmp_path_factory.mktemp("manifest"), num=64, seed=0)


def arguments(table: str, manifest: Path, out: Path, *more: str) -> list[str]:
    """Of the small scale, on a manifest."""
    places = ["--data", str(manifest), "--out", str(out), "--cache", str(manifest.parent / "cache"), "--device", "cpu"]
    return ["reproduce", table, "--set", "scale=small", *places, *more]


@pytest.fixture(name="first", scope="module")
def _first(manifest, tmp_path_factory):
    """The folder of a reproduction that is done."""
    out = tmp_path_factory.mktemp("out")
    assert 0 == main(arguments("table1", manifest, out, "--rows", "vit-random,vit-mae", *SIZE))
    return out


def report_in(out: Path, table: str = "table1"):
    return json.loads((out / f"{table}.json").read_text())


class TestSmallTable1:
    def test_measures_both_initialisations_and_their_difference(self, first):
        """On the twin's test split; intervals are by patient."""
        report = report_in(first)

        assert ["vit-random", "vit-mae"] == [line["key"] for line in report["lines"]]
        for line in report["lines"]:
            assert 0 <= line["measured"]["low"] <= line["measured"]["value"] <= line["measured"]["high"] <= 100
            assert "this run" == line["origin"]
        (difference,) = report["differences"]
        assert difference["value"] == pytest.approx(
            report["lines"][1]["measured"]["value"] - report["lines"][0]["measured"]["value"]
        )
        assert "manifest, split test" in report["judges"][0]

    def test_keeps_each_run_in_a_folder_of_its_own(self, first):
        """Pre-training and two fine-tunings, each with its recipe beside its network."""
        folders = sorted(path.parent for path in first.glob("*/network.safetensors"))

        assert 3 == len(folders)
        assert all((folder / "run.json").is_file() for folder in folders)

    def test_finds_finished_runs_again(self, manifest, first, capsys):
        """Nothing is trained twice, and the table says that it found what it prints."""
        before = report_in(first)
        stamps = {path: path.stat().st_mtime_ns for path in first.glob("*/network.safetensors")}

        assert 0 == main(arguments("table1", manifest, first, "--rows", "vit-random,vit-mae", *SIZE))

        assert stamps == {path: path.stat().st_mtime_ns for path in first.glob("*/network.safetensors")}
        assert "found finished" in capsys.readouterr().out
        assert [line["measured"] for line in before["lines"]] == [
            line["measured"] for line in report_in(first)["lines"]
        ]

    def test_a_figure_is_drawn_by_the_same_pre_training(self, manifest, first):
        """Its picture lies beside the table, and no further run was made."""
        sized = [text.replace("start.recipe.", "") for text in SIZE]

        assert 0 == main(arguments("figure3", manifest, first, *sized))

        assert "figure3.png" == report_in(first, "figure3")["panel"]
        assert (first / "figure3.png").read_bytes().startswith(b"\x89PNG")
        assert 3 == len(list(first.glob("*/network.safetensors")))


class TestDryRun:
    def test_prints_the_plan_and_trains_nothing(self, manifest, tmp_path, capsys):
        """Runs in their order, and the table without a number."""
        assert 0 == main(arguments("table1", manifest, tmp_path, "--dry-run"))

        printed = capsys.readouterr().out
        assert printed.index("small-vit_s16-random") < printed.index("small-mae_vit_s16")
        assert "to be made" in printed
        assert [] == list(tmp_path.iterdir())

    def test_says_what_the_full_table_lacks(self, manifest, tmp_path, capsys):
        """A manifest is none of the paper's data sets."""
        full = [text for text in arguments("table4", manifest, tmp_path, "--dry-run") if text != "scale=small"]
        full.remove("--set")

        assert 0 == main(full)

        printed = capsys.readouterr().out
        assert "Nothing can run." in printed
        assert "missing: data set chexpert" in printed
        assert "cited by the paper" in printed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rows", "vit-huge"], "table1 has no row 'vit-huge'"),
        (["--set", "optim.momentum=1"], "no row of table1 has 'optim.momentum'"),
        (["--weights", "nothing"], "expected KEY=FILE"),
    ],
)
def test_a_mistake_is_one_line(more, message, manifest, tmp_path, capsys):
    """And ends with 2."""
    assert 2 == main(arguments("table1", manifest, tmp_path, *more))

    assert message in capsys.readouterr().err


def test_a_value_is_changed_where_it_exists():
    """Random weights have no pre-training whose epochs could change."""
    table = changed(picked(TABLE1, ["vit-random", "vit-mae"]), ["start.recipe.optim.epochs=3"])

    assert TABLE1.row("vit-random") == table.rows[0]
    assert 3 == table.rows[1].recipe.start.recipe.optim.epochs
