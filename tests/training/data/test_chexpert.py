"""CheXpert as Stanford publishes it, its uncertain labels read one way or another."""

from pathlib import Path

import numpy as np
import pytest

from training.data import chexpert
from training.data.dataset import DataError
from training.data.splits import is_held_out

HEADER = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *chexpert.FINDINGS]
UNCERTAIN = dict.fromkeys(chexpert.TASKS, "-1.0")
UNKNOWN = np.nan


def write_lists(
    root: Path, *studies: dict[str, str], path: str = "CheXpert-v1.0-small/train/patient00001/study{}"
) -> Path:
    """A `train.csv` of some studies of one patient, and a `valid.csv` without any."""
    lines = [",".join(HEADER)]
    for number, values in enumerate(studies, start=1):
        facts = {"Path": f"{path.format(number)}/view1_frontal.jpg", "Frontal/Lateral": "Frontal"} | values
        lines.append(",".join(facts.get(column, "") for column in HEADER))
    (root / "train.csv").write_text("\n".join(lines))
    (root / "valid.csv").write_text(",".join(HEADER))
    return root


class TestPolicy:
    @pytest.mark.parametrize(
        ("policy", "labels"),
        [
            pytest.param("official", [0, 1, 0, 1, 0], id="present for Edema and Atelectasis, as the paper's code"),
            pytest.param("ones", [1, 1, 1, 1, 1], id="present"),
            pytest.param("zeros", [0, 0, 0, 0, 0], id="absent"),
            pytest.param("ignore", [UNKNOWN] * 5, id="unknown"),
        ],
    )
    def test_an_uncertain_finding_is(self, tmp_path, policy, labels):
        """In the order Cardiomegaly, Edema, Consolidation, Atelectasis, Pleural Effusion."""
        dataset = chexpert.read(write_lists(tmp_path, UNCERTAIN), policy=policy)

        np.testing.assert_array_equal(np.float32([labels]), dataset.labels(dataset.rows))

    @pytest.mark.parametrize("policy", ["official", "ones", "zeros", "ignore"])
    def test_a_finding_that_is_not_mentioned_is_absent(self, tmp_path, policy):
        """Whatever becomes of the uncertain ones."""
        dataset = chexpert.read(write_lists(tmp_path, {"Edema": "1.0", "Cardiomegaly": "0.0"}), policy=policy)

        np.testing.assert_array_equal([[0, 1, 0, 0, 0]], dataset.labels(dataset.rows))

    def test_all_14_columns_can_be_read(self, tmp_path):
        """For pre-training with labels beyond the benchmark's five."""
        root = write_lists(tmp_path, {"No Finding": "1.0", "Support Devices": "1.0", "Fracture": "-1.0"})

        dataset = chexpert.read(root, findings=chexpert.FINDINGS)

        assert {"No Finding", "Support Devices"} == dataset.rows[0].labels
        assert frozenset(chexpert.FINDINGS) == dataset.rows[0].known


class TestPaths:
    @pytest.mark.parametrize("release", ["CheXpert-v1.0/", "CheXpert-v1.0-small/", ""])
    def test_the_name_of_the_release_is_no_folder_below_the_list(self, tmp_path, release):
        """Both downloads write their own name into the paths, and the later test list writes none."""
        root = write_lists(tmp_path, {}, path=f"{release}train/patient00001/study{{}}")

        (row,) = chexpert.read(root).rows

        assert tmp_path / "train/patient00001/study1/view1_frontal.jpg" == row.file
        assert "chexpert:patient00001" == row.patient

    @pytest.mark.parametrize("release", ["CheXpert-v1.0", "CheXpert-v1.0-small"])
    def test_the_folder_above_serves_as_well(self, tmp_path, release):
        """Where the archive was unpacked."""
        (tmp_path / release).mkdir()
        write_lists(tmp_path / release, {})

        (row,) = chexpert.read(tmp_path).rows

        assert chexpert.lies_in(tmp_path)
        assert tmp_path / release / "train/patient00001/study1/view1_frontal.jpg" == row.file

    def test_every_image_of_a_twin_is_where_the_list_says(self, twin):
        """Resolved, the paths lead to files."""
        rows = chexpert.read(twin("chexpert")).rows

        assert rows
        assert all(row.file.is_file() for row in rows)


