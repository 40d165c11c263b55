"""`python -m service batch DIR --out FILE`: scores a folder through the queue; the same command again goes on."""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.errors import InvalidRequestError, StoreUnavailableError, ThorascopeError
from service.api.job_formats import ResultFormat, columns, to_csv, to_jsonl, write_parquet
from service.api.job_schema import JobForm, row_of
from service.commands.batch_files import draft_of, find_files, require_writable, take_file
from service.commands.files import NOTICE
from service.commands.job_runtime import shared_runtime
from service.commands.progress import ProgressBar
from service.inference.answers import ServedModel
from service.inference.served import served_model
from service.jobs.build import JobParts, intake_limits
from service.jobs.intake import Intake, Question, new_job_id
from service.jobs.job import JobStatus, Task
from service.jobs.ledger import Claim
from service.jobs.results import read_rows
from service.jobs.store_owner import require_claimable, require_own_store
from service.settings import Settings

_LOOK_EVERY_S = 0.5


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("batch", help="score a folder through the queue", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="searched with all its subfolders; zip archives too")
    parser.add_argument("--out", type=_out_file, required=True, metavar="FILE", help=".jsonl, .csv or .parquet")
    parser.add_argument("--task", choices=[str(task) for task in Task], default="predict", help="default: predict")
    parser.add_argument("--findings", metavar="NAMES", help="comma separated (default: all of the bundle)")
    parser.add_argument("--gate", choices=("on", "off"), help="default: on; off: answer what the gate rejects too")
    parser.add_argument("--saliency", choices=("boxes", "heatmaps", "none"), help="default: boxes")
    parser.add_argument("--thresholds", metavar="NAME", help="threshold set of the bundle (default: its own default)")
    parser.add_argument("--masks", type=int, help="K of anomaly maps, from the bundle's list")
    parser.add_argument("--rounds", type=int, help="of anomaly maps (default: 1)")
    parser.add_argument("--seed", type=int, help="of anomaly maps (default: 0)")
    parser.add_argument("--fresh", action="store_true", help="start anew, even where the same job was begun or done")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Score the folder.

    Returns:
        1 where a file has no answer, 2 where the job could not be done, else 0.
    """
    try:
        form = _form_of(options)
        files = find_files(options.folder, options.out)
        require_writable(options.out)
        with shared_runtime(settings, with_worker=True) as parts:
            return _Batch(options, form, settings, parts).score(files)
    except ThorascopeError as error:
        print(f"thorascope: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("thorascope: interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return 130


class _Batch:
    """One run of the command."""

    def __init__(self, options: argparse.Namespace, form: JobForm, settings: Settings, parts: JobParts) -> None:
        self._options = options
        self._form = form
        self._settings = settings
        self._parts = parts
        self._model = served_model(settings)

    def score(self, files: list[Path]) -> int:
        job_id = self._find_or_submit(files)
        status = self._follow(job_id)
        write_results(self._parts, job_id, self._model, self._options.out)
        answered = status.done - status.failed
        print(f"{answered} of {status.job.total} files answered: {self._options.out}. {NOTICE}", file=sys.stderr)
        return 1 if answered < status.job.total else 0

    def _find_or_submit(self, files: list[Path]) -> str:
        question, ledger = self._question(), self._parts.ledger
        claim = self._claim(files, question)
        self._parts.wait_for_redis()
        held = ledger.find_claim(claim)
        if held is not None and self._options.fresh:
            self._parts.reconciler.purge(held)
        elif held is not None:
            require_own_store(ledger, self._parts.store)
            print(f"thorascope: going on with the job that was begun before ({held})", file=sys.stderr)
            return held
        require_claimable(ledger, self._parts.store)  # before an archive is copied
        intake = Intake(self._parts.store, intake_limits(self._settings), new_job_id())
        bar = ProgressBar("taking in", len(files))
        try:
            for number, file in enumerate(files, start=1):
                take_file(intake, str(file.relative_to(self._options.folder)), file)
                bar.show(number)
            job_id = intake.commit(ledger, question, claim, time.time())
        except BaseException:
            intake.discard()
            raise
        finally:
            bar.close()
        self._parts.reconciler.feed(question.lane)
        return job_id

    def _question(self) -> Question:
        form, settings = self._form, self._settings
        asked = form.options(self._model, settings.rounds_limit)
        return Question(form.task, settings.batch_size_of(form.task), options=asked)

    def _claim(self, files: list[Path], question: Question) -> Claim:
        """The same files, unchanged, the same question and model: the same job."""
        stats = ((str(path), path.stat()) for path in files)
        seen = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
        asked = [str(self._options.folder.resolve()), seen, question.task, question.options, self._model.sha256]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return Claim(f"batch-{digest}", digest)

    def _follow(self, job_id: str) -> JobStatus:
        """Wait for the end; a Redis that is away is waited for too. Keeps the job going, were it the only process."""
        bar: ProgressBar | None = None
        try:
            while True:
                try:
                    status = self._parts.ledger.status(job_id)
                except StoreUnavailableError:
                    time.sleep(_LOOK_EVERY_S)
                    continue
                with suppress(ThorascopeError, OSError):  # a worker's reconciler says what is wrong
                    self._parts.reconciler.tick()
                bar = bar or ProgressBar(str(status.job.task), status.job.total, done=status.done)
                bar.show(status.done, note=f"{status.failed} failed" if status.failed else "")
                if status.is_over:
                    return status
                time.sleep(_LOOK_EVERY_S)
        finally:
            if bar is not None:
                bar.close()


def write_results(parts: JobParts, job_id: str, model: ServedModel, out: Path) -> None:
    """Write the rows in the format that the suffix names; the file appears in full or not at all.

    Raises:
        InvalidRequestError: it cannot be written; the job is kept.
    """
    wanted = ResultFormat(out.suffix[1:])
    rows: Iterator[dict[str, Any]] = (
        row_of(file, outcome) for file, outcome in read_rows(parts.ledger, parts.store, job_id)
    )
    draft = draft_of(out)
    try:
        if wanted is ResultFormat.PARQUET:
            write_parquet(rows, columns(parts.ledger.job(job_id).task, model), draft)
        else:
            table = columns(parts.ledger.job(job_id).task, model)
            with draft.open("wb") as file:
                file.writelines(to_jsonl(rows) if wanted is ResultFormat.JSONL else to_csv(rows, table))
        draft.replace(out)
    except OSError as error:
        raise InvalidRequestError(f"{out} was not written ({error}); the same command tries again") from error
    finally:
        draft.unlink(missing_ok=True)


def _form_of(options: argparse.Namespace) -> JobForm:
    given = {name: getattr(options, name) for name in JobForm.model_fields}
    return JobForm.read({name: value for name, value in given.items() if value is not None})


def _out_file(text: str) -> Path:
    path = Path(text)
    if path.suffix[1:] not in list(ResultFormat):
        raise argparse.ArgumentTypeError(f"{text}: the suffix must be .jsonl, .csv or .parquet")
    if not path.resolve().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no such folder")
    return path
