"""Real processes: killed in the middle, asked to stop, two at once, a disk that is full."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training import processes
from tests.training.execution import losses
from tests.training.tiny import write_manifest_csv

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "training"]
# Halves of a step in bfloat16, which a CPU with units for it would choose, differ by more than the order of a sum.
FLOAT32 = ["--precision", "32-true"]
# As small as a real run can be: 12 images, 32 px, the smallest encoder that has a name.
SMALL = [
    "vit_tiny16_cpu", "--set", "image_size_px=32", "--set", "packed_size_px=40", "--set", "mask_ratio=0.5",
    "--set", "optim.batch=4", "--set", "optim.epochs=8", "--device", "cpu", "--deterministic", *FLOAT32,
]  # fmt: skip
STEPS = 8 * 12 // 4

# Two processes add halves of a step in another order than one adds the whole.
TWO_PROCESS_TOLERANCE = 1e-5


@pytest.fixture(name="manifest", scope="module")
def _manifest(tmp_path_factory):
    """Twelve phantoms in the training split."""
    return write_manifest_csv(tmp_path_factory.mktemp("images"), 24)


def pretrain(manifest: Path, out: Path, *arguments: str) -> list[str]:
    """Arguments of a command that pre-trains."""
    return ["pretrain", *SMALL, "--data", str(manifest), "--out", str(out), "--cache", str(manifest.parent), *arguments]


def interrupt(arguments: list[str], out: Path, lines: int, signal_number: int) -> int:
    """Start a command, send a signal once its log has that many lines, and give its exit status."""
    process = processes.start(arguments, out / "output.txt")
    processes.wait_for(out / "log.jsonl", lines)
    os.kill(process.pid, signal_number)
    return processes.finish(process)


@pytest.fixture(name="whole", scope="module")
def _whole(manifest, tmp_path_factory):
    """The folder of a run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole")
    assert 0 == processes.run(pretrain(manifest, out), out / "output.txt")
    assert STEPS == len(losses(out))
    return out


def test_a_run_killed_in_the_middle_of_an_epoch_resumes_bit_for_bit(manifest, whole, tmp_path):
    """SIGKILL, twice, at no step of the run's choosing; the losses are those of a run that was never touched."""
    arguments = pretrain(manifest, tmp_path, "--resume", "auto", "--checkpoint-minutes", "0.0001")

    for lines in (5, 11):
        assert -signal.SIGKILL == interrupt(arguments, tmp_path, lines, signal.SIGKILL)
    assert len(losses(tmp_path)) < STEPS
    assert 0 == processes.run(arguments, tmp_path / "output.txt")

    assert losses(whole) == losses(tmp_path)


def test_sigterm_saves_and_leaves(manifest, whole, tmp_path):
    """Whatever the interval between checkpoints; the exit status says that it is not done."""
    arguments = pretrain(manifest, tmp_path, "--resume", "auto", "--checkpoint-minutes", "60")

    assert 1 == interrupt(arguments, tmp_path, 5, signal.SIGTERM)
    assert 5 <= len(losses(tmp_path)) < STEPS
    assert 0 == processes.run(arguments, tmp_path / "output.txt")

    assert losses(whole) == losses(tmp_path)


def test_two_processes_learn_what_one_learns(manifest, whole, tmp_path):
    """torchrun, gloo, half of each step a process: order, crops and masks are those of one process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # noqa: TID251  # a child needs the parent's PATH
    command = [*TORCHRUN, *pretrain(manifest, tmp_path)]
    result = subprocess.run(  # noqa: S603  # constant
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=240
    )

    assert 0 == result.returncode, result.stderr[-2000:]
    assert losses(whole) == pytest.approx(losses(tmp_path), rel=TWO_PROCESS_TOLERANCE)
    assert (tmp_path / "network.safetensors").exists()


def test_two_processes_choose_the_epoch_that_one_chooses(manifest, tmp_path):
    """Each scores half of the validation images; the number is that of all of them."""
    arguments = [
        "finetune", *SMALL[:5], "--set", "optim.batch=4", "--set", "optim.epochs=3", "--set", "eval_every=1",
        "--set", "drop_path=0", "--set", "refit_head=None", "--set", "seed=1",
        "--data", str(manifest), "--cache", str(manifest.parent), "--device", "cpu", *FLOAT32,
    ]  # fmt: skip
    assert 0 == processes.run([*arguments, "--out", str(tmp_path / "one")], tmp_path / "one.txt")
    assert [0, 0] == processes.run_together(2, [*arguments, "--out", str(tmp_path / "two")], tmp_path / "two.txt")

    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "two"), rel=1e-4)
    one, two = (validation(tmp_path / name) for name in ("one", "two"))
    assert 3 == len(one)
    assert one == pytest.approx(two, abs=0.02)  # a pair of images may change places


def validation(folder: Path) -> list[float]:
    """The numbers that chose the epoch."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["val"] for line in lines if "val" in line]


def _no_room() -> None:
    """Files may not grow beyond a megabyte: writing fails as on a full disk, with another word for it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(manifest, tmp_path):
    """The message says so, and nothing half-written is left."""
    arguments = pretrain(manifest, tmp_path, "--resume", "auto", "--checkpoint-minutes", "0.0001")
    assert 1 == interrupt(arguments, tmp_path, 3, signal.SIGTERM)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    assert 2 == processes.run(arguments, tmp_path / "output.txt", _no_room)

    assert "the one saved before is intact" in (tmp_path / "output.txt").read_text()
    assert before == (tmp_path / "checkpoint.pt").read_bytes()
    assert [] == list(tmp_path.glob("*.partial"))


def test_a_damaged_checkpoint_is_said_in_one_line(manifest, whole, tmp_path):
    """Which file it is, and what to do; the file stays as it is."""
    (tmp_path / "run.json").write_bytes((whole / "run.json").read_bytes())
    damaged = (whole / "checkpoint.pt").read_bytes()[:1000]
    (tmp_path / "checkpoint.pt").write_bytes(damaged)

    assert 2 == processes.run(pretrain(manifest, tmp_path, "--resume", "auto"), tmp_path / "output.txt")

    text = (tmp_path / "output.txt").read_text()
    assert f"training pretrain: {tmp_path / 'checkpoint.pt'} is damaged" in text
    assert "Traceback" not in text
    assert damaged == (tmp_path / "checkpoint.pt").read_bytes()


def test_a_finished_folder_is_not_overwritten(manifest, tmp_path):
    """Forgetting --resume must not cost a week of training."""
    (tmp_path / "checkpoint.pt").write_bytes(b"precious")

    assert 2 == processes.run(pretrain(manifest, tmp_path), tmp_path / "output.txt")

    assert "add --resume auto" in (tmp_path / "output.txt").read_text()
    assert b"precious" == (tmp_path / "checkpoint.pt").read_bytes()


def test_every_line_of_the_log_says_where_it_is(whole):
    """Step, epoch, loss, learning rate and speed; TensorBoard has them, too."""
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]

    assert list(range(1, STEPS + 1)) == [line["step"] for line in lines]
    assert all(line["images_per_s"] > 0 and 0 <= line["data_wait"] <= 1 for line in lines)
    assert 0 == lines[0]["lr"] < lines[3]["lr"]
    assert list(whole.glob("events.out.tfevents.*"))
