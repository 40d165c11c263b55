"""What the queue costs: rate against the bare engine, memory of the API, cost per item from 100 to 10,000.

Measured with the default bundle, and only by `make soak`: at small size start-up is all there is to see.
"""

import asyncio
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import psutil
import pytest

from models.imaging import phantom
from models.imaging.heatmap import png_bytes
from service.inference.answers import PredictOptions
from service.inference.build import build_batch_engine
from service.inference.predict_schema import PredictResponse
from service.settings import Settings
from tests.service.jobs.cluster import Cluster

TOTAL = 10_000
SMALL = 100
SAMPLE = 600  # of the bare engine, whose cost an item does not change
MIB = 2**20


def bare_rate(images: list[bytes], settings: Settings) -> float:
    """Images a second of decoding all and then running the graph, batch by batch, with as many processes."""

    async def measure() -> float:
        engine = build_batch_engine(settings)
        await engine.start()
        try:
            began = time.perf_counter()
            decoded = await asyncio.gather(*(engine.decode(image, refuse_rejected=True) for image in images))
            size = settings.batch_size
            for start in range(0, len(decoded), size):
                batch = dict(enumerate(decoded[start : start + size]))
                for prediction in (await engine.predict_batch(batch, size, PredictOptions(), lambda: None)).values():
                    PredictResponse.of(prediction, engine.model, "", with_pngs=False).model_dump(mode="json")
            return len(images) / (time.perf_counter() - began)
        finally:
            await engine.close()

    return asyncio.run(measure())


def rate(api, job_id) -> float:
    """Images a second between the first lease and the last row, as the ledger has it."""
    status = api.wait(job_id, timeout_s=3000)
    started, finished = (datetime.fromisoformat(status[name]) for name in ("started_at", "finished_at"))
    return float(status["done"] / (finished - started).total_seconds())


@pytest.mark.timeout(3600)
def test_the_queue__costs_little_and_the_same_an_item(tmp_path, full_size):
    """At least 0.9 of the bare engine; the API grows by at most 20 MiB; 10,000 cost an item what 100 do."""
    if not full_size:
        pytest.skip("measured by `make soak`")
    bundle_dir = Path(__file__).parents[3] / "models/bundles/default"
    drawn = [png_bytes(phantom.draw(seed, 256, 220)) for seed in range(10)]
    images = [drawn[number % 10] for number in range(TOTAL)]
    threads = {"decode_workers": 2, "inference_threads": 2}
    variables = {f"THORASCOPE_{name.upper()}": str(value) for name, value in threads.items()}
    cluster = Cluster(tmp_path, bundle_dir, own_redis=False, settings=variables)
    settings = Settings(bundle_dir=bundle_dir, **threads)
    before_rate = bare_rate(images[:SAMPLE], settings)
    try:
        api = cluster.start_api()
        memory = psutil.Process(api.process.pid).memory_info
        small = [rate(api, api.submit(images[:SMALL])) for _ in range(3)]
        before = memory().rss
        job_id = api.submit(images)
        large = rate(api, job_id)
        with api.client.stream("GET", f"/v1/jobs/{job_id}/results") as response:
            rows = sum(1 for _ in response.iter_lines())
        growth = (memory().rss - before) / MIB
    finally:
        cluster.close()

    bare = (before_rate + bare_rate(images[:SAMPLE], settings)) / 2  # the machine's speed drifts over minutes
    print(f"bare {bare:.1f}/s, job of {SMALL} {np.median(small):.1f}/s, of {TOTAL} {large:.1f}/s, +{growth:.1f} MiB")  # noqa: T201
    assert TOTAL == rows
    assert large >= 0.9 * bare
    assert growth <= 20
    assert large >= 0.9 * np.median(small)
