"""`python -m service calibrate --data CSV --name SITE --out DIR`: fits calibration and thresholds to own images."""

import argparse
import asyncio
import re
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

from models.errors import InvalidRequestError
from models.runtime.bundle import Bundle, load_bundle
from service.calibration.label_table import LabelTable, read_label_table
from service.calibration.report import site_report
from service.calibration.site_bundle import Site, require_room, write_site_bundle
from service.calibration.site_fit import fit_site
from service.calibration.site_scores import SiteScores, read_scores
from service.commands.files import NOTICE, FileRun, settings_for
from service.inference.answers import PredictOptions, Saliency, ServedModel
from service.inference.build import build_engine
from service.settings import Settings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("calibrate", help="calibrate a bundle on a site's images", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="CSV", help="labelled images (docs/calibration.md)")
    parser.add_argument("--scores", type=Path, metavar="FILE", help="what `batch` wrote for them; else they are scored")
    parser.add_argument(
        "--name", type=_name, required=True, metavar="SITE", help="letters, digits and - for the version"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="empty or new: the calibrated bundle")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="to calibrate, instead of the default bundle")
    parser.add_argument("--folds", type=_folds, default=5, metavar="K", help="of the cross-validation (default: 5)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Calibrate.

    Returns:
        1 where the bundle was written and files were left out of it, 2 where it was not written, else 0.
    """
    settings = settings_for(options, settings).model_copy(update={"thresholds": None})
    base = load_bundle(settings.bundle_dir)
    try:
        require_room(options.out, base.folder)
        table = read_label_table(options.data, [finding.name for finding in base.manifest.findings])
        if options.scores is None:
            scores = asyncio.run(_score(table, options.data.parent, settings))
        else:
            scores = read_scores(options.scores, table.files, ServedModel(base.manifest, base.sha256))
        _tell_what_is_left_out(table, scores)
        fit = fit_site(base.manifest, scores.logits, table.labels, table.patients, options.folds)
    except InvalidRequestError as error:
        print(f"thorascope: {error}", file=sys.stderr)
        return 2
    report = site_report(fit, {one.name: one.display for one in base.manifest.findings}, options.folds)
    site = Site(options.name, datetime.now(UTC).date())
    _tell(report, write_site_bundle(base, fit, site, report, options.out))
    return 1 if scores.rejected or scores.failed else 0


async def _score(table: LabelTable, folder: Path, settings: Settings) -> SiteScores:
    """Ask the local engine about every file that has a label."""
    engine = build_engine(settings)
    scores = SiteScores.empty(*table.labels.shape)
    wanted = PredictOptions(saliency=Saliency.NONE)
    run_ = FileRun(engine, settings, lambda content: engine.predict(content, wanted))
    async with aclosing(run_.answers([folder / file for file in table.files])) as answers:
        place = 0
        async for _, prediction, problem in answers:
            if prediction is not None:
                scores.take(place, prediction)
            elif problem is not None:
                reason = problem.get("detail") or problem["title"]
                scores.leave_out(table.files[place], problem["type"].rpartition("/")[2], reason)
            place += 1
    return scores


def _tell_what_is_left_out(table: LabelTable, scores: SiteScores) -> None:
    for what, files in (("rejected by the gate", scores.rejected), ("not scored", scores.failed)):
        for file, reason in files.items():
            print(f"thorascope: left out, {what}: {file}: {reason}", file=sys.stderr)
    if table.num_unlabelled:
        print(f"thorascope: {table.num_unlabelled} images have no label for the bundle's findings", file=sys.stderr)
    for name, count in sorted(table.ignored.items()):
        print(
            f"thorascope: {name!r}, named {count} times, is no finding of the bundle and was ignored", file=sys.stderr
        )


def _tell(report: str, bundle: Bundle) -> None:
    print(report)
    manifest = bundle.manifest
    print(
        f"\n{bundle.folder}: {manifest.name} {manifest.version}, threshold sets {', '.join(manifest.threshold_names)}"
    )
    print(f"  sha256 of the manifest: {bundle.sha256}")
    print(f"Serve it with THORASCOPE_BUNDLE_DIR={bundle.folder}. {NOTICE}")


def _name(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z-]{1,40}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits and - only, 40 at most")
    return text


def _folds(text: str) -> int:
    if not (text.isdecimal() and 2 <= int(text) <= 20):
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 2 to 20")
    return int(text)
