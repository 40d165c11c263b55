"""What a recipe says: typed, frozen, complete."""

from dataclasses import dataclass
from typing import Literal

from models.imaging.preprocess import Geometry

Normalisation = Literal["grey", "imagenet", "per-dataset"]
Known = Literal["all", "any"]


@dataclass(frozen=True, slots=True)
class Optim:
    """Optimisation of one run.

    Attributes:
        epochs: passes over the training images.
        batch: images a step, over all processes and micro-batches.
        base_lr: learning rate for a batch of 256; the rate used is base_lr * batch / 256.
        min_lr: learning rate at the end of the cosine.
        warmup_epochs: epochs of linear rise from 0.
        weight_decay: AdamW's; LARS's in linear probing.
        beta2: AdamW's second moment; 0.95 in pre-training, 0.999 in fine-tuning.
        layer_decay: factor on the learning rate from one layer to the one below it; vision transformers only.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What every run states.

    Attributes:
        name: of the run's folder and progress bar.
        optim: optimisation.
        data: names in `training.data.catalogue`, concatenated in this order.
        share: part of the training patients that is used, in (0, 1].
        image_size_px: rows and columns the network sees.
        packed_size_px: rows and columns of the packed images, from which crops are taken.
        geometry: how a picture is laid on the packed square, and on the network's where nothing is cropped.
        normalisation: `grey` is (x / 255 - 0.5056) / 0.252; `imagenet` is ImageNet's mean and deviation a channel;
            `per-dataset` is the official pre-training's: `grey` for ChestX-ray14, `imagenet` for all else.
        seed: of weights, order, crops, masks, augmentation and DropPath.
    """

    name: str
    optim: Optim
    data: tuple[str, ...] = ("manifest",)
    share: float = 1.0
    image_size_px: int = 224
    packed_size_px: int = 256
    geometry: Geometry = Geometry.LETTERBOX
    normalisation: Normalisation = "grey"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"{self.name}: share={self.share:g}, and it lies in (0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlabelledRecipe(Recipe):
    """A run that needs no labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainRecipe(UnlabelledRecipe):
    """A masked autoencoder's run: network, masks, crops.

    Attributes:
        mask_ratio: share of the patches that is hidden.
        mask_ratios: if any, each step hides one of these shares, drawn evenly, in place of `mask_ratio`: an anomaly map
            shows more than the tenth of a picture that a classifier's encoder is trained on.
    """

    encoder: str
    decoder: str
    mask_ratio: float = 0.90  # arXiv:2210.12843; MAE on ImageNet uses 0.75
    mask_ratios: tuple[float, ...] = ()
    crop_scale: tuple[float, float] | None = (0.5, 1.0)  # 0.2 to 1.0 on ImageNet; None resizes the whole picture
    norm_pix_loss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintRecipe(UnlabelledRecipe):
    """A U-Net on DenseNet-121 that paints hidden squares: the paper's masked pre-training of a convolutional network.

    Attributes:
        loss_on: `all` pixels, as the official code has it, or the `hidden` ones.
    """

    mask_ratio: float = 0.75
    crop_scale: tuple[float, float] | None = (0.5, 1.0)
    loss_on: Literal["all", "hidden"] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class MocoRecipe(UnlabelledRecipe):
    """Momentum contrast, version 2 (arXiv:2003.04297).

    Attributes:
        encoder: `densenet121`, `resnet50` or `slim18`.
        temperature: of the softmax over similarities.
        momentum: of the key encoder.
        queue: keys that are kept as negatives.
        splits: parts of a process's keys that each have a batch norm of their own (`models.nets.moco`).
        crop_scale: of the two views.
    """

    encoder: str = "densenet121"
    temperature: float = 0.2
    momentum: float = 0.999
    queue: int = 65_536
    splits: int = 1
    crop_scale: tuple[float, float] = (0.2, 1.0)


@dataclass(frozen=True, slots=True)
class FromRun:
    """Start from the network of another run, which `reproduce` makes first where it is missing."""

    recipe: UnlabelledRecipe


@dataclass(frozen=True, slots=True)
class FromFile:
    """Start from weights that others published.

    Attributes:
        key: what `--weights KEY=PATH` calls the file.
        origin: where it comes from, for people.
    """

    key: str
    origin: str


Start = FromRun | FromFile | None  # None: random weights


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneRecipe(Recipe):
    """A classifier's run: network, initialisation, augmentation.

    Attributes:
        encoder: a name of `VIT_SHAPES`, `densenet121` or `resnet50`.
        head: of a vision transformer: over the class token or the mean of the patch tokens.
        start: what the trunk starts from.
        drop_path: rate at the last block; blocks below have proportionally less.
        rand_augment: timm's policy, or `none`.
        crop_scale: share of the area that a crop keeps.
        eval_every: epochs between scorings of the validation split; the best of them is kept. 0 keeps the last epoch.
        known: which rows are used: those with `all` labels known, or with `any`.
        keep_boxes: train on patients with a radiologist's box, too.
        folds: parts into which the training patients are cut, by a hash; 0 uses all of them.
        held_fold: the part that is left out, from 0.
        average: decay of an exponential moving average of the weights, which is what is kept in the end; None keeps the
            last weights. Not together with `eval_every`, which keeps other weights.
        refit_head: scikit-learn's C of a logistic regression that replaces the head at the end; None keeps the head.
    """

    encoder: str
    head: Literal["token", "avg"] = "token"
    start: Start = None
    drop_path: float = 0.2
    rand_augment: str = "rand-m6-mstd0.5-inc1"
    crop_scale: tuple[float, float] = (0.08, 1.0)  # timm's default, which the official fine-tuning uses
    eval_every: int = 0
    known: Known = "all"
    keep_boxes: bool = True
    folds: int = 0
    held_fold: int = 0
    average: float | None = None
    refit_head: float | None = None

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)  # classes with slots are made anew, and super() looks for the old one
        require_fold(self.name, self.folds, self.held_fold)
        if self.average is not None and self.eval_every:
            raise ValueError(f"{self.name}: the average or the best epoch can be kept, not both")
        if self.refit_head is not None and self.normalisation != "grey":
            raise ValueError(f"{self.name}: a head is solved on images of normalisation grey, not {self.normalisation}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinprobeRecipe(Recipe):
    """A linear head with batch normalisation on a frozen trunk, trained with LARS.

    Attributes:
        encoder: a name of `VIT_SHAPES`.
        head: what the trunk gives: its class token or the mean of its patch tokens.
        start: what the trunk starts from.
        crop_scale: share of the area that a crop keeps.
        eval_every, known, keep_boxes: as in `FinetuneRecipe`.
    """

    encoder: str
    head: Literal["token", "avg"] = "token"
    start: Start = None
    crop_scale: tuple[float, float] = (0.08, 1.0)
    eval_every: int = 0
    known: Known = "all"
    keep_boxes: bool = True


def require_fold(name: str, folds: int, held_fold: int) -> None:
    """Refuse a fold that is none of them with `ValueError`; 0 folds hold nothing out."""
    if folds and not (folds > 1 and 0 <= held_fold < folds):
        raise ValueError(f"{name}: no fold {held_fold} of {folds}")


@dataclass(frozen=True, slots=True)
class ExportRecipe:
    """What goes into a bundle.

    Attributes:
        masks: numbers of groups K that the anomaly map may use; the first is the default.
        map_threshold: of a scaled Grad-CAM map; what lies above may become a box.
        smoothing_px: deviation of the Gaussian over the anomaly map; half a patch hides the patch lattice.
        map_scale: calibrated anomaly (standard deviations above normal) that is shown as 1.
        weights: how both files store them; both compute in float32.
        bands_px, darker, own_unit: of the signed difference, as `BandsSpec` has them; without bands the absolute one is
            measured.
    """

    name: str
    version: str
    masks: tuple[int, ...] = (10,)
    map_threshold: float = 0.5
    smoothing_px: float = 8.0
    map_scale: float = 4.0
    weights: Literal["float16", "int8"] = "float16"
    bands_px: tuple[float, ...] = ()
    darker: float = 0.5
    own_unit: float = 1.0
