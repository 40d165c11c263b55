"""The engine that asks workers, over a ledger in memory, with a worker that is real but for Celery and the graph."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from models.errors import InvalidBundleError, StoreUnavailableError, ThorascopeError, UndecodableImageError
from service.api.app import create_app
from service.api.errors import NotReadyError
from service.api.queue_engine import QueueEngine
from service.inference.answer_messages import failure_to_frame, prediction_from_frame
from service.inference.answers import PredictOptions, ServedModel
from service.inference.wire import BrokenWireError
from service.jobs.errors import ConflictError
from service.jobs.folder_store import FolderStore
from service.jobs.job import Lane
from service.jobs.reconciler import Reconciler, Retention
from service.worker.presence import Presence
from service.worker.pulse import Pulse, PulseLimits
from service.worker.runner import Holder, Runner
from service.worker.scorer import Scorer
from tests.service.jobs.memory_ledger import MemoryLedger
from tests.service.jobs.memory_queue import MemoryQueue


class DeafLedger(MemoryLedger):
    """Redis is away for the one moment of the signal."""

    def signal(self, job_id: str) -> None:
        raise StoreUnavailableError("the job store does not answer")


@contextmanager
def worker(engine, ledger, queue, store) -> Iterator[None]:
    """Does what comes on the interactive lane, in a thread."""
    loop, stop = asyncio.new_event_loop(), threading.Event()
    limits = PulseLimits(10, 10, 10)
    pulse = Pulse(ledger, "w", limits, lambda: False, time.monotonic, lambda: None)
    scorer = Scorer(engine, ledger.note_fault, pulse.step, 2)

    def submit(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop)

    runner = Runner(ledger, store, scorer, pulse, submit, Holder("w", 10))

    def work() -> None:
        while not stop.wait(0.01):
            while queue.messages[Lane.INTERACTIVE]:
                offer = queue.messages[Lane.INTERACTIVE].popleft()
                runner.run(offer.job_id, offer.chunk)

    threads = [threading.Thread(target=loop.run_forever), threading.Thread(target=work)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    threads[1].join()
    loop.call_soon_threadsafe(loop.stop)
    threads[0].join()
    loop.close()


@pytest.fixture
def ask(settings, fake_engine, chest_png, tmp_path):
    """Send a chest to `/predict`, with engine=queue, over this ledger; the response."""

    def ask(ledger, timeout_s=5.0):
        queue, store = MemoryQueue(), FolderStore(tmp_path)
        reconciler = Reconciler(ledger, queue, store, Retention(0, 0), "test", time.time)
        patient = settings.model_copy(update={"queue_timeout_s": timeout_s})
        engine = QueueEngine(patient, ledger, store, reconciler)
        with worker(fake_engine, ledger, queue, store), TestClient(create_app(patient, engine=engine)) as client:
            response = client.post("/predict", files={"image": chest_png})
        assert [] == list(store.folders("jobs"))
        return response

    return ask


class TestPredict:
    def test_a_worker_answers(self, ask):
        """As the engine inside this process would."""
        assert 200 == ask(MemoryLedger()).status_code

    def test_a_graph_that_fails_is_not_the_clients_fault(self, ask, fake_engine):
        """500 without detail, as with engine=local: what the runtime says may name files."""
        fake_engine.failure = InvalidBundleError("the graph cannot be run: /srv/secret")
        response = ask(MemoryLedger())

        assert (500, "/problems/internal-error") == (response.status_code, response.json()["type"])
        assert "graph" not in response.text
        assert "secret" not in response.text

    def test_an_image_that_cannot_be_decoded_is(self, ask, fake_engine):
        """422, with the decoder's words."""
        fake_engine.failure = UndecodableImageError("cut short")
        response = ask(MemoryLedger())

        assert (422, "cut short") == (response.status_code, response.json()["detail"])

    def test_an_answer_whose_signal_is_lost_is_given(self, ask):
        """The ledger is the truth, and the signal a hint."""
        assert 200 == ask(DeafLedger()).status_code


class TestReadiness:
    def test_without_a_worker_it_is_not_ready(self, settings, tmp_path):
        """A balancer sends requests elsewhere; those that come wait for a worker all the same."""
        ledger, store = MemoryLedger(), FolderStore(tmp_path)
        reconciler = Reconciler(ledger, MemoryQueue(), store, Retention(0, 0), "test", time.time)
        stop = threading.Event()
        stop.set()
        with TestClient(create_app(settings, engine=QueueEngine(settings, ledger, store, reconciler))) as client:
            before = client.get("/readyz")
            Presence(ledger, list(Lane), 60).run(stop)
            after = client.get("/readyz")

        assert (503, "/problems/not-ready") == (before.status_code, before.json()["type"])
        assert 200 == after.status_code


class TestClose:
    def test_nobody_waits_for_an_answer_any_more(self, settings, tmp_path):
        """A process that is told to stop ends when it has said it would, and leaves nothing in the store."""
        ledger, store = MemoryLedger(), FolderStore(tmp_path)
        reconciler = Reconciler(ledger, MemoryQueue(), store, Retention(0, 0), "test", time.time)
        engine = QueueEngine(settings, ledger, store, reconciler)

        async def ask() -> float:
            await engine.start()
            asked = asyncio.create_task(engine.predict(b"image", PredictOptions()))
            await asyncio.sleep(0.2)
            started = time.monotonic()
            await engine.close()
            with pytest.raises(NotReadyError):
                await asked
            return time.monotonic() - started

        assert asyncio.run(ask()) < settings.queue_timeout_s / 4
        assert [] == list(store.folders("jobs"))


class TestFailures:
    @pytest.fixture
    def read(self, bundle):
        """What a failure on a worker is in the API."""

        def read(error: ThorascopeError) -> None:
            frame = b"".join(failure_to_frame(error))
            prediction_from_frame(frame, ServedModel(bundle.manifest, bundle.sha256), 10**6)

        return read

    def test_one_that_is_not_known_here_is_nobodys_image(self, read):
        """A newer worker may know more kinds of failure than this process."""
        with pytest.raises(BrokenWireError):
            read(ConflictError("new"))

    @pytest.mark.parametrize("error", [InvalidBundleError("a"), UndecodableImageError("a")])
    def test_one_that_is_known_is_itself(self, read, error):
        """With its words."""
        with pytest.raises(type(error), match="a"):
            read(error)
