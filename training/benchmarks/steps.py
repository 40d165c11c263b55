"""What a training step costs on this CPU: ours against the official code's, and mask ratios against each other."""

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer
from tqdm import tqdm

from models.nets.mae import MaskedAutoencoder, mae
from models.nets.masking import keep_count
from models.nets.vit import vit
from training.benchmarks import official
from training.benchmarks.ratio import Fact, Goal, Row, compare
from training.engine import cpu_has_bfloat16
from training.objectives import masked_bce
from training.optim import adamw, finetuning_groups, pretraining_groups
from training.parity import ParityError

BATCH, SIDE_PX, NUM_FINDINGS = 32, 224, 14
_LAYER_DECAY = 0.55
_REPEATS = 5
# Both are float32 over the same weights; sums run in another order.
_TOLERANCE = 1e-5


def measure() -> tuple[list[Row], list[Fact]]:
    """ViT-S/16, decoder 512x2, batch 32, 224 px; bfloat16 where the CPU has units for it, and compiled code there too.

    Raises:
        ParityError: the two ways give different losses; nothing is timed then.
    """
    fast = cpu_has_bfloat16()
    rows, facts = [], [Fact("bfloat16 units on this CPU", float(fast), "yes = 1")]
    torch.manual_seed(0)
    images, labels = torch.randn(BATCH, 3, SIDE_PX, SIDE_PX), torch.randint(2, (BATCH, NUM_FINDINGS)).float()
    bar = tqdm(total=4, desc="training steps", unit="measurement")

    network = mae("vit_small", "512x2").train()
    noise = torch.rand(BATCH, network.num_patches)
    slow_loss = lambda: official.pretraining_loss(network, images, noise, 0.9)  # noqa: E731
    _require_equal(slow_loss, lambda: network.training_loss(images, noise, 0.9))
    slow = _step(slow_loss, official.adamw(pretraining_groups(network, 0.05), 0.95))
    quick = _step(
        lambda: network.training_loss(images, noise, 0.9), adamw(pretraining_groups(network, 0.05), 0.95), bfloat16=fast
    )
    goal = Goal(at_least=2.5 if fast else 1.0)
    rows.append(compare("official / ours, pre-training step", BATCH, slow, quick, goal=goal, repeats=_REPEATS))
    facts += _speeds("pre-training", rows[-1])
    bar.update()

    classifier = vit("vit_small", num_findings=NUM_FINDINGS, head="avg").train()
    groups = finetuning_groups(classifier, len(classifier.blocks), 0.05, _LAYER_DECAY)
    slow_loss = lambda: official.classification_loss(classifier, images, labels)  # noqa: E731
    _require_equal(slow_loss, lambda: masked_bce(classifier(images), labels))
    slow = _step(slow_loss, official.adamw(groups, 0.999))
    quick = _step(lambda: masked_bce(classifier(images).float(), labels), adamw(groups, 0.999), bfloat16=fast)
    goal = Goal(at_least=2.0 if fast else 1.0)
    rows.append(compare("official / ours, fine-tuning step", BATCH, slow, quick, goal=goal, repeats=_REPEATS))
    facts += _speeds("fine-tuning", rows[-1])
    bar.update()

    rows += _mask_ratios(network, images, noise, bar, bfloat16=fast)
    bar.close()
    return rows, facts


def _mask_ratios(network: MaskedAutoencoder, images: Tensor, noise: Tensor, bar: tqdm, *, bfloat16: bool) -> list[Row]:  # type: ignore[type-arg]  # tqdm is generic in its stubs alone
    """The paper's "2.5x" is the ratio of encoder tokens; of a whole step much less is left."""
    optimizer = adamw(pretraining_groups(network, 0.05), 0.95)

    def encoder(mask_ratio: float) -> Callable[[], object]:
        ids_keep = noise.argsort(dim=1)[:, : keep_count(network.num_patches, mask_ratio)]
        return _step(lambda: network.encode(images, ids_keep).square().mean(), None, bfloat16=bfloat16)

    def whole(mask_ratio: float) -> Callable[[], object]:
        return _step(lambda: network.training_loss(images, noise, mask_ratio), optimizer, bfloat16=bfloat16)

    rows = []
    for name, step in (("encoder, forward and backward", encoder), ("whole step", whole)):
        label = f"mask ratio 0.75 / 0.90, {name}"
        rows.append(compare(label, BATCH, step(0.75), step(0.90), goal=Goal(), repeats=_REPEATS))
        bar.update()
    return rows


def _step(
    loss_of: Callable[[], Tensor], optimizer: Optimizer | None, *, bfloat16: bool = False
) -> Callable[[], object]:
    """Forward, backward and, with an optimizer, the update."""

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16) if bfloat16 else contextlib.nullcontext():
            loss = loss_of()
        if optimizer is not None:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if optimizer is not None:
            optimizer.step()

    return step


@torch.no_grad()
def _require_equal(one: Callable[[], Tensor], other: Callable[[], Tensor]) -> None:
    losses = [float(one()), float(other())]
    if not abs(losses[0] - losses[1]) <= _TOLERANCE * abs(losses[0]):
        raise ParityError(f"the official step has loss {losses[0]}, ours {losses[1]}")


def _speeds(what: str, row: Row) -> list[Fact]:
    return [
        Fact(f"{what}, official step", row.batch / row.numerator_ms * 1000, "img/s"),
        Fact(f"{what}, our step", row.batch / row.denominator_ms * 1000, "img/s"),
    ]
