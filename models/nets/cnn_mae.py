"""The masked autoencoder of the paper's convolutional baseline: in-painting by a U-Net around DenseNet-121.

The only door of segmentation-models-pytorch.
"""

from dataclasses import dataclass
from typing import Literal

from segmentation_models_pytorch import Unet
from torch import Tensor, nn
from torch.nn import functional

from models.nets.mae import Reconstruction
from models.nets.masking import keep_count, mask_from_noise
from models.nets.patches import patchify, unpatchify

LossOn = Literal["all", "hidden"]


@dataclass(frozen=True, slots=True)
class InpaintingConfig:
    """Architecture of an in-painting autoencoder, and which pixels its loss compares.

    Attributes:
        image_size_px: side of an image; a multiple of 32, which the U-Net halves five times, and of the patches.
        patch_size_px: side of what is hidden at once.
        loss_on: `all` pixels as the official code, or the `hidden` ones alone as MAE.
    """

    image_size_px: int = 224
    patch_size_px: int = 16
    loss_on: LossOn = "all"

    def __post_init__(self) -> None:
        for side_px in (32, self.patch_size_px):
            if self.image_size_px < side_px or self.image_size_px % side_px:
                raise ValueError(f"an image of {self.image_size_px} px is no multiple of {side_px} px")


class InpaintingAutoencoder(nn.Module):
    """U-Net that sees an image with hidden patches blacked out and paints the whole; names are medical_mae's.

    Hidden patches are 0 in normalised space, which is the mean grey; there is no mask token.

    Source: "MAE" for CNNs in table 1 of arXiv:2210.12843, after context encoders (arXiv:1604.07379) and Models Genesis.
    """

    def __init__(self, config: InpaintingConfig) -> None:
        super().__init__()
        self.config = config
        self.grid = config.image_size_px // config.patch_size_px
        self.model = Unet("densenet121", encoder_weights=None, in_channels=3, classes=3)

    @property
    def num_patches(self) -> int:
        """Patches of one image, L."""
        return self.grid**2

    def hide(self, images: Tensor, mask: Tensor) -> Tensor:
        """Set hidden patches to zero: images (B, 3, S, S) and mask (B, L), 1 = hidden."""
        shown = (1 - mask.unsqueeze(-1)).expand(-1, -1, self.config.patch_size_px**2)
        return images * unpatchify(shown, self.config.patch_size_px, self.grid)

    def forward(self, images: Tensor, noise: Tensor, mask_ratio: float) -> Reconstruction:
        """Hide patches, paint all, compare.

        The loss is the mean squared error over all pixels, visible ones included, as the official code computes it;
        over the hidden ones where the config says so.

        Args:
            images: (B, 3, S, S) normalised.
            noise: (B, L), any order-giving values; the smallest stay visible.
            mask_ratio: share hidden; `keep_count` says how many stay.
        """
        masking = mask_from_noise(noise, keep_count(self.num_patches, mask_ratio))
        painted = self.model(self.hide(images, masking.mask))
        error = self._cut((painted - images).square()).mean(dim=-1)
        return Reconstruction(self._mean(error, masking.mask), self._cut(painted), masking.mask, masking.ids_restore)

    def training_loss(self, images: Tensor, noise: Tensor, mask_ratio: float) -> Tensor:
        """The loss of `forward`: what a training step needs and no more."""
        if self.config.loss_on == "hidden":
            return self(images, noise, mask_ratio).loss  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped
        masking = mask_from_noise(noise, keep_count(self.num_patches, mask_ratio))
        return functional.mse_loss(self.model(self.hide(images, masking.mask)), images)

    def _cut(self, images: Tensor) -> Tensor:
        return patchify(images, self.config.patch_size_px)

    def _mean(self, error: Tensor, mask: Tensor) -> Tensor:
        return error.mean() if self.config.loss_on == "all" else (error * mask).sum() / mask.sum()
