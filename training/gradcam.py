"""pytorch-grad-cam's own maps: the oracle of ours, and the slow way to the same picture."""

import numpy as np
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor

from models.nets.vit import VitClassifier


def gradcam_maps(network: VitClassifier, images: Tensor) -> NDArray[np.float32]:
    """Grad-CAM of every finding at `norm1` of the last block: one backward pass a finding.

    Args:
        network: in eval mode.
        images: (B, 3, S, S) normalised.

    Returns:
        (B, F, S, S), each map scaled to [0, 1], resized, and scaled again, as that library does.
    """
    grid = network.patch_embed.grid_size

    def to_grid(tokens: Tensor) -> Tensor:
        patches: Tensor = tokens[:, 1:].transpose(1, 2).unflatten(2, grid)
        return patches

    with GradCAM(network, [network.blocks[-1].norm1], reshape_transform=to_grid) as cam:
        maps = [cam(images, [ClassifierOutputTarget(finding)] * len(images)) for finding in range(network.num_classes)]
    return np.stack(maps, axis=1)
