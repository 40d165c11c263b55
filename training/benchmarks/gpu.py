"""Training on one CUDA device through the real engine: speed, model FLOP use, memory, waiting; beside plain eager fp16.

The images are noise and lie on the device, as a data set of this size would.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
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
NUM_IMAGES, PACKED_PX, NUM_FINDINGS = 32_768, 256, 14
PAPER_IMAGES = 266_340 * 800
_BACKWARD = 3  # a training step costs three forward passes
_OFFICIAL_BATCH = {"pretrain": 256, "finetune": 128}  # a GPU's share of the official batches
_OFFICIAL_STEPS = 20

PRETRAIN = PretrainRecipe(
    name="pretrain",
    encoder="vit_small",
    decoder="512x2",
    optim=Optim(epochs=16, batch=2048, base_lr=1.5e-4, warmup_epochs=1, beta2=0.95),
)
FINETUNE = FinetuneRecipe(
    name="finetune",
    encoder="vit_small",
    head="avg",
    optim=Optim(epochs=4, batch=1024, base_lr=2.5e-4, warmup_epochs=1, min_lr=1e-5, layer_decay=0.55),
)


def measure(*, num_images: int = NUM_IMAGES) -> list[Fact]:
    """Numbers of this machine's first CUDA device; none where there is no such device."""
    if not torch.cuda.is_available():
        return []
    pixels = np.random.Generator(np.random.PCG64(0)).integers(256, size=(num_images, PACKED_PX, PACKED_PX))
    images, engine = PackedImages.joined([pixels.astype(np.uint8)]), replace(default_engine(), is_resident=True)
    facts = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.cuda.reset_peak_memory_stats()
        pretrain(PRETRAIN, images, Run(folder / "pretrain", interval_s=1e9), engine, engine.launch())
        facts += _facts("ViT-S pre-training, 90 %, decoder 512x2", PRETRAIN, folder / "pretrain", _pretraining_macs())
        facts.append(Fact("266,340 images x 800 epochs at that speed", _hours(facts[0].value), "h"))
        labels = np.zeros((num_images, NUM_FINDINGS), np.float32)
        network = build_classifier(FINETUNE, NUM_FINDINGS)
        torch.cuda.reset_peak_memory_stats()
        run = Run(folder / "finetune", interval_s=1e9)
        finetune(FINETUNE, network, LabelledImages(images, labels), run, engine, engine.launch())
        facts += _facts("ViT-S fine-tuning, 224 px", FINETUNE, folder / "finetune", _classifier_macs())
    facts.append(Fact("pre-training, the official step in eager fp16", _official_pretraining(), "img/s"))
    facts.append(Fact("fine-tuning, the official step in eager fp16", _official_finetuning(), "img/s"))
    facts += _mask_ratio(images, engine)
    return facts


def _facts(what: str, recipe: Recipe, folder: Path, macs: int) -> list[Fact]:
    """From the second half of the run's own log, when compilation is over."""
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    lines = [line for line in lines if "images_per_s" in line]
    tail = lines[len(lines) // 2 :]
    speed = float(np.median([line["images_per_s"] for line in tail]))
    facts = [
        Fact(f"{what}, batch {recipe.optim.batch}", speed, "img/s"),
        Fact(f"{what}, share of a step spent waiting for data", np.mean([line["data_wait"] for line in tail]), ""),
        Fact(f"{what}, peak memory", torch.cuda.max_memory_allocated() / 2**30, "GiB"),
    ]
    peak = next((value for name, value in PEAK_TFLOPS.items() if name in torch.cuda.get_device_name()), None)
    if peak is not None:
        use = speed * 2 * macs * _BACKWARD / (peak * 1e12)
        facts.append(Fact(f"{what}, model FLOP use of {peak:g} TFLOP/s", use, ""))
    return facts


def _pretraining_macs() -> int:
    with torch.device("meta"):
        network = mae("vit_small", "512x2")
        return cost_of(network, torch.zeros(1, 3, 224, 224), torch.zeros(1, 196), 0.9).true_macs


def _classifier_macs() -> int:
    with torch.device("meta"):
        network = vit("vit_small", num_findings=NUM_FINDINGS, head="avg")
        return cost_of(network, torch.zeros(1, 3, 224, 224)).true_macs


def _hours(images_per_s: float) -> float:
    return PAPER_IMAGES / images_per_s / 3600


def _official_pretraining() -> float:
    network = mae("vit_small", "512x2").cuda().train()
    optimizer = official.adamw(pretraining_groups(network, 0.05), 0.95)
    images = torch.randn(_OFFICIAL_BATCH["pretrain"], 3, 224, 224, device="cuda")
    noise = torch.rand(len(images), network.num_patches, device="cuda")
    return _eager_fp16(lambda: official.pretraining_loss(network, images, noise, 0.9), optimizer, len(images))


def _official_finetuning() -> float:
    network = vit("vit_small", num_findings=NUM_FINDINGS, head="avg").cuda().train()
    optimizer = official.adamw(finetuning_groups(network, len(network.blocks), 0.05, 0.55), 0.999)
    images = torch.randn(_OFFICIAL_BATCH["finetune"], 3, 224, 224, device="cuda")
    labels = torch.zeros(len(images), NUM_FINDINGS, device="cuda")
    return _eager_fp16(lambda: official.classification_loss(network, images, labels), optimizer, len(images))


def _eager_fp16(loss_of: Callable[[], Tensor], optimizer: Optimizer, batch: int) -> float:
    """Images a second with float16 autocast, a gradient scaler, and the loss read after each step, as it is there."""
    scaler, begin = torch.amp.GradScaler("cuda"), 0.0
    for step in range(2 * _OFFICIAL_STEPS):
        if step == _OFFICIAL_STEPS:
            begin = time.perf_counter()
        with torch.autocast("cuda", torch.float16):
            loss = loss_of()
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        loss.item()
    torch.cuda.synchronize()
    return batch * _OFFICIAL_STEPS / (time.perf_counter() - begin)


def _mask_ratio(images: PackedImages, engine: Engine) -> list[Fact]:
    """The whole step at 75 %, for the ratio that the paper gives as 2.5."""
    with tempfile.TemporaryDirectory() as name:
        recipe = replace(PRETRAIN, mask_ratio=0.75)
        pretrain(recipe, images, Run(Path(name), interval_s=1e9), engine, engine.launch())
        return _facts("ViT-S pre-training, 75 %, decoder 512x2", recipe, Path(name), _pretraining_macs())[:1]
