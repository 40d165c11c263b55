"""`python -m service serve` as a process: it starts, answers under load, stops when told, and leaves nothing behind."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.commands import serve
from tests.service.fake_engine import FakeEngine

ROOT = Path(__file__).parents[2]
START_S, STOP_S = 120, 60


@dataclass
class Service:
    """A running service.

    Attributes:
        decoders: ids of its decoder processes.
    """

    process: subprocess.Popen[str]
    port: int
    decoders: list[int]

    def post(self, path: str, content: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + content + b"\r\n--b--\r\n"
        connection.request("POST", path, body, {"Content-Type": "multipart/form-data; boundary=b"})
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"\nPPid:\t{pid}\n" in status.read_text():
                found.append(int(status.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def is_gone(pid: int) -> bool:
    """Ended; whoever adopted it may not have cleared it away yet."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if all(map(is_gone, pids)):
            return True
        time.sleep(0.05)
    return False


def environment(bundle_dir: Path, folder: Path, port: int) -> dict[str, str]:
    """Of a service by itself: what it does with jobs is in `tests/service/jobs`."""
    settings = {
        "THORASCOPE_BUNDLE_DIR": str(bundle_dir),
        "THORASCOPE_DATA_DIR": str(folder),
        "THORASCOPE_REDIS_URL": f"unix://{folder}/none.sock",
        "THORASCOPE_PORT": str(port),
        "THORASCOPE_HOST": "127.0.0.1",
    }
    inherited = {name: value for name, value in os.environ.items() if name not in {"HOST", "PORT"}}  # noqa: TID251
    return inherited | settings


@pytest.fixture
def service(bundle_dir, tmp_path) -> Iterator[Service]:
    """On a port that the system chooses."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "service", "serve"],
        cwd=ROOT,
        env=environment(bundle_dir, tmp_path, 0),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield started(process)
        finally:
            process.kill()


def started(process: subprocess.Popen[str]) -> Service:
    """Wait for the line that says where it listens."""
    assert process.stderr is not None
    deadline = time.monotonic() + START_S
    for line in process.stderr:
        if found := re.search(r"listens on http://127\.0\.0\.1:(\d+)", line):
            return Service(process, int(found[1]), children(process.pid))
        assert time.monotonic() < deadline
    raise AssertionError("the service ended before it listened")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve__answers_and_stops_when_told(service, chest_png, number):
    """Exit status 0, and no process is left."""
    status, body = service.post("/predict", chest_png)
    service.process.send_signal(number)

    assert 200 == status, body
    assert 0 == service.process.wait(STOP_S)
    assert 3 == len(service.decoders)
    assert wait_until_gone(service.decoders)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child notices only when its socket closes")
def test_serve__leaves_no_orphans_when_it_is_killed(service):
    """Not even SIGKILL leaves a decoder behind."""
    service.process.kill()
    service.process.wait(STOP_S)

    assert wait_until_gone(service.decoders)


@pytest.mark.parametrize("own_redis", [True, False])
def test_serve__says_that_it_cannot_write_its_data_folder_and_how_to_choose_another(tmp_path, own_redis):
    """In one line, before the bundle is opened; nothing is started over such a folder."""
    (tmp_path / "file").touch()
    told = environment(tmp_path / "none", tmp_path / "file" / "data", 0)
    if own_redis:
        del told["THORASCOPE_REDIS_URL"]
    process = subprocess.run(
        [sys.executable, "-m", "service", "serve"],
        cwd=ROOT,
        env=told,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )

    assert (2, 1) == (process.returncode, len(process.stderr.splitlines())), process.stderr
    assert f"{tmp_path / 'file' / 'data'} cannot be written to" in process.stderr
    assert "THORASCOPE_DATA_DIR" in process.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="what /proc shows of a process is Linux' affair")
def test_serve__is_closed_to_others_of_its_user(tmp_path, monkeypatch):
    """Though it may have no decoders of its own, its workers' are beside it."""
    (tmp_path / "file").touch()
    program = (
        "import ctypes; from service.__main__ import main; status = main(['serve']);"
        "print(status, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    command = [sys.executable, "-c", program]
    monkeypatch.setenv("THORASCOPE_DATA_DIR", str(tmp_path / "file" / "data"))
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603

    assert "2 0\n" == process.stdout, process.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve__a_signal_after_the_last_answer_ends_it_at_once(monkeypatch, bundle, settings, number):
    """What is still to be put away may take long; who says it twice means it."""
    monkeypatch.setattr(serve._Server, "run", lambda _server: signal.raise_signal(number))
    monkeypatch.setattr(serve, "_engine", lambda *_: FakeEngine(bundle))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        serve._serve(settings.model_copy(update={"port": 0}), None)
        after = signal.getsignal(number)
    finally:
        for restored, handler in before.items():
            signal.signal(restored, handler)

    assert {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}[number] == after


def test_serve__says_that_its_port_is_taken_and_how_to_choose_another(tmp_path):
    """Before it opens the bundle, which is not there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = subprocess.run(
            [sys.executable, "-m", "service", "serve"],
            cwd=ROOT,
            env=environment(tmp_path / "none", tmp_path, port),
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    assert 1 == process.returncode
    assert f"cannot listen on 127.0.0.1 port {port}: " in process.stderr
    assert "PORT" in process.stderr
