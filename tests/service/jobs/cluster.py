"""Real processes to break: Redis, workers, the API, each by itself, so that a test can kill the one it means."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from models.imaging import phantom
from models.imaging.heatmap import png_bytes
from service.jobs.private_redis import find_redis_server, redis_command, redis_url
from tests.service.jobs.conftest import wait_for_redis

ROOT = Path(__file__).parents[3]
START_S = 90


def small_images(count: int) -> list[bytes]:
    """Drawn chests; a few pictures, over and over."""
    drawn = [png_bytes(phantom.draw(seed, 120, 90)) for seed in range(7)]
    return [drawn[number % len(drawn)] for number in range(count)]


def kill_tree(process: subprocess.Popen[str]) -> None:
    """SIGKILL to a process and to all that it started, at once."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


@dataclass
class Api:
    """A running `serve`."""

    process: subprocess.Popen[str]
    client: httpx.Client

    def submit(self, images: list[bytes], **form: str) -> str:
        """A job; its id."""
        files = [("images", (f"{number}.png", content)) for number, content in enumerate(images)]
        response = self.client.post("/v1/jobs", files=files, data=form)
        assert 202 == response.status_code, response.text
        return str(response.json()["id"])

    def status(self, job_id: str) -> dict[str, Any]:
        response = self.client.get(f"/v1/jobs/{job_id}")
        assert 200 == response.status_code, response.text
        return dict(response.json())

    def wait(self, job_id: str, *, done: int | None = None, timeout_s: float = 240) -> dict[str, Any]:
        """Until so many items are final, or the job is over."""
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status(job_id)
            if status["state"] in ("done", "cancelled") or (done is not None and status["done"] >= done):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.1)

    def rows(self, job_id: str) -> list[dict[str, Any]]:
        text = self.client.get(f"/v1/jobs/{job_id}/results").text
        return [json.loads(line) for line in text.splitlines()]


@dataclass
class Cluster:
    """Processes over one data folder.

    Attributes:
        own_redis: whether a test runs Redis; else `serve` runs its own.
    """

    data_dir: Path
    bundle_dir: Path
    own_redis: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    redis: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    apis: list[Api] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in {"HOST", "PORT"}}  # noqa: TID251
        own = {
            "THORASCOPE_DATA_DIR": str(self.data_dir),
            "THORASCOPE_BUNDLE_DIR": str(self.bundle_dir),
            "THORASCOPE_HOST": "127.0.0.1",
            "THORASCOPE_PORT": "0",
            "THORASCOPE_DECODE_WORKERS": "1",
            "THORASCOPE_INFERENCE_THREADS": "1",
            "THORASCOPE_LEASE_S": "3",
        }
        if self.own_redis:
            own["THORASCOPE_REDIS_URL"] = redis_url(self.data_dir)
        return {**inherited, **own, **self.settings}

    def start_redis(self) -> None:
        binary = find_redis_server()
        assert binary is not None
        self.redis = subprocess.Popen(redis_command(binary, self.data_dir))  # noqa: S603 our own command
        wait_for_redis(redis_url(self.data_dir))

    def kill_redis(self) -> None:
        assert self.redis is not None
        self.redis.kill()
        self.redis.wait()

    def start_worker(self, module: str = "service", *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *(arguments or ("worker",) if module == "service" else ())]
        worker = self._start(command, "worker")
        self.workers.append(worker)
        return worker

    def start_api(self) -> Api:
        """`serve`; returns once it listens."""
        process = self._start([sys.executable, "-W", "error", "-m", "service", "serve"], "api")
        log = self.data_dir / "api.log"
        deadline = time.monotonic() + START_S
        pattern = re.compile(r"listens on (http://127\.0\.0\.1:\d+)")
        seen = sum(1 for _ in self.apis)
        while len(found := pattern.findall(log.read_text())) <= seen:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        api = Api(process, httpx.Client(base_url=found[-1], timeout=60))
        self.apis.append(api)
        return api

    def close(self) -> None:
        for api in self.apis:
            api.client.close()
            kill_tree(api.process)
        for worker in self.workers:
            kill_tree(worker)
        if self.redis is not None:
            if self.redis.poll() is None:
                self.redis.send_signal(signal.SIGCONT)
            self.kill_redis()

    def _start(self, command: list[str], log: str) -> subprocess.Popen[str]:
        with (self.data_dir / f"{log}.log").open("a") as file:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=file, text=True)  # noqa: S603 ours
