"""Many radiographs through a graph at once, in batches of one size.

An image sits at its own place in the batch, whatever else is there, and the batch always has the same shape: the
runtime then adds up the same numbers in the same order, and a second run gives the same bits. Maps go through their
graph in parts of the batch, cut at the same places and of the same shape each time; a part without an upload is left
out, so that half a batch takes half the time.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.runtime.anomaly_map import AnomalyMap
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
        images = self._images(uploads, range(batch_size))
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
        self,
        uploads: Mapping[int, DecodedUpload],
        batch_size: int,
        options: AnomalyOptions,
        on_progress: Callable[[], None],
    ) -> dict[int, Anomaly]:
        """Anomaly maps of every upload, by its place in 0..batch_size - 1. Raises as `map_anomalies`.

        Args:
            on_progress: called after every run of the graph.
        """
        detector, masks = self._detector_for(options)
        step = detector.images_at_once(masks=masks, rounds=options.rounds)

        def map_part(part: range) -> tuple[AnomalyMap, ...]:
            images, contents = self._images(uploads, part), self._contents(uploads, part)
            return detector.run(images, contents, masks=masks, rounds=options.rounds, seed=options.seed)

        found: dict[int, AnomalyMap] = {}
        for start in range(0, batch_size, step):
            part = range(start, min(start + step, batch_size))
            if not uploads.keys().isdisjoint(part):
                maps = await self._run(self._graphs, map_part, part)
                found |= zip(part, maps, strict=True)
                on_progress()
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

    def _contents(self, uploads: Mapping[int, DecodedUpload], places: range) -> list[tuple[int, int, int, int]]:
        """What of each image is picture; all of it where there is no upload."""
        side = self.model.manifest.input.side
        whole = (0, 0, side, side)
        return [uploads[place].placement.content if place in uploads else whole for place in places]

    def _images(self, uploads: Mapping[int, DecodedUpload], places: range) -> NDArray[np.uint8]:
        """(B, 1, S, S); black where there is no upload."""
        side = self.model.manifest.input.side
        images = np.zeros((len(places), 1, side, side), np.uint8)
        for row, place in enumerate(places):
            if place in uploads:
                images[row, 0] = uploads[place].model_input.image
        return images


def _row(output: ClassifierOutput, place: int) -> ClassifierOutput:
    row = slice(place, place + 1)
    return ClassifierOutput(output.logits[row], None if output.saliency is None else output.saliency[row])
