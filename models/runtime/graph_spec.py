"""What a manifest says of its two graphs."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

# One plain name, so that no entry can point out of the folder, at a drive or at a hidden file.
FileName = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\z", max_length=128)]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, StringConstraints(min_length=1)]


class Section(BaseModel):
    """Frozen, without room for misspelt keys, without NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ClassifierSpec(Section):
    """The findings' graph.

    Attributes:
        saliency_grid: G of the saliency output (B,F,G,G).
        map_threshold: of a scaled map; what lies above may become a box.
        head: "token" (class token) or "average" (mean over patches or positions).
    """

    file: FileName
    saliency_grid: int = Field(gt=0)
    saliency_layer: Text
    map_threshold: Share = 0.5
    head: Literal["token", "average"]
    activation: Literal["sigmoid"] = "sigmoid"


class ReferenceSpec(Section):
    """Normal pictures, mapped with the default masks and one round; `file` as `anomaly_reference` writes it."""

    description: Text
    count: int = Field(gt=0)
    file: FileName = "anomaly_reference.npz"


class BandsSpec(Section):
    """How a signed difference becomes a map; `models.runtime.anomaly_bands` says it in full.

    Attributes:
        widths_px: one band each: the difference minus its Gaussian mean of this deviation, in model pixels; 0 for all
            of the difference.
        darker: weight of what is darker than painted, where brighter weighs 1.
        own_unit: how much of the picture's own typical deviation is divided out, as its exponent: 1 for all of it, 0
            for none.
    """

    widths_px: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1, max_length=4)
    darker: Share
    own_unit: Share = 1.0


class ReconstructorSpec(Section):
    """The masked autoencoder's graph.

    Attributes:
        masks: numbers of groups K that may be asked for; K = 10 hides 90 % of the patches in each pass.
        smoothing_px: standard deviation of the Gaussian over the calibrated map, in model pixels; 0 for none.
        map_threshold: of the scaled map; what lies above may become a box.
        map_scale: calibrated value that the scaled map shows as 1; None: each map's own maximum.
        bands: how the signed difference is measured; None: the absolute difference is, by its excess.
        borrows_weights: its file lacks weights that the classifier's file has under the same names.
    """

    file: FileName
    patch_size: int = Field(gt=0)
    grid: int = Field(gt=0)
    default_masks: int
    masks: tuple[int, ...]
    norm_pix_loss: bool
    smoothing_px: float = Field(default=0, ge=0)
    map_threshold: Share = 0.5
    map_scale: float | None = Field(default=None, gt=0)
    bands: BandsSpec | None = None
    reference: ReferenceSpec | None = None
    borrows_weights: bool = False

    @model_validator(mode="after")
    def _can_draw_a_map(self) -> Self:
        if self.norm_pix_loss:
            raise ValueError("norm_pix_loss: un-normalising takes mean and variance from the input and hides anomalies")
        if self.default_masks not in self.masks or not all(2 <= masks <= self.grid**2 for masks in self.masks):
            raise ValueError(f"masks {self.masks} must lie within 2..{self.grid**2} and hold {self.default_masks}")
        return self
