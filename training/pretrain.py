"""Masked-autoencoder pre-training: hide most of each crop, paint it, compare."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from models.nets.mae import MaskedAutoencoder, mae
from training.data.crops import normalise, random_resized_crop
from training.loop import train
from training.optim import adamw, pretraining_groups
from training.recipes.types import PretrainRecipe
from training.run import Run


def pretrain(
    recipe: PretrainRecipe, images: NDArray[np.uint8], run: Run, device: torch.device
) -> MaskedAutoencoder | None:
    """Train a masked autoencoder on packed images.

    Args:
        recipe: network, masks, crops, optimisation.
        images: (N, P, P) uint8.
        run: folder for checkpoints and the log; a checkpoint in it is continued.
        device: where the network lives; images stay in host memory until their batch is due.

    Returns:
        The trained network in eval mode, or None if the run was told to stop before its end.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    torch.manual_seed(recipe.seed)
    network = mae(
        recipe.encoder, recipe.decoder, image_size_px=recipe.image_size_px, norm_pix_loss=recipe.norm_pix_loss
    )
    network.to(device).train()
    optimizer = adamw(pretraining_groups(network, recipe.optim.weight_decay), recipe.optim.beta2)

    def step(rows: NDArray[np.int64], generator: torch.Generator) -> float:
        batch = torch.from_numpy(images[rows]).to(device)
        crops = random_resized_crop(batch, recipe.image_size_px, recipe.crop_scale, generator)
        noise = torch.rand(len(rows), network.num_patches, generator=generator).to(device)
        return train_step(network, optimizer, crops, noise, recipe.mask_ratio)

    done = train(network, optimizer, step, recipe=recipe, num_images=len(images), run=run)
    return network.eval() if done else None


def train_step(
    network: MaskedAutoencoder, optimizer: Optimizer, crops: Tensor, noise: Tensor, mask_ratio: float
) -> float:
    """One step on uint8 crops (B, S, S); gives the loss."""
    device = crops.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        loss = network.training_loss(normalise(crops), noise, mask_ratio)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.item()
