"""Asking an engine about many files: some at once, answers in the order of the files, one file's failure its own."""

import argparse
import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from models.errors import InvalidRequestError, ThorascopeError, UploadTooLargeError
from service.api.problems import problem_body
from service.inference.engine import Engine
from service.settings import Settings

NOTICE = "For research use only. Not a medical device; not for diagnosis."

T = TypeVar("T")
Problem = dict[str, Any]
Outcome = tuple[T | None, Problem | None]  # one of the two is None


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every command that reads radiographs."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="DICOM, PNG or JPEG")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="instead of the default bundle")
    parser.add_argument("--gate", choices=("on", "off"), default="on", help="off: answer what the gate rejects too")


def settings_for(options: argparse.Namespace, settings: Settings) -> Settings:
    """The settings, with the bundle that the command line names."""
    return settings.model_copy(update={"bundle_dir": options.bundle}) if options.bundle else settings


class FileRun(Generic[T]):
    """One run over many files.

    Args:
        ask: the question; it gets a file's bytes.

    Attributes:
        num_problems: files that got no answer so far.
    """

    def __init__(self, engine: Engine, settings: Settings, ask: Callable[[bytes], Awaitable[T]]) -> None:
        self._engine = engine
        self._limit_bytes = settings.upload_limit_bytes
        self._at_once = settings.decode_workers + settings.inference_workers
        self._ask = ask
        self.num_problems = 0

    async def answers(self, files: Sequence[Path]) -> AsyncGenerator[tuple[Path, T | None, Problem | None], None]:
        """Start the engine, yield (file, answer, problem) in the files' order, close the engine; progress on stderr."""
        tasks: deque[asyncio.Task[Outcome[T]]] = deque()
        to_start = iter(files)
        try:
            await self._engine.start()
            for num_done, file in enumerate(files, start=1):
                for waiting in islice(to_start, self._at_once - len(tasks)):
                    tasks.append(asyncio.create_task(self._answer(waiting)))
                answer, problem = await tasks.popleft()
                self.num_problems += problem is not None
                self._show_progress(num_done, len(files))
                yield file, answer, problem
        finally:
            await self._engine.close()

    async def _answer(self, file: Path) -> Outcome[T]:
        try:
            return await self._ask(await asyncio.to_thread(self._read, file)), None
        except ThorascopeError as error:
            return None, problem_body(error.code, str(error))
        except OSError as error:
            return None, {"type": "about:blank", "title": "The file cannot be read", "detail": error.strerror}

    def _read(self, file: Path) -> bytes:
        if file.stat().st_size > self._limit_bytes:
            raise UploadTooLargeError(f"the file is larger than {self._limit_bytes} bytes")
        return file.read_bytes()

    def _show_progress(self, num_done: int, num_files: int) -> None:
        if num_files > 1 and sys.stderr.isatty():
            end = "\n" if num_done == num_files else ""
            print(f"\r{num_done} of {num_files} files, {self.num_problems} with problems", end=end, file=sys.stderr)


def unwritable(path: Path, error: OSError) -> InvalidRequestError:
    """What it means that a command cannot write what it was told to."""
    return InvalidRequestError(f"{path} cannot be written: {error.strerror or error}")


class OutputFolder:
    """Names for files in a folder; inputs of the same name get different ones.

    Raises:
        InvalidRequestError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
        self._folder = folder
        self._num_by_name: dict[str, int] = {}

    def stem_for(self, file: Path) -> str:
        """What the names of this input's outputs begin with."""
        number = self._num_by_name[file.name] = self._num_by_name.get(file.name, 0) + 1
        return file.name if number == 1 else f"{file.name}-{number}"

    def write(self, name: str, content: bytes) -> Path:
        """Write one file. Raises InvalidRequestError."""
        path = self._folder / name
        try:
            path.write_bytes(content)
        except OSError as error:
            raise unwritable(path, error) from error
        return path
