"""Fine-tuning a classifier on findings, unknown labels masked."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from models.nets.vit import VIT_SHAPES, Head, VitClassifier, vit
from training.data.augment import RandAugment
from training.data.crops import normalise, random_resized_crop
from training.loop import train
from training.optim import adamw, finetuning_groups
from training.recipes.types import FinetuneRecipe
from training.run import Run


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images and what is known of them.

    Attributes:
        images: (N, P, P) uint8.
        labels: (N, F) float32, 1 present, 0 absent, NaN unknown.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.float32]


def masked_bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy, averaged over the known labels.

    Args:
        logits: (B, F).
        labels: (B, F), NaN where unknown; such entries give neither loss nor gradient.

    Raises:
        ValueError: no label of the batch is known.
    """
    known = ~labels.isnan()
    if not known.any():
        raise ValueError("a batch without a single known label has no loss")
    return functional.binary_cross_entropy_with_logits(logits[known], labels[known])


def build_classifier(recipe: FinetuneRecipe, num_findings: int) -> VitClassifier:
    """The recipe's network with a nearly silent head, so that the first steps change the head before the trunk.

    Source: facebookresearch/mae, main_finetune.py (`trunc_normal_(head.weight, std=2e-5)`).
    """
    torch.manual_seed(recipe.seed)
    network = vit(
        recipe.encoder,
        num_findings=num_findings,
        head=cast("Head", recipe.head),
        image_size_px=recipe.image_size_px,
        drop_path=recipe.drop_path,
    )
    head: torch.nn.Linear = network.get_submodule("head")  # type: ignore[assignment]  # a Linear where there are findings
    torch.nn.init.trunc_normal_(head.weight, std=2e-5)
    return network


def finetune(
    recipe: FinetuneRecipe, network: VitClassifier, data: LabelledImages, run: Run, device: torch.device
) -> VitClassifier | None:
    """Train a classifier.

    Args:
        recipe: augmentation and optimisation.
        network: the classifier, initialised.
        data: packed training images with labels.
        run: folder for checkpoints and the log; a checkpoint in it is continued.
        device: where the network lives.

    Returns:
        The trained network in eval mode, or None if the run was told to stop before its end.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    network.to(device).train()
    depth, optim = VIT_SHAPES[recipe.encoder].depth, recipe.optim
    optimizer = adamw(finetuning_groups(network, depth, optim.weight_decay, optim.layer_decay), optim.beta2)
    augment = RandAugment(recipe.rand_augment)

    def step(rows: NDArray[np.int64], generator: torch.Generator) -> float:
        batch = torch.from_numpy(data.images[rows])  # RandAugment works on the host
        crops = augment(random_resized_crop(batch, recipe.image_size_px, recipe.crop_scale, generator), generator)
        return train_step(network, optimizer, crops.to(device), torch.from_numpy(data.labels[rows]).to(device))

    done = train(network, optimizer, step, recipe=recipe, num_images=len(data.images), run=run)
    return network.eval() if done else None


def train_step(network: VitClassifier, optimizer: Optimizer, crops: Tensor, labels: Tensor) -> float:
    """One step on uint8 crops (B, S, S) and labels (B, F); gives the loss."""
    device = crops.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        logits = network(normalise(crops))
    loss = masked_bce(logits.float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.item()
