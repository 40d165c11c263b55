"""What a command that trains says before it begins and when it is done."""

import json

import pytest

from models.nets.checkpoint import save
from tests.training.evaluation.console import run
from tests.training.tiny import classifier, write_manifest_csv
from training.commands.main import main

CHANGES = ("optim.epochs=1", "optim.batch=2", "mask_ratio=0.5", "image_size_px=32", "packed_size_px=32")
SMALL = [part for change in CHANGES for part in ("--set", change)]


@pytest.fixture(name="site")
def _site(tmp_path):
    """A manifest of phantoms, six of them to learn from."""
    write_manifest_csv(tmp_path)
    return tmp_path


def arguments(site, *more: object) -> list[object]:
    """Where everything lies."""
    places = ["--data", site / "manifest.csv", "--cache", site / "cache", "--out", site / "run"]
    return [*places, "--device", "cpu", *more]


def test_a_run_says_where_its_network_lies(site, capsys):
    """And of how many images it was made, as `run.json` does."""
    assert run("pretrain", "vit_tiny16_cpu", *arguments(site, *SMALL, "--workers", 0))

    network = site / "run" / "network.safetensors"
    assert f"{network}: made of 6 images\n" in capsys.readouterr().out
    assert network.is_file()
    assert 6 == json.loads((site / "run" / "run.json").read_text())["num_images"]


@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_a_run_that_is_done_is_not_made_again(site, capsys, command):
    """Though its checkpoint, the larger file, was removed; under another recipe it is refused all the same."""
    kept = CHANGES if command == "pretrain" else [one for one in CHANGES if "mask" not in one] + ["refit_head=None"]
    everything = arguments(site, *(part for change in kept for part in ("--set", change)), "--workers", 0)
    assert run(command, "vit_tiny16_cpu", *everything)
    folder = site / "run"
    (folder / "checkpoint.pt").unlink()
    made = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
    capsys.readouterr()

    assert run(command, "vit_tiny16_cpu", *everything, "--resume", "auto")

    assert f"{folder / 'network.safetensors'}: made of 6 images\n" in capsys.readouterr().out
    assert made == {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
    with pytest.raises(ValueError, match=r"recipe\.seed was 0, is 1"):
        run(command, "vit_tiny16_cpu", *everything, "--resume", "auto", "--set", "seed=1")


@pytest.mark.parametrize(
    ("command", "recipe"),
    [
        ("pretrain", "vit_tiny16_cpu"),
        ("finetune", "vit_tiny16_cpu"),
        ("probe", "frozen_probe"),
        ("crossval", "default_bundle"),
    ],
)
def test_a_start_that_is_not_there_is_told_before_data_are_read(site, command, recipe):
    """Packing a large data set takes hours; and nothing is left behind."""
    with pytest.raises(ValueError, match=r"--init .*nowhere\.safetensors: there is no such file"):
        run(command, recipe, *arguments(site, "--init", site / "nowhere.safetensors"))

    assert not (site / "run").exists()
    assert not (site / "cache").exists()


def test_a_probe_on_too_few_images_speaks_of_itself(site):
    """`refit_head` is another recipe's."""
    lines = (site / "manifest.csv").read_text().splitlines()
    (site / "manifest.csv").write_text("\n".join(lines[:3]) + "\n")
    save(classifier(), site / "trunk.safetensors")

    with pytest.raises(ValueError, match=r"^a probe needs positives and negatives of each finding; .* lack one kind"):
        run("probe", "frozen_probe", *arguments(site, "--init", site / "trunk.safetensors"))


def test_what_is_wrong_goes_to_standard_error(tmp_path, capsys):
    """A report that is sent into a file holds nothing else."""
    status = main(["pretrain", "no-such-recipe", "--data", str(tmp_path), "--out", str(tmp_path / "run")])
    said = capsys.readouterr()

    assert (2, "") == (status, said.out)
    assert said.err.startswith("training pretrain: ")
