"""What a recipe says: typed, frozen, complete."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Optim:
    """Optimisation of one run.

    Attributes:
        epochs: passes over the training images.
        batch: images a step.
        base_lr: learning rate for a batch of 256; the rate used is base_lr * batch / 256.
        min_lr: learning rate at the end of the cosine.
        warmup_epochs: epochs of linear rise from 0.
        weight_decay: AdamW's.
        beta2: AdamW's second moment; 0.95 in pre-training, 0.999 in fine-tuning.
        layer_decay: factor on the learning rate from one layer to the one below it.
    """

    epochs: int
    batch: int
    base_lr: float
    warmup_epochs: float
    min_lr: float = 0.0
    weight_decay: float = 0.05
    beta2: float = 0.999
    layer_decay: float = 1.0

    @property
    def peak_lr(self) -> float:
        """Learning rate after the warm-up, by the linear scaling rule."""
        return self.base_lr * self.batch / 256


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """A masked autoencoder's run: network, masks, crops, optimisation."""

    name: str
    encoder: str
    decoder: str
    optim: Optim
    mask_ratio: float = 0.90  # arXiv:2210.12843; MAE on ImageNet uses 0.75
    crop_scale: tuple[float, float] = (0.5, 1.0)  # 0.2 to 1.0 on ImageNet
    image_size_px: int = 224
    packed_size_px: int = 256
    norm_pix_loss: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FinetuneRecipe:
    """A classifier's run: network, initialisation, augmentation, optimisation.

    Attributes:
        refit_head: scikit-learn's C of a logistic regression that replaces the head at the end; None keeps the head.
    """

    name: str
    encoder: str
    optim: Optim
    head: str = "token"
    initialisation: Path | None = None
    drop_path: float = 0.2
    rand_augment: str = "rand-m6-mstd0.5-inc1"
    crop_scale: tuple[float, float] = (0.08, 1.0)  # timm's default, which the official fine-tuning uses
    refit_head: float | None = None
    image_size_px: int = 224
    packed_size_px: int = 256
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ExportRecipe:
    """What goes into a bundle.

    Attributes:
        masks: numbers of groups K that the anomaly map may use; the first is the default.
        map_threshold: of a scaled Grad-CAM map; what lies above may become a box.
        smoothing_px: deviation of the Gaussian over the anomaly map; half a patch hides the patch lattice.
        map_scale: calibrated anomaly (standard deviations above normal) that is shown as 1.
    """

    name: str
    version: str
    masks: tuple[int, ...] = (10,)
    map_threshold: float = 0.5
    smoothing_px: float = 8.0
    map_scale: float = 4.0
