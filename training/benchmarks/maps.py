"""What the maps cost: forward with all maps against the plain forward, and against pytorch-grad-cam, in one run."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.imaging.phantom import draw
from models.imaging.preprocess import InputContract, prepare
from models.labels import CHESTXRAY14
from models.nets.vit import VitClassifier, vit
from models.runtime.session import Session, open_session
from training import parity
from training.benchmarks.ratio import Goal, Row, compare
from training.data.crops import normalise
from training.gradcam import gradcam_maps
from training.graphs import ClassifierGraph
from training.onnx_file import to_onnx

GOALS: Mapping[str, Goal] = {
    "maps / plain, class token": Goal(at_most=1.05),
    "maps / plain with last-block shortcut, class token": Goal(at_most=1.05),
    "maps / plain, average pool": Goal(at_most=1.7),
    "pytorch-grad-cam / maps": Goal(at_least=30.0),
}


class _Plain(nn.Module):
    """uint8 in, logits out, as any exported classifier."""

    def __init__(self, network: VitClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(normalise(image))
        return logits


class _Shortcut(_Plain):
    """As `_Plain`, but the last block computes the class token alone: the head sees nothing else."""

    def forward(self, image: Tensor) -> Tensor:
        network = self.network
        tokens = network.tokens_before_last_block(normalise(image))
        block: Any = network.blocks[-1]
        attn = block.attn
        activations = block.norm1(tokens)
        q_weight, kv_weight = attn.qkv.weight.split([tokens.shape[2], 2 * tokens.shape[2]])
        q_bias, kv_bias = attn.qkv.bias.split([tokens.shape[2], 2 * tokens.shape[2]])
        query = nn.functional.linear(activations[:, :1], q_weight, q_bias).unflatten(2, (attn.num_heads, -1))
        key, value = nn.functional.linear(activations, kv_weight, kv_bias).chunk(2, dim=2)
        key, value = (part.unflatten(2, (attn.num_heads, -1)).transpose(1, 2) for part in (key, value))
        weights = ((query.transpose(1, 2) * attn.scale) @ key.transpose(-1, -2)).softmax(dim=-1)
        hidden = tokens[:, :1] + attn.proj((weights @ value).transpose(1, 2).flatten(2))
        output = hidden + block.mlp(block.norm2(hidden))
        logits: Tensor = network.head(network.norm(output[:, 0]))
        return logits


def measure() -> list[Row]:
    """ViT-S/16 at 224 px, 14 findings, random weights.

    Raises:
        training.parity.ParityError: two ways to the same numbers disagree; nothing is timed then.
    """
    torch.manual_seed(0)
    phantoms = [prepare(draw(seed), InputContract(224)).image for seed in range(8)]
    images = np.stack(phantoms)[:, None]
    rows = []
    bar = tqdm(total=8, desc="bench", unit="measurement")
    for head in ("token", "avg"):
        network = _spread(vit("vit_small", num_findings=len(CHESTXRAY14), head=head))
        maps = _session(ClassifierGraph(network), ("logits", "saliency"), images)
        plain = _session(_Plain(network), ("logits",), images)
        _require_equal(network, maps, images[:2])
        label = {"token": "class token", "avg": "average pool"}[head]
        rivals = {f"maps / plain, {label}": plain}
        if head == "token":
            shortcut = _session(_Shortcut(network), ("logits",), images)
            rivals["maps / plain with last-block shortcut, class token"] = shortcut
        for name, rival in rivals.items():
            _require_logits(maps, rival, images[:2])
            for batch in (1, 8):
                rows.append(
                    compare(name, batch, _calls(maps, images[:batch]), _calls(rival, images[:batch]), goal=GOALS[name])
                )
                bar.update()
        pixels = normalise(torch.from_numpy(images[:1]))
        slow = lambda network=network, pixels=pixels: gradcam_maps(network, pixels)  # noqa: E731
        name = "pytorch-grad-cam / maps"
        rows.append(compare(name, 1, slow, _calls(maps, images[:1]), goal=GOALS[name], repeats=3))
        bar.update()
    bar.close()
    return rows


def _spread(network: VitClassifier) -> VitClassifier:
    """Random weights large enough that maps are not rounding noise."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return network.eval()


def _session(module: nn.Module, outputs: tuple[str, ...], images: NDArray[np.uint8]) -> Session:
    example = torch.from_numpy(images[:2])
    return open_session(to_onnx(module, {"image": example}, outputs, {"image": {0: "batch"}}).SerializeToString())


def _calls(session: Session, images: NDArray[np.uint8]) -> Callable[[], object]:
    names = list(session.outputs)
    return lambda: session.run({"image": images}, names)


def _require_equal(network: VitClassifier, session: Session, images: NDArray[np.uint8]) -> None:
    """Our graph against pytorch-grad-cam: its scaled maps, and the network's logits."""
    logits, maps = session.run({"image": images}, ["logits", "saliency"])
    pixels = normalise(torch.from_numpy(images))
    with torch.inference_mode():
        expected_logits, expected_maps = (part.numpy() for part in network.saliency(pixels))
    parity.classifier_deviation((expected_logits, expected_maps), (logits, maps)).require(
        parity.LOGIT_TOLERANCE, parity.MAP_TOLERANCE, "ONNX against the network"
    )
    ours, theirs = parity.scaled_like_gradcam(maps, images.shape[-1]), gradcam_maps(network, pixels)
    bright = maps.max(axis=(2, 3)) > parity.FAINT_MAP
    difference = float(np.abs(ours - theirs)[bright].max())
    if not difference <= parity.GRADCAM_TOLERANCE:
        raise parity.ParityError(f"maps differ from pytorch-grad-cam's by {difference}")


def _require_logits(one: Session, other: Session, images: NDArray[np.uint8]) -> None:
    (ours,), (theirs,) = (session.run({"image": images}, ["logits"]) for session in (one, other))
    if not np.allclose(ours, theirs, rtol=0, atol=parity.LOGIT_TOLERANCE * max(1.0, float(np.abs(ours).max()))):
        raise parity.ParityError("the two graphs give different logits")
