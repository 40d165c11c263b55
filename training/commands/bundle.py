"""`bundle quantize`: int8 for a bundle's classifier, written only where it costs next to nothing."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.runtime.bundle import Bundle, load_bundle
from training.commands.numbers import add_bootstrap_arguments, add_json_argument, positive, write_json
from training.commands.served import add_bundle_arguments, add_data_arguments, bundle_folder, findings_of, rows_of
from training.data.dataset import DataError, Row, label_matrix
from training.data.packed import read_input
from training.evaluation.report_json import Json
from training.material import require_split
from training.quantisation.agreement import Pictures
from training.quantisation.bundle import Judge, candidates, ranked, timing, write_bundle
from training.quantisation.report import Verdict, trial_lines, verdict_json, verdict_lines
from training.quantisation.schemes import SCHEMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is done with which bundle."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    action = actions.add_parser("quantize", help="int8 for the classifier", description=__doc__)
    add_bundle_arguments(action)
    add_data_arguments(action)
    add_bootstrap_arguments(action)
    action.add_argument("--out", type=Path, required=True, help="folder of the new bundle; empty or not there yet")
    action.add_argument("--scheme", choices=[one.name for one in SCHEMES], help="only this; otherwise all are tried")
    action.add_argument("--any-licence", action="store_true", help="also rows whose weights may not be shipped")
    action.add_argument("--calibration", type=positive, default=128, metavar="N", help="train images that give ranges")
    action.add_argument("--trial", type=positive, default=64, metavar="N", help="train images that choose a scheme")
    action.add_argument("--limit", type=positive, metavar="N", help="so many val images, evenly spread")
    add_json_argument(action)


def run(options: argparse.Namespace) -> bool:
    """Print what was measured; write the bundle and return True, or write none and return False."""
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise ValueError(f"{options.out} is there and not empty: name another folder")
    bundle = load_bundle(bundle_folder(options.bundle))
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    ranges, trial, held_out = _rows(bundle, options)
    print(f"{name} (sha256 {bundle.sha256[:12]}) on {options.data.name}", end="\n\n")

    schemes = [one for one in SCHEMES if options.scheme in (None, one.name)]
    contract = bundle.manifest.input.contract
    made = candidates(bundle, schemes, np.stack([read_input(row.file, contract).image for row in ranges]))
    judge = Judge(bundle, _pictures(bundle, trial), options.threads)
    tried = [(candidate, judge(candidate, num_resamples=1)) for candidate in made]
    print(f"Ranges from {len(ranges)} images of split train; tried on {len(trial)} others of it:", end="\n\n")
    print(*trial_lines(tried), "", sep="\n")

    pictures, verdicts = _pictures(bundle, held_out), []
    judge = Judge(bundle, pictures, options.threads)
    for candidate in ranked(tried):
        found = judge(candidate, num_resamples=options.resamples, seed=options.seed)
        times = timing(bundle, candidate, pictures.inputs[0].image)
        verdicts.append(Verdict(candidate, found, f"{options.data.name}, split val", times, _size(bundle)))
        print(*verdict_lines(verdicts[-1]), "", sep="\n")
        if found.is_accepted:
            break
    if options.json is not None:
        told: list[Json] = [verdict_json(one) for one in verdicts]
        content: dict[str, Json] = {"bundle": name, "sha256": bundle.sha256, "verdicts": told}
        write_json(content, options.json)
    last = verdicts[-1]
    if not last.found.is_accepted:
        print("Refused: no bundle is written.")
        return False
    written = write_bundle(bundle, last.candidate, verdict_json(last), verdict_lines(last), options.out)
    print(f"Accepted: {written.name} {written.version}: {options.out}")
    return True


def _rows(bundle: Bundle, options: argparse.Namespace) -> tuple[list[Row], list[Row], list[Row]]:
    """Train images for ranges, others of them for the choice, and val images, of other patients, for the verdict."""
    dataset = findings_of(options)
    require_split(dataset.rows)
    wanted = [finding.name for finding in bundle.manifest.findings if finding.name in dataset.findings]
    train = rows_of(dataset, "train", wanted, None, any_licence=options.any_licence)
    if len(train) < 2:
        raise DataError(f"{dataset.name}: split train has {len(train)} images whose labels are known, 2 needed")
    num_ranges = min(options.calibration, len(train) // 2)
    order = np.random.Generator(np.random.PCG64(options.seed)).permutation(len(train)).tolist()
    shuffled = [train[place] for place in order]
    held_out = rows_of(dataset, "val", wanted, options.limit, any_licence=options.any_licence)
    return shuffled[:num_ranges], shuffled[num_ranges : num_ranges + options.trial], held_out


def _size(bundle: Bundle) -> int:
    return len(bundle.files[bundle.manifest.classifier.file])


def _pictures(bundle: Bundle, rows: Sequence[Row]) -> Pictures:
    findings = [finding.name for finding in bundle.manifest.findings]
    inputs = [read_input(row.file, bundle.manifest.input.contract) for row in rows]
    return Pictures(inputs, label_matrix(rows, findings), [row.patient for row in rows])
