"""`python -m service predict FILE...`: findings of files, without a server."""

import argparse
import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

from models.errors import InvalidRequestError
from service.commands.files import NOTICE, FileRun, OutputFolder, add_file_arguments, settings_for
from service.inference.answers import Prediction, PredictOptions
from service.inference.build import build_engine
from service.inference.predict_schema import PredictResponse
from service.settings import Settings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("predict", help="findings of radiographs", description=__doc__)
    add_file_arguments(parser)
    parser.add_argument("--thresholds", metavar="NAME", help="threshold set of the bundle (default: its own default)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of tables")
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="write overlay pictures there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Score the files.

    Returns:
        1 where a file could not be scored, 2 where the bundle has no such thresholds or overlays cannot be written,
        else 0.
    """
    try:
        return asyncio.run(_score(options, settings_for(options, settings)))
    except InvalidRequestError as error:
        print(f"thorascope: {error}", file=sys.stderr)
        return 2


async def _score(options: argparse.Namespace, settings: Settings) -> int:
    engine = build_engine(settings)
    model = engine.model.with_thresholds(options.thresholds)
    wanted = PredictOptions(
        refuse_rejected=options.gate == "on", overlay=options.overlay is not None, thresholds=options.thresholds
    )
    folder = OutputFolder(options.overlay) if options.overlay else None
    run_ = FileRun(engine, settings, lambda content: engine.predict(content, wanted))
    async with aclosing(run_.answers(options.files)) as answers:
        async for file, prediction, problem in answers:
            row: dict[str, Any] = {"file": str(file)}
            if prediction is None:
                row["problem"] = problem
            else:
                body = PredictResponse.of(prediction, model, "", with_pngs=False)
                row |= body.model_dump(mode="json", exclude={"request_id", "timings_ms"})
                if folder and prediction.overlay:
                    row["overlay"] = str(folder.write(f"{folder.stem_for(file)}.overlay.png", prediction.overlay))
            print(json.dumps(row) if options.json else _table(row, prediction), flush=True)
    if not options.json:
        print(NOTICE)
    return 1 if run_.num_problems else 0


def _table(row: dict[str, Any], prediction: Prediction | None) -> str:
    """One file for people: findings, likeliest first; those over their threshold are marked."""
    if prediction is None:
        problem = row["problem"]
        return f"{row['file']}: {problem['title']}: {problem['detail']}\n"
    image, gate = row["image"], prediction.upload.gate
    lines = [f"{row['file']}: {image['format']}, {image['height']} x {image['width']}, gate: {gate.verdict}"]
    lines[0] += f" ({', '.join(gate.reasons)})" if gate.reasons else ""
    lines.append(f"  {'finding':<24}{'probability':>12}{'threshold':>12}")
    for answer in sorted(prediction.findings, key=lambda answer: -(answer.probability or 0.0)):
        mark = "*" if answer.positive else " "
        probability = "not trained" if answer.probability is None else f"{answer.probability:.4f}"
        lines.append(f"{mark} {answer.finding.display:<24}{probability:>12}{answer.finding.threshold:>12.4f}")
    return "\n".join(lines) + "\n"
