"""The JSON and the arrays of `POST /anomaly-map`."""

from io import BytesIO
from typing import Self

import numpy as np

from service.inference.answers import Anomaly, ServedModel
from service.inference.schemas import (
    Body,
    BoxBody,
    GateBody,
    GeometryBody,
    ImageBody,
    ModelBody,
    PngUrl,
    TimingsBody,
    png_url,
)


class AnomalyBody(Body):
    """How far the picture differs from what a masked autoencoder paints, measured against normal radiographs.

    `score` is the mean calibrated map over the picture, in standard deviations above normal (of a bundle without
    references, in its difference from the painting, 0 to 1). `percentile` is its place among the bundle's normal
    references (null without references, or with other masks than theirs), to one decimal; it moves with `seed`.
    `map` and the scores of `boxes` are another scale, 0 to 1: the calibrated map over the model's `map_scale`, which
    `/v1/models` states, and 1 beyond it; the grey value 255 is 1.
    """

    score: float
    percentile: float | None
    masks: int
    rounds: int
    seed: int
    boxes: list[BoxBody]
    map: PngUrl
    reconstruction: PngUrl

    @classmethod
    def of(cls, anomaly: Anomaly) -> Self:
        percentile = anomaly.map.percentile
        return cls(
            score=anomaly.map.score,
            percentile=None if percentile is None else round(percentile, 1),
            masks=anomaly.masks,
            rounds=anomaly.rounds,
            seed=anomaly.seed,
            boxes=[BoxBody.of(box) for box in anomaly.boxes],
            map=png_url(anomaly.map.scaled),
            reconstruction=png_url(anomaly.map.reconstruction),
        )


class AnomalyResponse(Body):
    """Anomaly map of one radiograph."""

    request_id: str
    model: ModelBody
    image: ImageBody
    gate: GateBody
    geometry: GeometryBody
    anomaly: AnomalyBody
    timings_ms: TimingsBody

    @classmethod
    def of(cls, anomaly: Anomaly, model: ServedModel, request_id: str) -> Self:
        """Takes some milliseconds: call it off the event loop."""
        upload = anomaly.upload
        return cls(
            request_id=request_id,
            model=ModelBody.of(model),
            image=ImageBody.of(upload),
            gate=GateBody.of(upload.gate),
            geometry=GeometryBody.of(upload, model.manifest.input.geometry),
            anomaly=AnomalyBody.of(anomaly),
            timings_ms=TimingsBody.of(anomaly.timings),
        )


def anomaly_arrays(anomaly: Anomaly) -> bytes:
    """The float maps as an .npz: `difference`, `spread`, `calibrated`, `reconstruction`, all (S, S) float32.

    `content` holds (top, left, bottom, right) of the rows and columns that are picture, and `source` where they lie in
    the upload.
    """
    placement = anomaly.upload.placement
    top, left, bottom, right = placement.content
    corners = (*placement.to_image(top, left), *placement.to_image(bottom, right))
    buffer = BytesIO()
    np.savez(
        buffer,
        difference=anomaly.map.difference,
        spread=anomaly.map.spread,
        calibrated=anomaly.map.calibrated,
        reconstruction=anomaly.map.reconstruction,
        content=np.array(placement.content, np.int64),
        source=np.array(corners, np.float64),
    )
    return buffer.getvalue()