class TestRows:
    def test_lateral_views_are_left_out_and_counted(self, tmp_path):
        """By the column; by the file's name where there is none."""
        lateral = {"Path": "CheXpert-v1.0/train/patient00002/study1/view2_lateral.jpg", "Frontal/Lateral": "Lateral"}
        by_name = lateral | {"Frontal/Lateral": ""}

        dataset = chexpert.read(write_lists(tmp_path, {}, lateral, by_name, {"Frontal/Lateral": ""}))

        assert {"lateral view": 2} == dataset.left_out
        assert 2 == len(dataset.rows)

    @pytest.mark.parametrize(("text", "sex"), [("Female", "F"), ("Male", "M"), ("Unknown", ""), ("", "")])
    def test_sex_is_a_letter_or_unknown(self, tmp_path, text, sex):
        """One patient's is published as Unknown."""
        (row,) = chexpert.read(write_lists(tmp_path, {"Sex": text, "Age": "68", "AP/PA": "AP"})).rows

        assert (sex, 68, "AP") == (row.sex, row.age_years, row.view)

    def test_weights_are_not_to_be_shipped(self, tmp_path):
        """The research use agreement does not allow it in so many words."""
        assert not chexpert.read(write_lists(tmp_path, {})).rows[0].may_ship


class TestSplits:
    def test_the_official_validation_set_is_the_test_set(self, twin):
        """As the paper: held out of train.csv, by patient, is `val`."""
        rows = chexpert.read(twin("chexpert")).rows

        assert {"train", "val", "test"} == {row.split for row in rows}
        for row in rows:
            if "/valid/" in str(row.file):
                assert "test" == row.split
            else:
                assert ("val" if is_held_out(row.patient, chexpert.VAL_SHARE) else "train") == row.split

    def test_the_later_test_set_can_be_asked_for(self, twin):
        """The published division: three lists, three splits."""
        rows = chexpert.read(twin("chexpert"), test_list="test.csv").rows

        assert {("train", "train"), ("valid", "val"), ("test", "test")} == {
            (row.file.parents[2].name, row.split) for row in rows
        }


class TestBrokenLists:
    @pytest.mark.parametrize("value", ["2", "yes", "-1.5"])
    def test_a_label_of_another_kind_is_named(self, tmp_path, value):
        """File, line, finding and value."""
        with pytest.raises(DataError, match=rf"train\.csv line 3: Edema is '{value}'"):
            chexpert.read(write_lists(tmp_path, {}, {"Edema": value}))

    def test_a_path_without_a_patient_is_named(self, tmp_path):
        """Nobody could say which split it belongs to."""
        with pytest.raises(DataError, match=r"train\.csv line 2: no patient in the path"):
            chexpert.read(write_lists(tmp_path, {"Path": "CheXpert-v1.0/train/view1_frontal.jpg"}))

    def test_a_patient_in_both_lists_is_refused(self, tmp_path):
        """Somebody's own copy of the lists."""
        root = write_lists(tmp_path, {})
        (root / "valid.csv").write_text((root / "train.csv").read_text())

        with pytest.raises(DataError, match="chexpert:patient00001 in test and train"):
            chexpert.read(root)

    @pytest.mark.parametrize("name", ["train.csv", "valid.csv"])
    def test_a_missing_list_is_named(self, tmp_path, name):
        """An empty folder included."""
        root = write_lists(tmp_path, {})
        (root / name).unlink()

        with pytest.raises(DataError, match=f"holds no {name}"):
            chexpert.read(root)

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"policy": "maybe"}, "'maybe' is none of official, ones, zeros, ignore"),
            ({"test_list": "train.csv"}, r"'train\.csv' is none of valid\.csv, test\.csv"),
            ({"findings": ("Edema", "Hernia")}, "no finding 'Hernia'"),
        ],
    )
    def test_an_option_that_does_not_exist_is_named(self, tmp_path, options, complaint):
        """With what does."""
        with pytest.raises(DataError, match=complaint):
            chexpert.read(write_lists(tmp_path, {}), **options)

    def test_another_train_csv_is_not_taken_for_it(self, tmp_path):
        """Half of all data sets have one."""
        (tmp_path / "train.csv").write_text("image,label\n")

        assert not chexpert.lies_in(tmp_path)
