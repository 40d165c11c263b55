"""`gate` from the command line, and what its tables are made of."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from models.imaging.gate import check
from models.imaging.gate_network import GateNetwork, load
from models.imaging.phantom import draw
from tests.training.evaluation.console import run
from training.data.dataset import DataError
from training.data.manifest import read_manifest
from training.gate.drawn import DRAWN
from training.gate.examples import pool
from training.gate.judge import folds
from training.gate.pictures import Picture, chests, others
from training.gate.report import refusal_lines, turn_lines

SOURCES = ("a", "b", "c")


@pytest.fixture(scope="module", name="material")
def _material(tmp_path_factory):
    """Phantoms of three sources that may ship and one that may not, drawn pictures of two packages."""
    root = tmp_path_factory.mktemp("gate")
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "source", "weights_ok", "flag"])
        for place in range(32):
            name = f"{place}.png"
            Image.fromarray(draw(place, 80, 70)).save(root / name)
            source = (*SOURCES, "kept")[place % 4]
            writer.writerow([name, "Unlabelled", source, "no" if source == "kept" else "yes", ""])
    rng = np.random.default_rng(0)
    for role in ("tuning", "test"):
        for name, draw_one in DRAWN.items():
            folder = root / "others" / role / f"{role}-{name}"
            folder.mkdir(parents=True)
            for place in range(8):
                Image.fromarray(draw_one(rng)).save(folder / f"{place}.png")
    (root / "others/test/test-page/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


def picture(group: str, *, is_chest: bool) -> Picture:
    return Picture(np.zeros((64, 64), np.uint8), None, 1.0, group, group, is_chest, is_tuning=False)


def test_gate__fits_measures_and_writes_weights_that_can_be_read(material, capsys):
    """Even on phantoms: the tables name every source, and the weights separate what they were fitted on."""
    weights = material / "weights.npz"
    assert run(
        "gate", "--data", material / "manifest.csv", "--negatives", material / "others", "--out", weights, "--drawn", 6
    )
    printed = capsys.readouterr().out
    network = load(weights)

    assert all(f"\n| {source} " in printed for source in (*SOURCES, "kept", "test-page", "tuning-limb", "drawn-plot"))
    assert printed.index("thresholds, from tuning") < printed.index("Test sources")
    assert "no-chest" not in check(None, draw(1000, 80, 70), network).reasons
    assert "no-chest" in check(None, DRAWN["page"](np.random.default_rng(9)), network).reasons


def test_others__a_file_that_does_not_decode_is_left_out(material):
    """The service would not show it to the gate."""
    assert 8 == sum(one.source == "test-page" for one in others(material / "others/test", is_tuning=False))


def test_others__an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no PNG"):
        next(others(tmp_path, is_tuning=True))


def test_chests__carriers_of_one_collection_are_one_group(material):
    row = read_manifest(material / "manifest.csv")[0]
    renamed = [replace(row, source=name) for name in ("nih_x", "covidrad_rsna_normal")]

    assert ["nih", "nih"] == [one.group for one in chests(renamed)]


def test_chests__have_the_aspect_of_the_picture_and_those_with_a_flag_are_left_out(material):
    """One that is upside down, or inverted, is no upright chest of the right polarity."""
    row = read_manifest(material / "manifest.csv")[0]
    flags = ("", "upside down", "inverted", "patient unknown")

    found = list(chests(replace(row, flag=flag) for flag in flags))

    assert [70 / 80] * 2 == [one.aspect for one in found]


def test_pool__a_chest_has_more_upright_views_than_turned_ones_and_others_four_of_any():
    """Varied upright chests are what keeps a collection that the network never saw from being refused."""
    square = draw(0, 96, 96)
    chest, other = (
        replace(picture(name, is_chest=name == "chest"), square=square, is_tuning=True) for name in ("chest", "other")
    )
    made = pool([chest, other], seed=0)
    turns = [made.turns[made.owner == place] for place in range(2)]

    assert (8, 4) == tuple(map(len, turns))
    assert 6 == (turns[0] == 0).sum()
    assert len(made.features) == 12


def test_folds__leave_out_every_group_once():
    """A group is never in the fold that judges it and in the material that the fold's network is fitted on."""
    pictures = [picture(name, is_chest=name < "m") for name in "abcdqrstu"]
    parts = folds(pictures)

    assert set("abcdqrstu") == frozenset.union(*parts)
    assert len("abcdqrstu") == sum(map(len, parts))


class TestTables:
    NETWORK = GateNetwork(
        mean=np.ones(784, np.float32),
        scale=np.ones(784, np.float32),
        hidden=np.ones((1, 784, 2), np.float32),
        hidden_bias=np.ones((1, 2), np.float32),
        out=np.ones((1, 2), np.float32),
        out_bias=np.ones(1, np.float32),
        reject_below=0.0,
        turn_margin=1.0,
    )

    def test_shares_are_of_each_source_and_of_all(self):
        pictures = [picture("x", is_chest=False)] * 3 + [picture("y", is_chest=False), picture("z", is_chest=True)]
        logits = np.array([[-1.0] * 4, [-2.0] * 4, [1.0, -5, -5, -5], [-3.0] * 4, [9.0] * 4])
        lines = refusal_lines(pictures, logits, self.NETWORK, of_chests=False)

        assert [["x", "3", "2", "0.6667"], ["y", "1", "1", "1.0000"], ["all", "4", "3", "0.7500"]] == [
            [cell.strip() for cell in line.split("|")[1:5]] for line in lines[2:]
        ]

    def test_a_turn_counts_as_found_where_the_upright_view_wins_by_the_margin(self):
        """Upright 5; upside down 4.5 is too near to tell; turned by 90 degrees it is -5."""
        logits = np.array([[5.0, -5, 4.5, -5]])
        lines = turn_lines([picture("x", is_chest=True)], logits, self.NETWORK)
        shares = {line.split("|")[1].strip(): line.split("|")[4].strip() for line in lines[2:]}

        assert {
            "as it is (false alarms)": "0.0000",
            "turned left": "1.0000",
            "upside down": "0.0000",
            "turned right": "1.0000",
        } == shares

    def test_a_chest_that_looks_turned_as_it_is_is_found_after_no_turn(self):
        """Its best view is another: what the service says of a turn of it would be wrong."""
        logits = np.array([[0.0, 5, -5, -5]])
        lines = turn_lines([picture("x", is_chest=True)], logits, self.NETWORK)
        shares = [line.split("|")[4].strip() for line in lines[2:]]

        assert ["1.0000", "0.0000", "0.0000", "0.0000"] == shares
