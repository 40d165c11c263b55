"""Taking a job in: uploads are stored, then the job is written down, and only then is it accepted."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from models.errors import InvalidRequestError, ThorascopeError, UploadTooLargeError
from service.jobs.archive import Archive, is_zip
from service.jobs.errors import ConflictError
from service.jobs.job import Job, Lane, Task
from service.jobs.ledger import Claim, Ledger, Refused
from service.jobs.outcome import Failure, Outcome, lines
from service.jobs.packs import PackWriter, job_folder
from service.jobs.scratch import Scratch
from service.jobs.store import Store
from service.jobs.store_owner import claim_store
from service.jobs.unpacking import Unpacking

_NAME_LIMIT = 300
REFUSED_SEGMENT = "refused"


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What one job may bring.

    Attributes:
        file_bytes: of one file, out of an archive too.
        job_bytes: of all files together.
        files: number of them.
        scratch: folder in which an archive lies while it is unpacked; None for the system's temporary one.
        reserve_bytes: of that folder's disk, kept free.
    """

    file_bytes: int = 64 * 2**20
    job_bytes: int = 64 * 2**30
    files: int = 100_000
    scratch: Path | None = None
    reserve_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every file; `options` holds JSON values only."""

    task: Task
    batch_size: int
    lane: Lane = Lane.BULK
    options: dict[str, Any] = field(default_factory=dict)


def new_job_id() -> str:
    """128 random bits as letters and digits alone: on a command line a leading `-` would be an option."""
    return secrets.token_hex(16)


class Intake:
    """Collects the files of one job; used by one thread at a time, and blocking.

    A file that breaks a rule by itself gets a row that says so; what breaks the rules of the whole raises.

    Args:
        unpacking: whose turn it is; None: nobody else unpacks.
    """

    def __init__(self, store: Store, limits: IntakeLimits, job_id: str, unpacking: Unpacking | None = None) -> None:
        self._store = store
        self._limits = limits
        self._job_id = job_id
        self._packs = PackWriter(store, job_id)
        self._digest = hashlib.sha256()
        self._refused: dict[int, Failure] = {}
        self._too_large = False
        self._start = b""
        self._archive: Scratch | None = None
        self._given = False
        self._unpacking = unpacking or Unpacking(1)

    @property
    def num_items(self) -> int:
        """Files so far, the open one not counted."""
        return self._packs.num_items

    def begin_file(self) -> None:
        """A file follows, in pieces."""
        self._drop_archive()
        self._start, self._too_large = b"", False

    def write(self, piece: bytes) -> None:
        """A piece of the file; one that begins like a zip archive is unpacked once it is there.

        Raises:
            UploadTooLargeError, OutOfStorageError, StoreUnavailableError: of the job as a whole.
        """
        if len(self._start) < 4:
            self._start += piece
            if len(self._start) < 4:
                return
            piece = self._start
            if is_zip(piece):
                self._archive = Scratch(self._store, self._limits.scratch, self._limits.reserve_bytes)
        if self._archive is None:
            self._take(piece)
            return
        if self._archive.num_bytes + len(piece) > self._limits.job_bytes:
            raise UploadTooLargeError(f"the job is larger than {self._limits.job_bytes} bytes")
        self._archive.write(piece)

    def end_file(self, name: str) -> None:
        """The file is complete; a member of an archive is called by both names, with a slash between them.

        Raises as `write`, and InvalidRequestError for an archive that cannot be read.
        """
        if self._archive is not None:
            try:
                with self._unpacking.turn():
                    self._unpack(name, self._archive.complete())
            finally:
                self._drop_archive()
            return
        if len(self._start) < 4:
            self._take(self._start)
        self._end_item(name)

    def put(self, name: str, content: bytes) -> None:
        """One file as it is, an archive too. Raises as `write`."""
        self._take(content)
        self._end_item(name)

    def refuse(self, name: str, error: ThorascopeError) -> None:
        """One file that could not be had, with its reason."""
        self._refused[self._packs.num_items] = Failure.of(error)
        self._end_item(name)

    def claim(self, key: str, question: Question) -> Claim:
        """The claim on this job under a client's key, once all files are in."""
        asked = json.dumps([question.task, question.options], sort_keys=True).encode()
        body = hashlib.sha256(self._digest.digest() + asked).hexdigest()
        return Claim(hashlib.sha256(key.encode()).hexdigest(), body)

    def commit(self, ledger: Ledger, question: Question, claim: Claim | None, now: float) -> str:
        """Accept the job.

        Args:
            claim: under which the same job is not made twice.

        Returns:
            Its id, or that of the job which the key has made before.

        Raises:
            InvalidRequestError: there is no file in it.
            ConflictError: the key was used for another job.
            ForeignStoreError: the store holds the jobs of another ledger.
        """
        if self._packs.num_items == 0:
            raise InvalidRequestError("the job is empty: it needs at least one file")
        if claim and (held := ledger.find_claim(claim)):
            self.discard()
            return held
        claim_store(ledger, self._store)
        self._packs.commit()
        refused = None
        if self._refused:
            outcomes = [Outcome(index, failure=failure) for index, failure in self._refused.items()]
            write_segment(self._store, self._job_id, REFUSED_SEGMENT, outcomes)
            refused = Refused(REFUSED_SEGMENT, tuple(self._refused))
        job = Job(
            self._job_id,
            question.task,
            self._packs.num_items,
            question.batch_size,
            now,
            question.lane,
            question.options,
        )
        held = self._give(ledger, job, refused, claim)
        if held != self._job_id:
            self.discard()
        return held

    def discard(self) -> None:
        """Remove all of it, unless the job was accepted, or may have been: its files are the ledger's then."""
        if self._given:
            return
        self._drop_archive()
        with suppress(OSError, ThorascopeError):
            self._packs.discard()

    def _give(self, ledger: Ledger, job: Job, refused: Refused | None, claim: Claim | None) -> str:
        """As `Ledger.create`. An answer that is lost says nothing; a sweep clears what the ledger has not."""
        self._given = True
        try:
            held = ledger.create(job, refused=refused, claim=claim)
        except ConflictError:
            self._given = False
            raise
        self._given = held == self._job_id
        return held

    def _drop_archive(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def _unpack(self, name: str, archive: BinaryIO) -> None:
        for entry in Archive(archive, limit_files=self._limits.files - self._packs.num_items).entries():
            self._too_large = False
            try:
                for piece in entry.pieces():
                    self._unpacking.go_on()
                    self._take(piece)
                    if self._too_large:
                        break
            except InvalidRequestError as error:
                self._refused[self._packs.num_items] = Failure.of(error)
            self._end_item(name, entry.name)

    def _take(self, piece: bytes) -> None:
        if self._packs.item_bytes + len(piece) > self._limits.file_bytes:
            self._too_large = True
        if self._too_large:
            return
        if self._packs.num_bytes + len(piece) > self._limits.job_bytes:
            raise UploadTooLargeError(f"the job is larger than {self._limits.job_bytes} bytes")
        self._digest.update(piece)
        self._packs.write(piece)

    def _end_item(self, *names: str) -> None:
        if self._packs.num_items >= self._limits.files:
            raise UploadTooLargeError(f"a job takes {self._limits.files} files")
        name = "/".join("".join(filter(str.isprintable, part))[-_NAME_LIMIT:] for part in names)
        self._digest.update(json.dumps([name, self._packs.item_bytes]).encode())
        if self._too_large:
            error = UploadTooLargeError(f"the file is larger than {self._limits.file_bytes} bytes")
            self._refused[self._packs.num_items] = Failure.of(error)
        self._packs.end_item(name)


def write_segment(store: Store, job_id: str, segment: str, outcomes: Iterable[Outcome]) -> None:
    """Write rows; they count once the ledger has taken them."""
    with store.create(f"{job_folder(job_id)}/rows/{segment}") as file:
        file.write(lines(outcomes))
