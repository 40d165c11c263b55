"""COVIDx 9A: one class a radiograph."""

import numpy as np
import pytest

from training.data import covidx
from training.data.dataset import DataError
from training.data.splits import is_held_out


def write_lists(root, train, test=""):
    (root / "train_COVIDx9A.txt").write_text(train)
    (root / "test_COVIDx9A.txt").write_text(test)
    return root


def test_read__gives_each_row_exactly_one_class(tmp_path):
    """Lines of the published lists: patient, file, class and source."""
    train = "3 SARS-10.1148rg-day0.jpeg pneumonia cohen\nCOVID_716 COVID(716).png COVID-19 sirm\n"
    root = write_lists(tmp_path, train, "8989e25c 8989e25c.png normal rsna\n")

    dataset = covidx.read(root)

    assert dataset.is_exclusive
    np.testing.assert_array_equal([[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]], dataset.labels(dataset.rows))
    assert [root / "train/SARS-10.1148rg-day0.jpeg", root / "train/COVID(716).png", root / "test/8989e25c.png"] == [
        row.file for row in dataset.rows
    ]
    assert ["cohen", "sirm", "rsna"] == [row.source for row in dataset.rows]
    assert ["covidx:3", "covidx:COVID_716", "covidx:8989e25c"] == [row.patient for row in dataset.rows]


def test_read__holds_patients_out_of_the_training_list(twin):
    """The test list is the published one; `val` is a share of the other's patients."""
    rows = covidx.read(twin("covidx")).rows

    assert {"train", "val", "test"} == {row.split for row in rows}
    for row in rows:
        assert row.file.is_file()
        if row.file.parent.name == "test":
            assert "test" == row.split
        else:
            assert ("val" if is_held_out(row.patient, covidx.VAL_SHARE) else "train") == row.split


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param("1 b.png negative cohen", "'negative' is none of normal, positive", id="another class"),
        pytest.param("1 b.png normal", "3 fields", id="a field is missing"),
        pytest.param("1  b.png normal cohen", "5 fields", id="two spaces"),
    ],
)
def test_read__names_the_line_of(tmp_path, line, complaint):
    """The official code splits at single spaces, too."""
    root = write_lists(tmp_path, f"1 a.png normal cohen\n{line}\n")

    with pytest.raises(DataError, match=rf"train_COVIDx9A\.txt line 2: {complaint}"):
        covidx.read(root)


def test_read__finds_a_patient_whose_source_is_spelt_in_two_ways(tmp_path):
    """The training list says `rnsa` where the test list says `rsna`."""
    root = write_lists(tmp_path, "1 a.png normal rnsa\n", "1 b.png normal rsna\n")

    with pytest.raises(DataError, match="1 patients are in two splits, among them covidx:1"):
        covidx.read(root)


def test_read__names_a_missing_list(tmp_path):
    """An empty folder is no data set."""
    with pytest.raises(DataError, match=r"train_COVIDx9A\.txt is missing"):
        covidx.read(tmp_path)
