"""Files of weights, opened without running anything in them: PyTorch pickles and safetensors.

The only place that unpickles. PyTorch's restricted unpickler makes tensors and plain containers; to these
`argparse.Namespace` is added, because every official checkpoint carries its command line as one.
"""

import re
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import CheckpointError

METADATA_KEY = "thorascope"

_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80\x02"  # torch.save before PyTorch 1.6, which ImageNet weights still come in
_SAFETENSORS_MAGIC = b"{"  # behind eight bytes that give the header's length

_STATE_KEYS = ("model", "state_dict")  # medical_mae and facebookresearch/mae; timm's training script
_OLD_DENSENET = re.compile(r"(.+\.denselayer\d+\.(?:norm|conv))\.([12]\..+)")


@dataclass(frozen=True, slots=True)
class Weights:
    """What a file holds.

    Attributes:
        state: tensors by name, on the CPU.
        arguments: the command line that an official container carries; empty elsewhere.
        metadata: the JSON that `write_weights` put in; None in other people's files.
        is_pickle: whether PyTorch wrote it, as official code does.
    """

    state: Mapping[str, Tensor]
    arguments: Mapping[str, object] = field(default_factory=dict)
    metadata: str | None = None
    is_pickle: bool = False


def read_weights(path: Path) -> Weights:
    """Read a `.pth` container, a bare state dict or a safetensors file; told apart by their first bytes.

    Raises:
        CheckpointError: the file is missing, cut short, of another kind, or asks for anything but tensors.
    """
    try:
        with path.open("rb") as stream:
            magic = stream.read(9)
            stream.seek(0)
            if magic.startswith((_ZIP_MAGIC, _PICKLE_MAGIC)):
                return _of_container(_unpickle(stream, path), path)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror}") from error
    if magic[8:] == _SAFETENSORS_MAGIC:
        return _read_safetensors(path)
    raise CheckpointError(f"{path.name} is neither a PyTorch nor a safetensors file")


def write_weights(path: Path, state: Mapping[str, Tensor], metadata: str) -> None:
    """Write safetensors with our metadata, beside the old file and then over it."""
    partial = path.with_name(path.name + ".partial")
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    save_file(tensors, partial, metadata={METADATA_KEY: metadata})
    partial.replace(path)


def _unpickle(stream: BinaryIO, path: Path) -> object:
    try:
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes the unpickler raise whatever it stumbles over
        raise CheckpointError(f"{path.name} is damaged, or holds more than tensors and plain values") from error


def _of_container(content: object, path: Path) -> Weights:
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name} holds a {type(content).__name__}, not tensors by name")
    state = next((content[key] for key in _STATE_KEYS if isinstance(content.get(key), dict)), content)
    strangers = [
        str(name) for name, value in state.items() if not isinstance(value, Tensor) or not isinstance(name, str)
    ]
    if strangers:
        raise CheckpointError(f"{path.name} holds entries that are no weights: {', '.join(sorted(strangers))}")
    arguments = content.get("args") if state is not content else None
    return Weights(
        state=_as_written_today(state),
        arguments=vars(arguments) if isinstance(arguments, Namespace) else {},
        is_pickle=True,
    )


def _read_safetensors(path: Path) -> Weights:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = (file.metadata() or {}).get(METADATA_KEY)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 it is no mapping
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is no complete safetensors file: {error}") from error
    return Weights(state=_as_written_today(state), metadata=metadata)


def _as_written_today(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's names since 0.3, `norm1` for `norm.1`; batch norms' counters, which PyTorch has since 0.4.1.

    The counters of a file that has none are nought, as PyTorch itself reads such files.
    """
    renamed = {_OLD_DENSENET.sub(r"\1\2", name): value for name, value in state.items()}
    if not any(name.endswith(".num_batches_tracked") for name in renamed):
        norms = [name.removesuffix("running_mean") for name in renamed if name.endswith(".running_mean")]
        renamed |= {f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}
    return renamed
