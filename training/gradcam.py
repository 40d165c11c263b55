"""pytorch-grad-cam's own maps: the oracle of ours, and the slow way to the same picture."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from models.nets.architecture import Classifier
from models.nets.vit import VitClassifier


def gradcam_maps(network: Classifier, images: Tensor) -> NDArray[np.float32]:
    """Grad-CAM of every finding: one backward pass a finding.

    Args:
        network: in eval mode.
        images: (B, 3, S, S) normalised.

    Returns:
        (B, F, S, S), each map scaled to [0, 1], resized, and scaled again, as that library does.
    """
    columns = range(network.config.num_findings)
    return np.stack([gradcam_of(network, images, [column] * len(images)) for column in columns], axis=1)


def gradcam_of(network: Classifier, images: Tensor, columns: Sequence[int]) -> NDArray[np.float32]:
    """Grad-CAM of one finding an image: one backward pass for all of them.

    Target layers are those of arXiv:2210.12843, section 5.3: `norm1` of the last block of a vision transformer,
    `features.denseblock4` of a DenseNet; of a ResNet it is `layer4`, as in the Grad-CAM paper (arXiv:1610.02391).

    Args:
        network: in eval mode.
        images: (B, 3, S, S) normalised, on its device.
        columns: B outputs, one for each image.

    Returns:
        (B, S, S) as of `gradcam_maps`.
    """
    layer, reshape = _target(network)
    with GradCAM(network, [layer], reshape_transform=reshape) as cam:
        maps: NDArray[np.float32] = cam(images, [ClassifierOutputTarget(column) for column in columns])
    return maps


def _target(network: Classifier) -> tuple[nn.Module, Callable[[Tensor], Tensor] | None]:
    """The layer to look at, and how its output becomes a grid."""
    if not isinstance(network, VitClassifier):
        name = "layer4" if hasattr(network, "layer4") else "features.denseblock4"
        return network.get_submodule(name), None
    grid = network.patch_embed.grid_size

    def to_grid(tokens: Tensor) -> Tensor:
        patches: Tensor = tokens[:, 1:].transpose(1, 2).unflatten(2, grid)
        return patches

    return network.blocks.get_submodule(f"{len(network.blocks) - 1}.norm1"), to_grid
