"""Answers as frames: what a worker writes for a process that waits. JSON and raw arrays, no pickles."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import (
    ImageTooLargeError,
    InvalidBundleError,
    InvalidRequestError,
    NotAChestRadiographError,
    ThorascopeError,
    UndecodableImageError,
    UnsupportedMediaError,
    UploadTooLargeError,
)
from models.imaging.geometry import Box
from models.runtime.anomaly_map import AnomalyMap
from service.inference.answers import (
    Anomaly,
    FindingAnswer,
    FindingSaliency,
    Prediction,
    ScoredBox,
    ServedModel,
    Timings,
)
from service.inference.decode_messages import error_to_header, result_from_frame, result_to_frame
from service.inference.upload import DecodedUpload, DecodeOrder
from service.inference.wire import BrokenWireError, pack_frame, unpack_frame

_MAPS = ("difference", "spread", "calibrated", "scaled", "reconstruction")
_ERRORS = {error.code: error for error in (InvalidRequestError, UploadTooLargeError, InvalidBundleError)}
_DECODER_ERRORS = {
    error.code for error in (UnsupportedMediaError, UndecodableImageError, ImageTooLargeError, NotAChestRadiographError)
}


def prediction_to_frame(prediction: Prediction) -> Iterator[bytes]:
    """The pieces of a frame."""
    header, parts = result_to_frame(replace(prediction.upload, pixels=None))
    rows = []
    for answer in prediction.findings:
        saliency = answer.saliency
        row: dict[str, Any] = {
            "name": answer.finding.name,
            "logit": answer.logit,
            "probability": answer.probability,
            "positive": answer.positive,
        }
        if saliency is not None:
            row["saliency"] = {
                "maximum": saliency.maximum if math.isfinite(saliency.maximum) else None,
                "boxes": list(map(_box_to_row, saliency.boxes)),
                "has_map": saliency.scaled is not None,
            }
            if saliency.scaled is not None:
                parts.append(_bytes(saliency.scaled))
        rows.append(row)
    if prediction.overlay is not None:
        parts.append(memoryview(prediction.overlay))
    answer_header = {
        "findings": rows,
        "timings": asdict(prediction.timings),
        "has_picture": prediction.overlay is not None,
    }
    return map(bytes, pack_frame({"upload": header, **answer_header}, parts))


def anomaly_to_frame(anomaly: Anomaly) -> Iterator[bytes]:
    """The pieces of a frame."""
    header, parts = result_to_frame(replace(anomaly.upload, pixels=None))
    parts += [_bytes(getattr(anomaly.map, name)) for name in _MAPS]
    if anomaly.picture is not None:
        parts.append(memoryview(anomaly.picture))
    answer_header = {
        "score": anomaly.map.score,
        "percentile": anomaly.map.percentile,
        "masks": anomaly.masks,
        "rounds": anomaly.rounds,
        "seed": anomaly.seed,
        "boxes": list(map(_box_to_row, anomaly.boxes)),
        "timings": asdict(anomaly.timings),
        "has_picture": anomaly.picture is not None,
    }
    return map(bytes, pack_frame({"upload": header, **answer_header}, parts))


def failure_to_frame(error: ThorascopeError) -> Iterator[bytes]:
    """The pieces of a frame that raises in the process that reads it."""
    return map(bytes, pack_frame({"upload": error_to_header(error)}, []))


def prediction_from_frame(frame: bytes, model: ServedModel, limit_px: int) -> Prediction:
    """Inverse of `prediction_to_frame`.

    Raises:
        ThorascopeError: the answer is an error.
        BrokenWireError: it is no answer to this question, of this model.
    """
    header, parts = unpack_frame(frame)
    upload = _upload(header, parts, model, limit_px)
    arrays = iter(parts[1:])
    known = {finding.name: finding for finding in model.manifest.findings}
    findings = []
    for row in header["findings"]:
        saliency = None
        if (found := row.get("saliency")) is not None:
            scaled = _array(next(arrays), model) if found["has_map"] else None
            maximum = math.nan if found["maximum"] is None else found["maximum"]
            saliency = FindingSaliency(maximum, tuple(map(_box_from_row, found["boxes"])), scaled)
        finding = known[row["name"]]
        findings.append(FindingAnswer(finding, row["logit"], row["probability"], row["positive"], saliency))
    overlay = bytes(next(arrays)) if header["has_picture"] else None
    return Prediction(upload, tuple(findings), Timings(**header["timings"]), overlay)


def anomaly_from_frame(frame: bytes, model: ServedModel, limit_px: int) -> Anomaly:
    """Inverse of `anomaly_to_frame`; raises as `prediction_from_frame`."""
    header, parts = unpack_frame(frame)
    upload = _upload(header, parts, model, limit_px)
    arrays = iter(parts[1:])
    maps = {name: _array(next(arrays), model) for name in _MAPS}
    return Anomaly(
        upload=upload,
        map=AnomalyMap(**maps, score=header["score"], percentile=header["percentile"]),
        masks=header["masks"],
        rounds=header["rounds"],
        seed=header["seed"],
        boxes=tuple(map(_box_from_row, header["boxes"])),
        timings=Timings(**header["timings"]),
        picture=bytes(next(arrays)) if header["has_picture"] else None,
    )


def _upload(header: dict[str, Any], parts: Sequence[memoryview], model: ServedModel, limit_px: int) -> DecodedUpload:
    told = header["upload"]
    if (code := told.get("error")) is not None:
        if (error := _ERRORS.get(code)) is not None:
            raise error(told["message"])
        if code not in _DECODER_ERRORS:  # an upload is not to be blamed for what we do not know
            raise BrokenWireError("the answer is an error of an unknown kind")
    order = DecodeOrder(model.manifest.input.contract, limit_px)
    return result_from_frame(told, [bytearray(parts[0])] if parts else [], order)


def _bytes(array: NDArray[np.float32]) -> memoryview:
    return np.ascontiguousarray(array, np.float32).data.cast("B")


def _array(part: memoryview, model: ServedModel) -> NDArray[np.float32]:
    side = model.manifest.input.side
    return np.frombuffer(part, np.float32).reshape(side, side)


def _box_to_row(scored: ScoredBox) -> list[float]:
    box = scored.box
    return [box.top, box.left, box.bottom, box.right, scored.score]


def _box_from_row(row: list[float]) -> ScoredBox:
    return ScoredBox(Box(*row[:4]), row[4])
