"""Frames between the service and its decoder processes, with a peer that may lie."""

import json
import socket
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.inference.wire import BrokenWireError, receive_frame, send_frame


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(st.lists(st.binary(max_size=200), max_size=4), st.dictionaries(st.text(), st.integers() | st.text()))
def test_a_frame__arrives_as_it_was_sent(parts, header):
    """Header and parts, empty ones included."""
    ours, theirs = socket.socketpair()
    header.pop("lengths", None)
    with ours, theirs:
        send_frame(ours, header, parts)
        received, contents = receive_frame(theirs, limit_bytes=1000)

    assert header == {name: value for name, value in received.items() if name != "lengths"}
    assert parts == [bytes(content) for content in contents]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"{}",
        b"[" * 60_000,
        b'{"lengths": [-1]}',
        b'{"lengths": [101]}',
        b'{"lengths": [60, 60]}',
        b'{"lengths": "x"}',
        b'{"lengths": [1e400]}',
        b"\xff\xff",
    ],
)
def test_receive_frame__refuses_what_is_no_frame(pair, header):
    """And never allocates what a liar asks for."""
    ours, theirs = pair
    theirs.sendall(struct.pack("<I", len(header)) + header)

    with pytest.raises(BrokenWireError):
        receive_frame(ours, limit_bytes=100)


def test_receive_frame__refuses_a_long_header(pair):
    """Before reading it."""
    ours, theirs = pair
    theirs.sendall(struct.pack("<I", 2**31))

    with pytest.raises(BrokenWireError):
        receive_frame(ours, limit_bytes=100)


def test_receive_frame__tells_a_death_in_the_middle(pair):
    """Half a frame is none."""
    ours, theirs = pair
    header = json.dumps({"lengths": [10]}).encode()
    theirs.sendall(struct.pack("<I", len(header)) + header + b"12345")
    theirs.close()

    with pytest.raises(BrokenWireError):
        receive_frame(ours, limit_bytes=100)


def test_receive_frame__keeps_its_deadline_against_a_trickle(pair):
    """One byte now and then does not prolong it."""
    ours, theirs = pair
    theirs.sendall(b"\x05\x00")

    with pytest.raises(TimeoutError):
        receive_frame(ours, limit_bytes=100, deadline=time.monotonic() + 0.05)
