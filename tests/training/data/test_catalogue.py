"""Data sets by name, and where they lie."""

import pytest

from training.data import chestxray14
from training.data.catalogue import NAMES, find_roots, open_dataset
from training.data.dataset import DataError
from training.data.twins import write_twin


@pytest.mark.parametrize("name", NAMES)
def test_open_dataset__reads_each_by_its_name(twin, name):
    """Commands and recipes know names alone."""
    dataset = open_dataset(name, twin(name))

    assert name == dataset.name
    assert {"train", "val", "test"} == {row.split for row in dataset.rows}


def test_open_dataset__passes_options_on(twin):
    """Each reader has its own."""
    dataset = open_dataset("chexpert", twin("chexpert"), policy="ignore", findings=("Edema",))

    assert ("Edema",) == dataset.findings
    assert any(not row.known for row in dataset.rows)


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("padchest", {}, "no data set 'padchest'; there are chestxray14, "),
        ("chexpert", {"polcy": "ones"}, "chexpert takes no option 'polcy'; it takes policy, findings, test_list"),
        ("covidx", {"policy": "ones"}, "covidx takes no option 'policy'; it takes none"),
    ],
)
def test_open_dataset__names_what_does_not_exist(tmp_path, name, options, complaint):
    """And what does."""
    with pytest.raises(DataError, match=complaint):
        open_dataset(name, tmp_path, **options)


@pytest.mark.parametrize(("there", "told"), [("chexpert", "; chexpert lies there: name it by --dataset"), (None, "$")])
def test_open_dataset__says_what_a_folder_without_a_manifest_holds(twin, tmp_path, there, told):
    """`manifest` is what commands take it for where nothing is said."""
    with pytest.raises(DataError, match=rf"holds no manifest\.csv{told}"):
        open_dataset("manifest", tmp_path if there is None else twin(there))


class TestFindRoots:
    def test_folders_that_carry_the_names_are_found(self, tmp_path):
        """One folder for all data sets, each in a sub-folder."""
        for name in NAMES:
            write_twin(name, tmp_path / name, num=12, seed=0)

        assert {name: tmp_path / name for name in NAMES} == find_roots(tmp_path)

    @pytest.mark.parametrize("name", NAMES)
    def test_the_folder_itself_may_be_one(self, twin, name):
        """Recognised by what it holds."""
        root = twin(name)

        assert {name: root} == find_roots(root)

    def test_a_folder_with_the_name_and_nothing_in_it_is_none(self, tmp_path):
        """An unfinished download."""
        for name in NAMES:
            (tmp_path / name).mkdir()

        assert {} == find_roots(tmp_path)
        assert {} == find_roots(tmp_path / "nowhere")

    def test_the_sub_folder_comes_before_the_folder_itself(self, tmp_path):
        """The name says more than the contents."""
        named = write_twin(chestxray14.NAME, tmp_path / chestxray14.NAME, num=12, seed=0)
        (tmp_path / "Data_Entry_2017.csv").touch()

        assert {chestxray14.NAME: named} == find_roots(tmp_path)
