"""ChestX-ray14 as NIH publishes it, divided by either kind of lists."""

import csv
import gzip
import shutil
from pathlib import Path

import pytest

from models.labels import CHESTXRAY14
from training.data import chestxray14
from training.data.chestxray14_lists import NIH, OFFICIAL_CODE
from training.data.dataset import DataError
from training.data.splits import is_held_out

ENTRY = "Data_Entry_2017_v2020.csv"


def write_official_lists(root: Path) -> dict[str, str]:
    """medical_mae's lists for a twin, patients going round the splits; the split of each image."""
    rows = chestxray14.read(root).rows
    split_of = {row.file.name: ("train", "val", "test")[int(row.file.name[:8]) % 3] for row in rows}
    for name, split in OFFICIAL_CODE.items():
        lines = [
            f"{row.file.name} {' '.join(str(int(finding in row.labels)) for finding in CHESTXRAY14)}\n"
            for row in rows
            if split_of[row.file.name] == split
        ]
        (root / name).write_text("".join(lines))
    return split_of


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


class TestRows:
    def test_every_column_finds_its_place(self, twin):
        """What is not named is absent: the labels are complete."""
        root = twin("chestxray14")
        with (root / ENTRY).open() as stream:
            entries = {entry["Image Index"]: entry for entry in csv.DictReader(stream)}

        rows = chestxray14.read(root).rows

        assert list(entries) == [row.file.name for row in rows]
        for row in rows:
            entry = entries[row.file.name]
            assert set(entry["Finding Labels"].split("|")) - {"No Finding"} == row.labels
            assert frozenset(CHESTXRAY14) == row.known
            assert f"chestxray14:{entry['Patient ID']}" == row.patient
            assert (entry["Patient Gender"], entry["View Position"]) == (row.sex, row.view)
            assert int(entry["Patient Age"]) == row.age_years
            assert row.may_ship

    def test_the_published_folders_and_a_flat_one_serve_alike(self, twin):
        """`images_001/images/...` as it is unpacked, or everything in `images/`."""
        root = twin("chestxray14")
        published = [row.file for row in chestxray14.read(root).rows]
        (root / "images").mkdir()
        for file in published:
            file.rename(root / "images" / file.name)

        flat = [row.file for row in chestxray14.read(root).rows]

        assert {"images_001", "images_002"} == {file.parents[1].name for file in published}
        assert [root / "images" / file.name for file in published] == flat
        assert all(file.is_file() for file in flat)

    def test_an_image_that_is_nowhere_keeps_its_row(self, twin):
        """A long list is not looked up image by image; `verify` and packing say what is missing."""
        root = twin("chestxray14")
        lost = chestxray14.read(root).rows[3].file
        lost.unlink()

        assert root / "images" / lost.name == chestxray14.read(root).rows[3].file

    def test_boxes_are_marked(self, twin):
        """Patients with boxes can be kept for measuring localisation."""
        root = twin("chestxray14")
        boxed = {line.split(",")[0] for line in (root / "BBox_List_2017.csv").read_text().splitlines()[1:]}

        assert boxed
        assert boxed == {row.file.name for row in chestxray14.read(root).rows if row.has_box}

    def test_no_boxes_are_no_mistake(self, twin):
        """They are a download of their own."""
        root = twin("chestxray14")
        (root / "BBox_List_2017.csv").unlink()

        assert not any(row.has_box for row in chestxray14.read(root).rows)

    def test_packed_metadata_of_the_first_release(self, twin):
        """Ages with units, patients with zeros in front, a comma behind each line."""
        root = twin("chestxray14")
        expected = chestxray14.read(root)
        header, *entries = (root / ENTRY).read_text().splitlines()
        lines = [header + ","]
        for entry in entries:
            file, names, follow_up, patient, age, *rest = entry.split(",")
            lines.append(",".join([file, names, follow_up, patient.zfill(5), f"{int(age):03d}Y", *rest, ""]))
        (root / "Data_Entry_2017.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
        (root / ENTRY).unlink()

        assert expected.rows == chestxray14.read(root).rows

    @pytest.mark.parametrize(
        ("text", "years"), [("024M", 2), ("006M", 0.5), ("000D", 0), ("414", None), ("148Y", None), ("", None)]
    )
    def test_an_age_is_in_years_or_unknown(self, twin, text, years):
        """The first release has infants in months, and ages that nobody reaches."""
        root = twin("chestxray14")
        first = (root / ENTRY).read_text().splitlines()[1].split(",")
        edit(root / ENTRY, ",".join(first), ",".join([*first[:4], text, *first[5:]]))

        assert years == chestxray14.read(root).rows[0].age_years


class TestSplits:
    def test_nihs_lists_leave_val_to_a_hash_of_the_patient(self, twin):
        """Every machine holds out the same patients, and the test list is NIH's own."""
        root = twin("chestxray14")
        test = (root / "test_list.txt").read_text().split()

        rows = chestxray14.read(root).rows

        assert set(test) == {row.file.name for row in rows if row.split == "test"}
        for row in rows:
            if row.split != "test":
                assert ("val" if is_held_out(row.patient, chestxray14.VAL_SHARE) else "train") == row.split

    def test_the_lists_of_the_official_code_define_all_three(self, twin):
        """Where they lie there, they come before NIH's."""
        root = twin("chestxray14")
        split_of = write_official_lists(root)

        dataset = chestxray14.read(root)

        assert split_of == {row.file.name: row.split for row in dataset.rows}
        assert {ENTRY, *OFFICIAL_CODE, "BBox_List_2017.csv"} == {path.name for path in dataset.lists}

    def test_images_in_no_list_are_counted(self, twin):
        """Left out, and said so."""
        root = twin("chestxray14")
        *kept, _ = (root / "test_list.txt").read_text().splitlines()
        (root / "test_list.txt").write_text("\n".join(kept))

        assert {"in no list": 1} == chestxray14.read(root).left_out


class TestBrokenLists:
    @pytest.mark.parametrize("name", NIH)
    def test_a_missing_list_is_named(self, twin, name):
        """Without it, nothing is tested or nothing is trained."""
        root = twin("chestxray14")
        (root / name).unlink()

        with pytest.raises(DataError, match=f"lacks {name}"):
            chestxray14.read(root)

    def test_lists_of_the_official_code_come_in_threes(self, twin):
        """Half of them, completed by NIH's, would be a division of nobody's."""
        root = twin("chestxray14")
        write_official_lists(root)
        (root / "val_official.txt").unlink()

        with pytest.raises(DataError, match=r"lacks val_official\.txt"):
            chestxray14.read(root)

    def test_an_empty_folder_is_named(self, tmp_path):
        """The message says what was looked for."""
        with pytest.raises(DataError, match="Data_Entry_2017"):
            chestxray14.read(tmp_path)

    def test_a_leaking_list_is_refused(self, twin):
        """The number of patients and one of them are named."""
        root = twin("chestxray14")
        of_three = next(row for row in chestxray14.read(root).rows if row.split == "train" and "_002" in row.file.name)
        edit(root / "train_val_list.txt", f"{of_three.file.name}\n", "")
        with (root / "test_list.txt").open("a") as stream:
            stream.write(f"{of_three.file.name}\n")

        with pytest.raises(DataError, match=f"1 patients are in two splits, among them {of_three.patient} in test and"):
            chestxray14.read(root)

    def test_an_image_in_both_lists_is_refused(self, twin):
        """Trained on and tested on."""
        root = twin("chestxray14")
        shutil.copy(root / "train_val_list.txt", root / "test_list.txt")

        with pytest.raises(DataError, match=r"test_list\.txt line 1: 00000001_000\.png is already listed"):
            chestxray14.read(root)

    def test_a_listed_image_without_metadata_is_refused(self, twin):
        """Lists and metadata of different releases."""
        root = twin("chestxray14")
        edit(root / "test_list.txt", "00", "99")

        with pytest.raises(DataError, match=r"1 listed images are not in .*, among them 99"):
            chestxray14.read(root)

    @pytest.mark.parametrize(
        ("old", "new", "complaint"),
        [
            pytest.param(" 0\n", "\n", "14 fields where there should be 15", id="a label is missing"),
            pytest.param(" 0\n", " 0 0\n", "16 fields where there should be 15", id="a label too many"),
            pytest.param(" 0\n", " 2\n", "'2' is neither 0 nor 1", id="a label of another kind"),
            pytest.param(" 0 ", " 1 ", "disagree about the labels of 1 images", id="another label than the metadata's"),
        ],
    )
    def test_labels_in_a_list_are_checked(self, twin, old, new, complaint):
        """They are what the paper's numbers were measured with."""
        root = twin("chestxray14")
        write_official_lists(root)
        edit(root / "train_official.txt", old, new)

        with pytest.raises(DataError, match=complaint):
            chestxray14.read(root)


class TestBrokenMetadata:
    @pytest.mark.parametrize(
        ("names", "complaint"),
        [("Mass|Fracture", "'Fracture' is none of the 14"), ("Mass|No Finding", "beside 'No Finding'"), ("", "''")],
    )
    def test_labels_outside_the_vocabulary_are_named(self, twin, names, complaint):
        """File, line and label."""
        root = twin("chestxray14")
        second = (root / ENTRY).read_text().splitlines()[2].split(",")
        edit(root / ENTRY, ",".join(second), ",".join([second[0], names, *second[2:]]))

        with pytest.raises(DataError, match=rf"{ENTRY} line 3: .*{complaint}"):
            chestxray14.read(root)

    def test_an_image_that_is_there_twice_is_named(self, twin):
        """Which of its labels should count?"""
        root = twin("chestxray14")
        first = (root / ENTRY).read_text().splitlines()[1]
        with (root / ENTRY).open("a") as stream:
            stream.write(f"{first}\n")

        with pytest.raises(DataError, match=r"line 26: .* is there twice"):
            chestxray14.read(root)


def test_the_published_metadata(shared, tmp_path):
    """The labels are the 14 findings and "No Finding"; of a published division by patient, 12 % are held out."""
    labels = shared / "data/cxr/labels"
    for name in (f"{ENTRY}.gz", "BBox_List_2017.csv"):
        (tmp_path / name).symlink_to(labels / name)
    lists: dict[str, list[str]] = {name: [] for name in NIH}
    with gzip.open(labels / "chexnet_split_arnoweng.csv.gz", "rt", newline="") as stream:
        for entry in csv.DictReader(stream):
            lists["test_list.txt" if entry["split"] == "test" else "train_val_list.txt"].append(entry["image"])
    for name, files in lists.items():
        (tmp_path / name).write_text("\n".join(files))

    rows = chestxray14.read(tmp_path).rows

    assert 111_660 == len(rows)
    assert set(CHESTXRAY14) == {name for row in rows for name in row.labels}
    assert 60_188 == sum(not row.labels for row in rows)
    assert 866 == sum(row.has_box for row in rows)
    assert all(row.sex and row.view and row.age_years is not None for row in rows)
    held_out = sum(row.split == "val" for row in rows) / sum(row.split != "test" for row in rows)
    assert held_out == pytest.approx(0.121, abs=5e-4)  # rounding
