"""Many radiographs through a graph at once, in batches of one size.

An image sits at its own place in the batch, whatever else is there, and the batch always has the same shape: the
runtime then adds up the same numbers in the same order, and a second run gives the same bits.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.runtime.classifier import ClassifierOutput
from service.inference.answers import Anomaly, AnomalyOptions, Prediction, PredictOptions, Saliency, Timings
from service.inference.clock import Clock
from service.inference.compose import compose_findings
from service.inference.local_engine import LocalEngine
from service.inference.maps import boxes_of
from service.inference.upload import DecodedUpload

_NO_TIMINGS = Timings(0.0, 0.0, 0.0, 0.0)  # of one image in a batch there are none


class BatchEngine(LocalEngine):
    """A local engine that also takes decoded uploads by the batch; `place` is an upload's row in it."""

    async def decode(self, content: bytes, *, refuse_rejected: bool) -> DecodedUpload:
        """Decode one file in a child process.

        Raises:
            ThorascopeError: as `DecodePool.decode`, and `UploadTooLargeError`.
        """
        return await self._decode(content, refuse_rejected=refuse_rejected, keep_pixels=False, clock=Clock())

    async def predict_batch(
        self, uploads: Mapping[int, DecodedUpload], batch_size: int, options: PredictOptions
    ) -> dict[int, Prediction]:
        """Findings of every upload, by its place in 0..batch_size - 1; InvalidRequestError for unknown thresholds."""
        manifest = self.model.with_thresholds(options.thresholds).manifest
        images = self._images(uploads, batch_size)
        wants_maps = options.saliency is not Saliency.NONE
        output = await self._run(self._graphs, lambda: self._classifier.predict(images, saliency=wants_maps))

        def compose() -> dict[int, Prediction]:
            return {
                place: Prediction(
                    upload,
                    compose_findings(self._classifier, _row(output, place), upload, options, manifest),
                    _NO_TIMINGS,
                )
                for place, upload in uploads.items()
            }

        return await self._run(self._drawing, compose)

    async def map_batch(
        self, uploads: Mapping[int, DecodedUpload], batch_size: int, options: AnomalyOptions
    ) -> dict[int, Anomaly]:
        """Anomaly maps of every upload, by its place in 0..batch_size - 1. Raises as `map_anomalies`."""
        detector, masks = self._detector_for(options)
        images = self._images(uploads, batch_size)
        side = images.shape[-1]
        whole = (0, 0, side, side)
        contents = [uploads[place].placement.content if place in uploads else whole for place in range(batch_size)]
        found = await self._run(
            self._graphs,
            lambda: detector.run(images, contents, masks=masks, rounds=options.rounds, seed=options.seed),
        )
        threshold = detector.spec.map_threshold

        def compose() -> dict[int, Anomaly]:
            return {
                place: Anomaly(
                    upload,
                    found[place],
                    masks,
                    options.rounds,
                    options.seed,
                    boxes_of(found[place].scaled, upload.placement, threshold),
                    _NO_TIMINGS,
                )
                for place, upload in uploads.items()
            }

        return await self._run(self._drawing, compose)

    def _images(self, uploads: Mapping[int, DecodedUpload], batch_size: int) -> NDArray[np.uint8]:
        """(B, 1, S, S); black where there is no upload."""
        side = self.model.manifest.input.side
        images = np.zeros((batch_size, 1, side, side), np.uint8)
        for place, upload in uploads.items():
            images[place, 0] = upload.model_input.image
        return images


def _row(output: ClassifierOutput, place: int) -> ClassifierOutput:
    row = slice(place, place + 1)
    return ClassifierOutput(output.logits[row], None if output.saliency is None else output.saliency[row])
