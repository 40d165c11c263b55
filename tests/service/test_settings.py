"""Settings come from the environment, once, and are checked."""

import pytest
from pydantic import ValidationError

from service.settings import Settings, misspelt, startup_environment


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("HOST", "PORT", "THORASCOPE_HOST", "THORASCOPE_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_settings__are_read_from_prefixed_variables(monkeypatch):
    """And nothing else is."""
    monkeypatch.setenv("THORASCOPE_UPLOAD_LIMIT_BYTES", "1000")
    monkeypatch.setenv("PIXEL_LIMIT_PX", "1")

    assert (1000, 64_000_000) == (Settings().upload_limit_bytes, Settings().pixel_limit_px)


def test_settings__honour_host_and_port_with_and_without_prefix(monkeypatch):
    """`HOST=... PORT=... make serve`; the prefixed ones win."""
    monkeypatch.setenv("HOST", "0.0.0.0")  # noqa: S104 only read, never bound
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("THORASCOPE_PORT", "9001")

    assert ("0.0.0.0", 9001) == (Settings().host, Settings().port)  # noqa: S104


@pytest.mark.parametrize(("name", "value"), [("PORT", "abc"), ("PORT", "70000"), ("DECODE_WORKERS", "0")])
def test_settings__refuse_what_makes_no_sense(monkeypatch, name, value):
    """At start, not at the first request."""
    monkeypatch.setenv(f"THORASCOPE_{name}", value)

    with pytest.raises(ValidationError, match=f"(?i){name}"):
        Settings()


def test_settings__cannot_be_changed():
    """Built once, passed down."""
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_startup_environment__holds_no_setting(monkeypatch):
    """What a decoder process is given."""
    monkeypatch.setenv("THORASCOPE_API_KEYS", "secret")

    assert set() == set(startup_environment()) - {"PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL"}


def test_misspelt__tells_settings_from_what_only_looks_like_one(monkeypatch):
    for name in ("THORASCOPE_PROT", "thorascope_queue_limits", "THORASCOPE_X", "THORASCOPE_PORT", "thorascope_host"):
        monkeypatch.setenv(name, "1")

    assert {
        "THORASCOPE_PROT": "THORASCOPE_PORT",
        "THORASCOPE_X": None,
        "thorascope_queue_limits": "THORASCOPE_QUEUE_LIMIT",
    } == misspelt()
