"""The bundle that ships: whole, small enough, and as good as its card says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from models.imaging.decode import decode
from models.imaging.phantom import draw
from models.imaging.preprocess import prepare
from models.labels import CHESTXRAY14
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import load_bundle
from models.runtime.classifier import Classifier
from training.data.dataset import label_matrix
from training.data.manifest import read_manifest
from training.metrics import auroc_report

FOLDER = Path(__file__).resolve().parent.parent / "models/bundles/default"
LIMIT_BYTES = 64_000_000


@pytest.fixture(name="bundle", scope="module")
def _bundle():
    return load_bundle(FOLDER)


def test_it_knows_the_14_findings_and_weighs_little(bundle):
    """Committed files together at most 64 MB: history keeps every version."""
    assert CHESTXRAY14 == tuple(finding.name for finding in bundle.manifest.findings)
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if ".torchscript" not in path.name) <= LIMIT_BYTES


def test_its_one_encoder_is_stored_once(bundle):
    """The reconstructor's file is a small part of what it is when it is put together."""
    spec = bundle.manifest.reconstructor

    assert spec.borrows_weights
    assert (FOLDER / spec.file).stat().st_size < len(bundle.files[spec.file]) / 3


def test_it_says_what_it_was_made_from(bundle):
    """Only rows that may feed shipped weights, none of them of an unnamed source."""
    provenance = bundle.manifest.provenance
    runs = [provenance["pretraining"], *provenance["finetuning"]]
    runs += [run["start"]["run"] for run in runs if run.get("start")]

    assert 5 == len(runs)
    for run in runs:
        assert run["num_images"] == sum(run["sources"].values())
        assert all(
            source.startswith(("nih_", "kermany_", "covidrad_rsna_normal", "wingspan_ctr")) for source in run["sources"]
        )


def test_its_answers_depend_on_the_picture(bundle):
    """A graph that lost its input would answer alike for all."""
    classifier = Classifier.open(bundle, threads=1)
    contract = bundle.manifest.input.contract
    images = np.stack([prepare(draw(seed, 300, 260), contract).image for seed in range(2)])[:, None]

    output = classifier.predict(images, saliency=True)

    assert np.abs(output.logits[0] - output.logits[1]).max() > 1e-3
    assert (output.saliency.max(axis=(2, 3)) > 0).any()


def test_its_map_is_repeatable_and_its_score_has_a_percentile(bundle):
    """The same picture and seed, the same map."""
    detector = AnomalyDetector.open(bundle, threads=1)
    placed = prepare(draw(0, 300, 260), bundle.manifest.input.contract)

    first, second = (detector.run(placed.image[None, None], [placed.letterbox.content])[0] for _ in range(2))

    assert np.array_equal(first.calibrated, second.calibrated)
    assert first.percentile is not None


def test_its_card_holds_on_the_held_out_images(bundle, shared):
    """AUROC of the shipped file, through the serving path, is what the card says, finding by finding."""
    rows = [row for row in read_manifest(shared / "data/cxr/manifest.csv") if row.split == "val" and row.may_ship]
    rows = [row for row in rows if row.known == frozenset(CHESTXRAY14)]
    classifier, contract = Classifier.open(bundle), bundle.manifest.input.contract
    logits = np.concatenate(
        [
            classifier.predict(
                prepare(decode(row.file.read_bytes()), contract).image[None, None], saliency=False
            ).logits
            for row in rows
        ]
    )

    report = auroc_report(CHESTXRAY14, label_matrix(rows), logits, [row.patient for row in rows], num_resamples=1)

    card = (FOLDER / "README.md").read_text()
    stated = [float(value) for value in re.findall(r"^\| [^|*]+ \| \d+ \| \d+ \| ([\d.]+) \|", card, re.MULTILINE)]
    assert stated == pytest.approx([row.value for row in report.findings], abs=2e-3)
    assert json.loads((FOLDER / "bundle.json").read_text())["provenance"]["mean_auroc"] == pytest.approx(
        report.mean, abs=2e-3
    )
