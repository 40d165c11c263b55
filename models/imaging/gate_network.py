"""The gate's small network: numpy alone, its weights in a file beside this one."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.imaging.colour import COLOURED_ABOVE
from models.imaging.gate_features import NUM_FEATURES

WEIGHTS: Final = Path(__file__).with_name("gate_weights.npz")
_NAMES = ("mean", "scale", "hidden", "hidden_bias", "out", "out_bias")
_THRESHOLDS = ("reject_below", "reject_coloured_below", "turn_margin")


@dataclass(frozen=True, slots=True)
class GateNetwork:
    """Several perceptrons with one hidden layer; their logits are averaged.

    Attributes:
        mean, scale: (D,) of the features, over the pictures that the network was fitted on.
        hidden, hidden_bias: (nets, D, H) and (nets, H).
        out, out_bias: (nets, H) and (nets,).
        reject_below: smallest logit of a picture that passes for a chest.
        reject_coloured_below: the same of a picture whose colour no tint explains.
        turn_margin: by how much another orientation has to look more like an upright chest to be believed.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    out: NDArray[np.float32]
    out_bias: NDArray[np.float32]
    reject_below: float = 0.0
    reject_coloured_below: float = 0.0
    turn_margin: float = 0.0

    def __post_init__(self) -> None:
        nets, size, width = self.hidden.shape
        shapes = ((size,), (size,), (nets, size, width), (nets, width), (nets, width), (nets,))
        if size != NUM_FEATURES or any(getattr(self, n).shape != s for n, s in zip(_NAMES, shapes, strict=True)):
            raise ValueError(f"the weights of the gate do not fit {NUM_FEATURES} features, or each other")

    def passing(self, coloured: float) -> float:
        """Smallest logit of a picture that passes, such a share of which has a colour that no tint explains."""
        return self.reject_coloured_below if coloured > COLOURED_ABOVE else self.reject_below

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much each picture looks like an upright frontal chest: (N, D) to (N,)."""
        standardised = (features - self.mean) / self.scale
        hidden = np.maximum(np.einsum("nd,kdh->knh", standardised, self.hidden) + self.hidden_bias[:, None], 0)
        logits: NDArray[np.float32] = (np.einsum("knh,kh->kn", hidden, self.out) + self.out_bias[:, None]).mean(axis=0)
        return logits


def dump(network: GateNetwork, provenance: dict[str, Any], path: Path) -> None:
    """Write the weights, in half precision, and beside them a JSON with their hash, thresholds and origin."""
    content = BytesIO()
    np.savez_compressed(content, **{name: getattr(network, name).astype(np.float16) for name in _NAMES})
    path.write_bytes(content.getvalue())
    said = {
        "sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        "reject_below": network.reject_below,
        "reject_coloured_below": network.reject_coloured_below,
        "turn_margin": network.turn_margin,
        **provenance,
    }
    path.with_suffix(".json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def load(path: Path = WEIGHTS) -> GateNetwork:
    """Read what `dump` wrote.

    Raises:
        ValueError: the weights are not those that the JSON beside them names, or do not fit the features.
        OSError: a file is missing.
    """
    content, said = path.read_bytes(), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if hashlib.sha256(content).hexdigest() != said["sha256"]:
        raise ValueError(f"{path.name} is not the file that {path.stem}.json describes")
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        weights = {name: arrays[name].astype(np.float32) for name in _NAMES}
    return GateNetwork(**weights, **{name: said[name] for name in _THRESHOLDS})


@cache
def shipped() -> GateNetwork:
    """The network of this package; read once."""
    return load()
