"""The seam between doors and models: HTTP routes and commands ask an `Engine`, whatever stands behind it."""

from typing import Protocol

from service.inference.answers import Anomaly, AnomalyOptions, Prediction, PredictOptions, ServedModel


class Engine(Protocol):
    """Answers questions about one upload at a time; may be asked many at once."""

    @property
    def model(self) -> ServedModel:
        """What answers."""

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken now: started, warm and not closing."""

    async def is_served(self) -> bool:
        """Whether somebody is there who would answer: this process, or a worker it asks."""

    async def start(self) -> None:
        """Bring up and warm everything that answers need."""

    async def close(self) -> None:
        """Let running requests finish, then let go of everything."""

    async def predict(self, content: bytes, options: PredictOptions) -> Prediction:
        """Findings of the radiograph in `content`.

        Raises:
            ThorascopeError: of the upload (see `service.inference.upload`), or `OverloadedError`, at once;
                `InvalidRequestError` for thresholds the bundle does not have.
        """

    async def map_anomalies(self, content: bytes, options: AnomalyOptions) -> Anomaly:
        """Where the radiograph in `content` differs from what a masked autoencoder paints.

        Measured against normal radiographs.

        Raises:
            ThorascopeError: as `predict`; `InvalidRequestError` for masks the bundle does not list, or where it has
                no reconstructor.
        """
