"""`python -m service anomaly-map FILE...`: where radiographs differ from what a masked autoencoder paints."""

import argparse
import asyncio
import json
import sys
from base64 import b64decode
from contextlib import aclosing
from pathlib import Path
from typing import Any

from models.errors import InvalidRequestError
from service.commands.files import NOTICE, FileRun, OutputFolder, add_file_arguments, settings_for
from service.inference.anomaly_schema import AnomalyResponse
from service.inference.answers import AnomalyOptions
from service.inference.build import build_engine
from service.settings import Settings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("anomaly-map", help="anomaly maps of radiographs", description=__doc__)
    add_file_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path(), help="folder for the pictures (default: .)")
    parser.add_argument("--masks", type=int, help="K, from the bundle's list")
    parser.add_argument("--rounds", type=int, default=1, help="more is smoother and slower (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the masks (default: 0)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Map the files: two pictures each, and a JSON line on standard output.

    Returns:
        1 where a file could not be mapped, 2 where the pictures cannot be written, else 0.
    """
    try:
        return asyncio.run(_map(options, settings_for(options, settings)))
    except InvalidRequestError as error:
        print(f"thorascope: {error}", file=sys.stderr)
        return 2


async def _map(options: argparse.Namespace, settings: Settings) -> int:
    engine = build_engine(settings)
    wanted = AnomalyOptions(
        masks=options.masks,
        rounds=options.rounds,
        seed=options.seed,
        refuse_rejected=options.gate == "on",
        picture=True,
    )
    folder = OutputFolder(options.out)
    run_ = FileRun(engine, settings, lambda content: engine.map_anomalies(content, wanted))
    async with aclosing(run_.answers(options.files)) as answers:
        async for file, anomaly, problem in answers:
            row: dict[str, Any] = {"file": str(file)}
            if anomaly is None:
                row["problem"] = problem
            else:
                body = AnomalyResponse.of(anomaly, engine.model, "")
                row |= body.model_dump(mode="json", exclude={"request_id", "timings_ms"})
                stem = folder.stem_for(file)
                reconstruction = b64decode(row["anomaly"]["reconstruction"].partition(",")[2])
                row["anomaly"]["map"] = str(folder.write(f"{stem}.map.png", anomaly.picture or b""))
                row["anomaly"]["reconstruction"] = str(folder.write(f"{stem}.reconstruction.png", reconstruction))
            print(json.dumps(row), flush=True)
    print(NOTICE, file=sys.stderr)
    return 1 if run_.num_problems else 0
