"""Linear probing: what a frozen trunk already knows, read off by a linear head."""

from typing import Self

import torch
from lightning_fabric import Fabric
from timm.optim import Lars
from torch import Tensor, nn
from torch.optim import Optimizer

from models.nets.vit import VitClassifier
from training.data.crops import statistics_table
from training.data.steps import Batch, LabelDraw, PixelLoad, Plan, Steps
from training.engine import Engine
from training.finetune import BEST, LabelledImages
from training.loop import Trainee, train
from training.objectives import Pixels, exclusive_cross_entropy, masked_bce
from training.recipes.types import LinprobeRecipe
from training.run import Run
from training.selection import Selection
from training.trunks import head_of


class LinearProbe(nn.Module):
    """A frozen trunk, batch normalisation without affine terms, and a linear head.

    The trunk stays in eval mode. (The official code leaves it in train mode, with stochastic depth at its default of
    0.1: a bug that docs/reproduction.md lists.)

    Source: facebookresearch/mae, main_linprobe.py.
    """

    def __init__(self, trunk: VitClassifier) -> None:
        super().__init__()
        width, num_findings = trunk.config.shape.width, trunk.config.num_findings
        self.trunk = trunk.requires_grad_(requires_grad=False).eval()
        self.head = nn.Sequential(nn.BatchNorm1d(width, affine=False, eps=1e-6), nn.Linear(width, num_findings))
        nn.init.trunc_normal_(self.head.get_parameter("1.weight"), std=0.01)
        nn.init.zeros_(self.head.get_parameter("1.bias"))

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002  # torch's own signature
        """The head alone changes its mode."""
        super().train(mode)
        self.trunk.eval()
        return self

    def features(self, images: Tensor) -> Tensor:
        """What the trunk says of normalised images: (B, D)."""
        with torch.no_grad():
            pooled: Tensor = self.trunk.forward_head(self.trunk.forward_features(images), pre_logits=True)
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) to logits (B, F)."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def folded(self) -> VitClassifier:
        """The trunk with a head that says what the normalised head says, in eval mode."""
        norm, linear = self.head
        scale = (norm.running_var + norm.eps).rsqrt()  # type: ignore[operator]  # set where statistics are tracked
        head = head_of(self.trunk)
        with torch.no_grad():
            head.weight.copy_(linear.weight * scale)  # type: ignore[operator]  # nn.Sequential holds any module
            head.bias.copy_(linear.bias - head.weight @ norm.running_mean)  # type: ignore[operator]
        return self.trunk.eval()


class _ProbeObjective(nn.Module):
    """Loss of the head. The trunk takes a batch in pieces, the batch normalisation sees all of it at once."""

    def __init__(self, probe: LinearProbe, pixels: Pixels, *, is_exclusive: bool, piece: int | None) -> None:
        super().__init__()
        self.probe, self.pixels, self._piece = probe, pixels, piece
        self._loss = exclusive_cross_entropy if is_exclusive else masked_bce

    def forward(self, batch: Batch) -> Tensor:
        """Loss over the known labels of the batch, from float32 logits."""
        size = self._piece or len(batch["rows"])
        pieces = [
            {name: values[begin : begin + size] for name, values in batch.items()}
            for begin in range(0, len(batch["rows"]), size)
        ]
        features = torch.cat([self.probe.features(self.pixels(piece)).float() for piece in pieces])
        logits: Tensor = self.probe.head(features)
        return self._loss(logits.float(), batch["labels"])


def lars(head: nn.Module, weight_decay: float = 0.0) -> Optimizer:
    """LARS with momentum 0.9 and trust 0.001; vectors are neither adapted nor decayed.

    Source: You et al. 2017, arXiv:1708.03888, as facebookresearch/mae applies it.
    """
    parameters = list(head.parameters())
    groups = [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": weight_decay, "always_adapt": True},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0, "always_adapt": False},
    ]
    return Lars(groups, lr=0.0, momentum=0.9, trust_coeff=0.001)


def linprobe(
    recipe: LinprobeRecipe, trunk: VitClassifier, data: LabelledImages, run: Run, engine: Engine, fabric: Fabric
) -> VitClassifier | None:
    """Train a linear head on a frozen trunk.

    Args:
        recipe: crops and optimisation.
        trunk: initialised; its own head is replaced at the end.
        data: packed training images with labels.
        run: folder for checkpoints and the log; a checkpoint in it is continued.
        engine: how steps are executed.
        fabric: launched.

    Returns:
        The trunk with its new head, in eval mode, as it was after the best epoch; None if the run was told to stop.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    torch.manual_seed(recipe.seed)
    probe = LinearProbe(trunk)
    statistics = statistics_table(recipe.data, recipe.normalisation)
    pixels = Pixels(recipe.image_size_px, statistics, torch.from_numpy(data.images.part_of))
    plan = Plan(len(data.images), recipe.optim.batch, recipe.seed, fabric.global_rank, fabric.world_size)
    steps = Steps(plan, LabelDraw(data.labels, recipe.crop_scale), PixelLoad(data.images))
    objective = _ProbeObjective(probe, pixels, is_exclusive=data.is_exclusive, piece=engine.micro_batch)
    selection = None
    if recipe.eval_every and data.held is not None:
        epochs = range(recipe.eval_every, recipe.optim.epochs + 1, recipe.eval_every)
        selection = Selection(probe, data.held, epochs, run.folder / BEST, fabric)
    optimizer = lars(probe.head, recipe.optim.weight_decay)
    whole = engine.without_micro_batches()
    if not train(Trainee(probe.train(), objective, optimizer, steps, selection), recipe, run, whole, fabric):
        return None
    if selection is not None:
        selection.restore_best()
    return probe.folded()
