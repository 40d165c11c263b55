"""Uploads of one job, many to a file: a small image costs no file of its own, and no flush of its own.

`packs/N` holds uploads one after the other; `index` a record an item: which pack, where, how long; `names` a JSON line
an item, for the `file` column of the results and nothing else.
"""

import json
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import BinaryIO

from models.errors import ThorascopeError
from service.jobs.disk import ROOM_EVERY_BYTES, write_error
from service.jobs.job import Chunk
from service.jobs.store import Store

_RECORD = struct.Struct("<IQQ")
_PACK_BYTES = 256 * 2**20
_NAMES_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Place:
    pack: int
    offset: int
    length: int


class _DiscardedError(Exception):
    """Tells the store that an open pack is to be dropped."""


def job_folder(job_id: str) -> str:
    """Everything of one job lies in here."""
    return f"jobs/{job_id}"


def uploads_folder(job_id: str) -> str:
    """Of this, what may be purged before the results are."""
    return f"{job_folder(job_id)}/uploads"


class PackWriter:
    """Takes one upload after the other, in pieces; used by one thread at a time.

    Attributes:
        num_items: uploads so far, the open one not counted.
        num_bytes: of all uploads so far.
    """

    def __init__(self, store: Store, job_id: str) -> None:
        self._store = store
        self._job_id = job_id
        self._open = ExitStack()
        self._pack: BinaryIO | None = None
        self._pack_number = -1
        self._pack_bytes = self._item_start = self._next_check = 0
        self._index = bytearray()
        self._names = bytearray()
        self.num_items = self.num_bytes = 0

    def write(self, piece: bytes) -> None:
        """Append to the open upload. Raises OutOfStorageError, StoreUnavailableError."""
        if self.num_bytes >= self._next_check:
            self._store.require_room(ROOM_EVERY_BYTES)
            self._next_check = self.num_bytes + ROOM_EVERY_BYTES
        if self._pack is None:
            self._pack_number += 1
            self._pack = self._open.enter_context(self._store.create(f"{self._folder}/packs/{self._pack_number}"))
            self._pack_bytes = self._item_start = 0
        try:
            self._pack.write(piece)
        except OSError as error:
            raise write_error(error) from error
        self._pack_bytes += len(piece)
        self.num_bytes += len(piece)

    @property
    def item_bytes(self) -> int:
        """Length of the open upload."""
        return self._pack_bytes - self._item_start

    def end_item(self, name: str) -> int:
        """Close the open upload, which may be empty; its index."""
        self._index += _RECORD.pack(max(0, self._pack_number), self._item_start, self.item_bytes)
        self._names += json.dumps(name).encode() + b"\n"
        self._item_start = self._pack_bytes
        if self._pack_bytes >= _PACK_BYTES:
            self._close_pack()
        self.num_items += 1
        return self.num_items - 1

    def commit(self) -> None:
        """Make all of it durable."""
        self._close_pack()
        for name, content in (("uploads/index", self._index), ("names", self._names)):
            with self._store.create(f"{job_folder(self._job_id)}/{name}") as file:
                file.write(content)

    def discard(self) -> None:
        """Remove all of it, the pack that is still open too; on a full disk it can be closed, but not completed."""
        with suppress(_DiscardedError, OSError, ThorascopeError), self._open:
            raise _DiscardedError
        self._store.delete(job_folder(self._job_id))

    @property
    def _folder(self) -> str:
        return uploads_folder(self._job_id)

    def _close_pack(self) -> None:
        self._open.close()
        self._pack = None
        self._pack_bytes = self._item_start = 0


def read_uploads(store: Store, job_id: str, chunk: Chunk) -> Iterator[tuple[int, bytes]]:
    """(index, content) of the items of a chunk. Raises FileNotFoundError where they are purged."""
    folder = uploads_folder(job_id)
    records = store.read(f"{folder}/index", chunk.start * _RECORD.size, chunk.stop * _RECORD.size)
    for index, record in enumerate(_RECORD.iter_unpack(records), start=chunk.start):
        place = _Place(*record)
        name = f"{folder}/packs/{place.pack}"
        yield index, store.read(name, place.offset, place.offset + place.length) if place.length else b""


def read_names(store: Store, job_id: str) -> Iterator[str]:
    """The uploads' names, in the order of submission; a block at a time."""
    name, position, rest = f"{job_folder(job_id)}/names", 0, b""
    while block := store.read(name, position, position + _NAMES_BLOCK):
        position += len(block)
        *complete, rest = (rest + block).split(b"\n")
        for line in complete:
            yield json.loads(line)
