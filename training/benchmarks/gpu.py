"""Training through the real engine: speed, model FLOP use, memory, waiting; beside the official step in eager fp16.

Meant for one CUDA device. It runs on a CPU, too, at the small size in which a test keeps it working. The images are
noise and lie on the device, as a data set of this size would.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from models.nets.cost import measure as cost_of
from models.nets.mae import mae
from models.nets.vit import vit
from training.benchmarks import official
from training.benchmarks.ratio import Fact
from training.data.packed import PackedImages
from training.engine import Engine, default_engine
from training.finetune import LabelledImages, finetune
from training.optim import finetuning_groups, pretraining_groups
from training.pretrain import pretrain
from training.recipes.types import FinetuneRecipe, Optim, PretrainRecipe, Recipe
from training.run import LOG, Run
from training.trunks import build_classifier

# Dense bfloat16, as the makers state it; TFLOP/s by what the device's name contains.
PEAK_TFLOPS: Mapping[str, float] = {"H200": 989.0, "H100": 989.0, "A100": 312.0}
NUM_FINDINGS = 14
PAPER_IMAGES = 266_340 * 800
_BACKWARD = 3  # a training step costs three forward passes

PRETRAIN = PretrainRecipe(
    name="pre-training",
    encoder="vit_small",
    decoder="512x2",
    optim=Optim(epochs=16, batch=2048, base_lr=1.5e-4, warmup_epochs=1, beta2=0.95),
)
FINETUNE = FinetuneRecipe(
    name="fine-tuning",
    encoder="vit_small",
    head="avg",
    optim=Optim(epochs=4, batch=1024, base_lr=2.5e-4, warmup_epochs=1, min_lr=1e-5, layer_decay=0.55),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        pretrain: recipe of pre-training, whose images a second are the first fact.
        finetune: recipe of fine-tuning.
        num_images: on the device.
        official_batches: of the official steps, pre-training and fine-tuning; a GPU's share of the official batches.
        official_steps: timed, after as many that warm up.
    """

    pretrain: PretrainRecipe = PRETRAIN
    finetune: FinetuneRecipe = FINETUNE
    num_images: int = 32_768
    official_batches: tuple[int, int] = (256, 128)
    official_steps: int = 20


def measure(size: Size, engine: Engine) -> list[Fact]:
    """Numbers of the engine's device, over the second half of each run, when compilation is over."""
    engine = replace(engine, is_resident=True)
    side = size.pretrain.packed_size_px
    pixels = np.random.Generator(np.random.PCG64(0)).integers(256, size=(size.num_images, side, side), dtype=np.uint8)
    images = PackedImages.joined([pixels])
    facts = _pretraining(size.pretrain, images, engine)
    facts.append(Fact("266,340 images x 800 epochs at that speed", PAPER_IMAGES / facts[0].value / 3600, "h"))
    facts += _pretraining(replace(size.pretrain, mask_ratio=0.75), images, engine)[:1]
    facts += _finetuning(size.finetune, images, engine)
    for what, official_step in (("pre-training", _official_pretraining), ("fine-tuning", _official_finetuning)):
        speed = official_step(size, torch.device(engine.device))
        facts.append(Fact(f"{what}, the official step in eager fp16", speed, "img/s"))
    return facts


def measure_cuda() -> list[Fact]:
    """Full size on the first CUDA device; nothing where there is none."""
    return measure(Size(), default_engine()) if torch.cuda.is_available() else []


def _pretraining(recipe: PretrainRecipe, images: PackedImages, engine: Engine) -> list[Fact]:
    with tempfile.TemporaryDirectory() as folder:
        _reset_memory()
        pretrain(recipe, images, Run(Path(folder), interval_s=1e9), engine, engine.launch())
        network = mae(recipe.encoder, recipe.decoder, image_size_px=recipe.image_size_px).to("meta")
        noise = torch.zeros(1, network.num_patches, device="meta")
        macs = cost_of(network, _one_image(recipe), noise, recipe.mask_ratio).true_macs
        what = f"{recipe.encoder} pre-training, {recipe.mask_ratio:.0%} hidden, decoder {recipe.decoder}"
        return _facts(what, recipe, Path(folder), macs)


