"""Many radiographs through a graph, in batches of one size.

An image sits at its own place in the batch, whatever else is there, and the batch goes through the graph in parts, cut
at the same places and of the same shape each time: the runtime then adds up the same numbers in the same order, and a
second run gives the same bits. A part without an upload is left out, so that half a batch takes half the time; and
memory is needed for one part, however large the batch.
"""

from collections.abc import Callable, Iterator, Mapping

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

# Of the classifier. More gained nothing on two cores; the lone file of a batch whose workers were lost takes no more.
_IMAGES_AT_ONCE = 4
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
        self,
        uploads: Mapping[int, DecodedUpload],
        batch_size: int,
        options: PredictOptions,
        on_progress: Callable[[], None],
    ) -> dict[int, Prediction]:
        """Findings of every upload, by its place in 0..batch_size - 1; InvalidRequestError for unknown thresholds.

        Args:
            on_progress: called after every run of the graph.
        """
        manifest = self.model.with_thresholds(options.thresholds).manifest
        wants_maps = options.saliency is not Saliency.NONE

        def predict_part(part: range) -> ClassifierOutput:
            return self._classifier.predict(self._images(uploads, part), saliency=wants_maps)

        found: dict[int, ClassifierOutput] = {}
        for part in _parts(uploads, batch_size, _IMAGES_AT_ONCE):
            output = await self._run(self._graphs, predict_part, part)
            found |= {place: _row(output, row) for row, place in enumerate(part)}
            on_progress()

        def compose() -> dict[int, Prediction]:
            return {
                place: Prediction(
                    upload,
                    compose_findings(self._classifier, found[place], upload, options, manifest),
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
        """Anomaly maps of every upload, as `predict_batch` gives findings. Raises as `map_anomalies`."""
        detector, masks = self._detector_for(options)
        step = detector.images_at_once(masks=masks, rounds=options.rounds)

        def map_part(part: range) -> tuple[AnomalyMap, ...]:
            images, contents = self._images(uploads, part), self._contents(uploads, part)
            return detector.run(images, contents, masks=masks, rounds=options.rounds, seed=options.seed)

        found: dict[int, AnomalyMap] = {}
        for part in _parts(uploads, batch_size, step):
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


def _parts(uploads: Mapping[int, DecodedUpload], batch_size: int, step: int) -> Iterator[range]:
    """Places that go through the graph together; those among whom there is no upload are left out."""
    for start in range(0, batch_size, step):
        part = range(start, min(start + step, batch_size))
        if not uploads.keys().isdisjoint(part):
            yield part


def _row(output: ClassifierOutput, row: int) -> ClassifierOutput:
    rows = slice(row, row + 1)
    return ClassifierOutput(output.logits[rows], None if output.saliency is None else output.saliency[rows])
