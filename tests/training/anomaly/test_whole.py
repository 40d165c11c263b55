"""Whole pictures by their maps: which rows, perfect and useless maps, intervals, seeds by their mean."""

import json

import numpy as np
import pytest
from PIL import Image

from models.imaging.phantom import draw
from models.imaging.preprocess import InputContract
from models.labels import CHESTXRAY14
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.console import run
from training.anomaly.methods import ONE_MASK, PRODUCT
from training.anomaly.report import LARGEST_SCORE, MEAN_SCORE
from training.anomaly.whole import complete_rows, whole_report
from training.data.dataset import DataError, Row

ALL = frozenset(CHESTXRAY14)
ILL = frozenset({"Mass"})
GREY, WHITE = 90, 200


@pytest.fixture(name="rows")
def _rows(tmp_path):
    """Grey normals and white ill ones, two pictures a patient."""
    found = []
    for index in range(24):
        labels = ILL if index % 3 == 0 else frozenset()
        Image.fromarray(np.full((40, 56), WHITE if labels else GREY, np.uint8)).save(tmp_path / f"{index}.png")
        found.append(Row(tmp_path / f"{index}.png", labels, ALL, f"p{index // 2}", "val"))
    return found


def brightness(inputs):
    """Tells white from grey by every pixel of the picture, and is brightest in the padding."""
    return np.stack([np.where(one.image > 0, one.image, 255) / 255 for one in inputs]).astype(np.float32)


def noise(seed: int):
    """Knows nothing."""
    rng = np.random.default_rng(seed)
    return lambda inputs: rng.random((len(inputs), 224, 224)).astype(np.float32)


def test_report__a_map_that_knows_is_perfect_and_leads_by_what_noise_lacks(rows):
    """By mean and by largest value, the padding apart; two seeds of noise are one row, by their mean."""
    methods = {PRODUCT: brightness, f"{ONE_MASK} 0": noise(0), f"{ONE_MASK} 1": noise(1)}
    report = whole_report(rows, InputContract(224), methods, num_resamples=200, seed=0)

    assert (report.num_with, report.num_without, report.num_patients) == (8, 16, 12)
    assert set(report.methods) == {PRODUCT, ONE_MASK}
    for what in (MEAN_SCORE, LARGEST_SCORE):
        useless, lead = report.methods[ONE_MASK][what], report.gains[ONE_MASK][what]
        assert report.methods[PRODUCT][what].value == 1
        assert 0.2 < useless.value < 0.8
        assert lead.value == pytest.approx(1 - useless.value)
        assert lead.interval.low <= lead.value <= lead.interval.high


class TestRows:
    def test_a_row_counts_if_it_is_upright_and_read_for_all(self, rows):
        """Of the split that is asked for, or of none."""
        odd = [
            Row(rows[0].file, ILL, ALL, "a", "train"),
            Row(rows[0].file, ILL, ILL, "b", "val"),
            Row(rows[0].file, ILL, ALL, "c", "val", flag="inverted"),
        ]
        unsplit = Row(rows[0].file, ILL, ALL, "d")

        assert complete_rows([*odd, *rows, unsplit], "val") == [*rows, unsplit]

    def test_one_kind_alone_is_refused(self, rows):
        """There is nobody to be told apart from."""
        for kept in ([row for row in rows if row.labels], [row for row in rows if not row.labels], []):
            with pytest.raises(DataError, match="both with and without"):
                complete_rows(kept, "val")


def test_anomaly__prints_whole_pictures_where_asked(tmp_path, capsys):
    """With the tiny bundle: two with a finding against three normals."""
    lines = ["file,label,split,patient_id"]
    for index in range(8):
        Image.fromarray(draw(index, 96, 80)).save(tmp_path / f"{index}.png")
        split, label = ("train", "No Finding") if index > 4 else ("val", "Mass" if index > 2 else "No Finding")
        lines.append(f"{index}.png,{label},{split},p{index}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    write_tiny_bundle(tmp_path / "bundle")
    place = [tmp_path / "bundle", "--data", tmp_path / "manifest.csv", "--json", tmp_path / "report.json"]
    few = ["--mask-seeds", 2, "--shuffles", 1, "--resamples", 20, "--mask-ratio", 0.5, "--limit", 1]
    run("anomaly", *place, *few, "--findings")

    text, content = capsys.readouterr().out, json.loads((tmp_path / "report.json").read_text())["findings"]
    assert "2 with any against 3 without, 5 patients" in text
    assert (content["with"], content["without"], content["patients"]) == (2, 3, 5)
    value = content["methods"][PRODUCT][MEAN_SCORE]["value"]
    assert f"| {PRODUCT} " in text.partition("Whole pictures")[2]
    assert value in {pair / 6 for pair in range(7)} | {pair / 12 for pair in range(13)}
    lead = content["product_minus"][ONE_MASK][MEAN_SCORE]["value"]
    assert lead == pytest.approx(value - content["methods"][ONE_MASK][MEAN_SCORE]["value"])
