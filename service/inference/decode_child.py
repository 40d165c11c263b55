"""The program of a decoder process: `python -m service.inference.decode_child SETUP`.

It imports, gives up what it does not need, says that it is ready, and then answers one file after another until its
socket closes.
"""

import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from typing import cast

from models.errors import ThorascopeError, UndecodableImageError
from service.inference.decode_messages import error_to_header, order_from_header, result_to_frame
from service.inference.sandbox import allow_cpu_s, enter_sandbox
from service.inference.upload import DecodedUpload, DecodeOrder
from service.inference.wire import BrokenWireError, receive_frame, send_frame

Decoder = Callable[[bytes, DecodeOrder], DecodedUpload]


def main(setup: str) -> None:
    """Serve the socket whose descriptor, with the limits, `setup` names in JSON."""
    options = json.loads(setup)
    module, _, name = options["decoder"].partition(":")
    decoder = cast("Decoder", getattr(import_module(module), name))
    sandbox = enter_sandbox(parent_pid=options["parent_pid"], memory_bytes=options["memory_bytes"])
    with socket.socket(fileno=options["descriptor"]) as connection:
        send_frame(connection, {"ready": asdict(sandbox)})
        try:
            while True:
                serve_one(connection, decoder, cpu_s=options["cpu_s"], limit_bytes=options["limit_bytes"])
        except BrokenWireError:
            return  # the parent has closed its end


def serve_one(connection: socket.socket, decoder: Decoder, *, cpu_s: int, limit_bytes: int) -> None:
    """Take one order, answer it.

    A fault, which is anything but a decision of ours, is answered as undecodable and flagged, so that the parent
    replaces this process. Its message stays here: it may quote the file.
    """
    header, (content,) = receive_frame(connection, limit_bytes=limit_bytes)
    allow_cpu_s(cpu_s)
    started = time.perf_counter()
    try:
        result = decoder(bytes(content), order_from_header(header))
    except ThorascopeError as error:
        send_frame(connection, error_to_header(error))
    except MemoryError:
        too_much = UndecodableImageError("decoding needs more memory than one file may take")
        send_frame(connection, {**error_to_header(too_much), "fault": "MemoryError"})
    except Exception as fault:  # noqa: BLE001 whatever a decoder throws must not leave this process as an exception
        failure = UndecodableImageError("the decoder failed on this file")
        send_frame(connection, {**error_to_header(failure), "fault": type(fault).__name__})
    else:
        decode_ms = (time.perf_counter() - started) * 1000
        send_frame(connection, *result_to_frame(replace(result, decode_ms=decode_ms)))


if __name__ == "__main__":
    main(sys.argv[1])
