"""Opening a run's folder: a new one, or one that goes on."""

import argparse
from pathlib import Path

import torch

from training.run import Run

NETWORK = "network.safetensors"


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that trains asks for."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", choices=["auto"], help="go on from the run's checkpoint, if there is one")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="packed images")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")


def open_run(options: argparse.Namespace) -> Run:
    """The run's folder, refused where it would be overwritten by mistake."""
    if options.resume is None and (options.out / "checkpoint.pt").exists():
        raise ValueError(f"{options.out} holds a checkpoint: add --resume auto to go on, or name another folder")
    run = Run(options.out)
    run.stop_on_sigterm()
    return run
