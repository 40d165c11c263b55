"""JSON that every answer has in common, as docs/interface.md promises it."""

from base64 import b64encode
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from models.imaging.gate import GateResult, Verdict
from models.imaging.geometry import Box
from models.imaging.heatmap import png_bytes
from models.imaging.preprocess import Geometry
from models.imaging.radiograph import Header, ImageFormat
from service.inference.answers import ScoredBox, ServedModel, Timings
from service.inference.upload import DecodedUpload

PngUrl = Annotated[str, Field(description="data:image/png;base64,... at model size; `geometry` places it")]


class Body(BaseModel):
    """A part of an answer; NaN and infinity are bugs here, not values."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class ModelBody(Body):
    """Which model answered; `sha256` is that of its manifest, `thresholds` names the set of thresholds."""

    name: str
    version: str
    sha256: str
    thresholds: str

    @classmethod
    def of(cls, model: ServedModel) -> Self:
        manifest = model.manifest
        return cls(
            name=manifest.name, version=manifest.version, sha256=model.sha256, thresholds=manifest.thresholds.name
        )


class ImageBody(Body):
    """The picture that was uploaded. The last four are None for PNG and JPEG, and where a header lacks them.

    Of a PNG or JPEG with an EXIF orientation, `height`, `width` and all boxes are of the picture turned as EXIF says.
    """

    format: ImageFormat
    height: int
    width: int
    modality: str | None
    view_position: str | None
    photometric_interpretation: str | None
    transfer_syntax_uid: str | None

    @classmethod
    def of(cls, upload: DecodedUpload) -> Self:
        header = upload.header or Header()
        return cls(
            format=upload.format,
            height=upload.placement.height,
            width=upload.placement.width,
            modality=header.modality,
            view_position=header.view_position,
            photometric_interpretation=header.photometric_interpretation,
            transfer_syntax_uid=header.transfer_syntax_uid,
        )


class GateBody(Body):
    """Whether the picture passes for a frontal chest radiograph, and why not.

    `score` says how much it looks like one, 0 to 1, in the orientation that suits it best.
    """

    verdict: Verdict
    reasons: list[str]
    score: float | None

    @classmethod
    def of(cls, gate: GateResult) -> Self:
        return cls(verdict=gate.verdict, reasons=list(gate.reasons), score=gate.score)


class RectangleBody(Body):
    """Half-open pixel edges."""

    top: float
    left: float
    bottom: float
    right: float

    @classmethod
    def of(cls, box: Box) -> Self:
        return cls(top=box.top, left=box.left, bottom=box.bottom, right=box.right)


class GeometryBody(Body):
    """How pictures at model size lie on the upload: `content`, in their pixels, shows `source`, in the upload's."""

    kind: Geometry
    side: int
    content: RectangleBody
    source: RectangleBody

    @classmethod
    def of(cls, upload: DecodedUpload, kind: Geometry) -> Self:
        top, left, bottom, right = upload.placement.content
        content = Box(top, left, bottom, right)
        source = upload.placement.box_to_image(content)
        return cls(
            kind=kind, side=upload.placement.side, content=RectangleBody.of(content), source=RectangleBody.of(source)
        )


class BoxBody(Body):
    """A region of the upload, half-open pixel edges.

    `score` is the mean scaled map inside it, 0 to 1: of a finding, its saliency map between that map's own least and
    largest value; of an anomaly, the calibrated map over the model's `map_scale`.
    """

    top: int
    left: int
    bottom: int
    right: int
    score: float

    @classmethod
    def of(cls, scored: ScoredBox) -> Self:
        box = scored.box
        return cls(
            top=int(box.top), left=int(box.left), bottom=int(box.bottom), right=int(box.right), score=scored.score
        )


class TimingsBody(Body):
    """Milliseconds: in the decoder process, waiting for a turn, in the graph, and from first to last."""

    decode: float
    queue: float
    infer: float
    total: float

    @classmethod
    def of(cls, timings: Timings) -> Self:
        return cls(
            decode=round(timings.decode_ms, 2),
            queue=round(timings.queue_ms, 2),
            infer=round(timings.infer_ms, 2),
            total=round(timings.total_ms, 2),
        )


def png_url(scaled: NDArray[np.float32]) -> str:
    """A (S, S) map in [0, 1] as a grey PNG in a data URL; 255 is 1, and what is no number is black."""
    grey = np.rint(np.nan_to_num(scaled, nan=0.0).clip(0, 1) * 255).astype(np.uint8)
    return f"data:image/png;base64,{b64encode(png_bytes(grey)).decode()}"
