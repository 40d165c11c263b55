"""`twin` and `verify-data` from the command line."""

import argparse
import json

import pytest

from training.commands import twin as twin_command
from training.commands import verify_data


def run(command, *arguments: str):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


@pytest.fixture
def root(tmp_path, capsys):
    """A twin written by the command, inside a folder of data sets."""
    assert run(twin_command, "chestxray14", "--out", str(tmp_path / "chestxray14"), "--num", "12")
    assert "chestxray14" in capsys.readouterr().out
    return tmp_path / "chestxray14"


def test_verify_data__is_content_with_a_twin(root, capsys):
    """The root is the data set's folder, or the one above it."""
    for folder in (root, root.parent):
        assert run(verify_data, "chestxray14", "--root", str(folder), "--hash")
        assert "no problems found" in capsys.readouterr().out


def test_verify_data__fails_where_something_is_wrong(root, capsys):
    """Scripts see it in the exit status, people in the last lines."""
    next(root.rglob("*.png")).unlink()

    assert not run(verify_data, "chestxray14", "--root", str(root), "--no-decode")
    assert "PROBLEM: 1 images are missing" in capsys.readouterr().out


def test_verify_data__prints_json_alone(root, capsys):
    """Nothing but one document on standard output."""
    run(verify_data, "chestxray14", "--root", str(root), "--json")

    assert "chestxray14" == json.loads(capsys.readouterr().out)["name"]