def _finetuning(recipe: FinetuneRecipe, images: PackedImages, engine: Engine) -> list[Fact]:
    labels = np.zeros((len(images), NUM_FINDINGS), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        _reset_memory()
        run, network = Run(Path(folder), interval_s=1e9), build_classifier(recipe, NUM_FINDINGS)
        finetune(recipe, network, LabelledImages(images, labels), run, engine, engine.launch())
        plain = vit(recipe.encoder, num_findings=NUM_FINDINGS, head="avg", image_size_px=recipe.image_size_px)
        macs = cost_of(plain.to("meta"), _one_image(recipe)).true_macs
        return _facts(f"{recipe.encoder} fine-tuning, {recipe.rand_augment}", recipe, Path(folder), macs)


def _facts(what: str, recipe: Recipe, folder: Path, macs: int) -> list[Fact]:
    """From the run's own log: medians over its second half."""
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    lines = [line for line in lines if "images_per_s" in line]
    tail = lines[len(lines) // 2 :]
    speed = float(np.median([line["images_per_s"] for line in tail]))
    wait = float(np.median([line["data_wait"] for line in tail]))
    facts = [
        Fact(f"{what}, batch {recipe.optim.batch}", speed, "img/s"),
        Fact(f"{what}, share of a step spent waiting for data", wait, ""),
    ]
    if torch.cuda.is_available():
        facts.append(Fact(f"{what}, peak memory", torch.cuda.max_memory_allocated() / 2**30, "GiB"))
        peak = next((value for name, value in PEAK_TFLOPS.items() if name in torch.cuda.get_device_name()), None)
        if peak is not None:
            use = speed * 2 * macs * _BACKWARD / (peak * 1e12)
            facts.append(Fact(f"{what}, model FLOP use of {peak:g} TFLOP/s", use, ""))
    return facts


def _official_pretraining(size: Size, device: torch.device) -> float:
    recipe, batch = size.pretrain, size.official_batches[0]
    network = mae(recipe.encoder, recipe.decoder, image_size_px=recipe.image_size_px).to(device).train()
    optimizer = official.adamw(pretraining_groups(network, 0.05), 0.95)
    images = torch.randn(batch, 3, recipe.image_size_px, recipe.image_size_px, device=device)
    noise = torch.rand(batch, network.num_patches, device=device)
    return _eager_fp16(
        lambda: official.pretraining_loss(network, images, noise, recipe.mask_ratio), optimizer, batch, size, device
    )


def _official_finetuning(size: Size, device: torch.device) -> float:
    recipe, batch = size.finetune, size.official_batches[1]
    network = vit(recipe.encoder, num_findings=NUM_FINDINGS, head="avg", image_size_px=recipe.image_size_px)
    network = network.to(device).train()
    optimizer = official.adamw(finetuning_groups(network, len(network.blocks), 0.05, 0.55), 0.999)
    images = torch.randn(batch, 3, recipe.image_size_px, recipe.image_size_px, device=device)
    labels = torch.zeros(batch, NUM_FINDINGS, device=device)
    return _eager_fp16(lambda: official.classification_loss(network, images, labels), optimizer, batch, size, device)


def _eager_fp16(
    loss_of: Callable[[], Tensor], optimizer: Optimizer, batch: int, size: Size, device: torch.device
) -> float:
    """Images a second with float16 autocast, a gradient scaler, and the loss read after each step, as it is there."""
    scaler, begin = torch.amp.GradScaler(device.type), 0.0
    for step in range(2 * size.official_steps):
        if step == size.official_steps:
            begin = time.perf_counter()
        with torch.autocast(device.type, torch.float16):
            loss = loss_of()
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        loss.item()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return batch * size.official_steps / (time.perf_counter() - begin)


def _one_image(recipe: Recipe) -> Tensor:
    """Without numbers: costs are counted from shapes."""
    return torch.zeros(1, 3, recipe.image_size_px, recipe.image_size_px, device="meta")


def _reset_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
