"""Packed images: decoded once, seen as one array, and refused by name where a file is no image."""

import resource

import numpy as np
import pytest
from PIL import Image

from models.imaging.phantom import draw
from models.imaging.preprocess import Geometry, InputContract, prepare
from tests.dicom_samples import plain
from training.data.dataset import DataError
from training.data.packed import PackedImages, pack, read_input, read_radiograph

CONTRACT = InputContract(32)


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for seed in range(3):
        Image.fromarray(draw(seed, 80, 60)).save(folder / f"{seed}.png")
    return sorted(folder.iterdir())


class TestPack:
    def test_it_holds_what_serving_would_see(self, files, tmp_path):
        """Decoded and laid out by the same code."""
        packed = pack(files, CONTRACT, tmp_path)

        for file, image in zip(files, packed, strict=True):
            assert np.array_equal(prepare(np.asarray(Image.open(file)), CONTRACT).image, image)

    def test_a_second_call_decodes_nothing(self, files, tmp_path):
        """The array is reopened."""
        first = np.array(pack(files, CONTRACT, tmp_path))
        (array,) = tmp_path.glob("*.npy")
        written = array.stat().st_mtime_ns

        assert np.array_equal(first, pack(files, CONTRACT, tmp_path))
        assert written == array.stat().st_mtime_ns

    def test_a_picture_that_took_another_s_place_is_decoded(self, tmp_path):
        """Also where both take as many bytes, as uncompressed pictures of one shape do."""
        file = tmp_path / "0.dcm"
        seen = []
        for seed in (0, 1):
            file.write_bytes(plain(draw(seed, 80, 60).astype(np.uint16)))
            seen.append((file.stat().st_size, np.array(pack([file], CONTRACT, tmp_path / "cache"))))

        assert seen[0][0] == seen[1][0]
        assert not np.array_equal(seen[0][1], seen[1][1])

    @pytest.mark.parametrize(
        "other", [InputContract(40), InputContract(32, Geometry.CENTER_CROP), InputContract(32, padding=7)]
    )
    def test_another_square_is_another_array(self, files, tmp_path, other):
        """A stale cache would train on the wrong geometry."""
        pack(files, CONTRACT, tmp_path)
        pack(files, other, tmp_path)

        assert 2 == len(list(tmp_path.glob("*.npy")))

    def test_missing_files_are_counted_and_named_before_any_is_decoded(self, files, tmp_path):
        """One line for all of them."""
        absent = [tmp_path / f"absent{index}.png" for index in range(7)]

        with pytest.raises(DataError, match=r"7 of 10 images are missing: .*absent0\.png.* and 2 more"):
            pack([*files, *absent], CONTRACT, tmp_path / "cache")

        assert not (tmp_path / "cache").exists()

    def test_a_file_that_is_no_image_is_named(self, files, tmp_path):
        """And leaves nothing behind: no array that a later call would take for whole, no gigabytes of a part."""
        broken = tmp_path / "broken.png"
        broken.write_bytes(files[0].read_bytes()[:100])

        with pytest.raises(DataError, match=r"broken\.png: "):
            pack([*files, broken], CONTRACT, tmp_path / "cache")

        assert [] == list((tmp_path / "cache").iterdir())

    def test_a_full_disk_is_said_and_leaves_nothing_behind(self, files, tmp_path):
        """The process would be killed by a signal if the array were mapped before there is room for it."""
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 32 * 32, kept[1]))
        try:
            with pytest.raises(OSError, match=r"3 packed images of 0\.0 GB do not fit: .*large"):
                pack(files, CONTRACT, tmp_path / "cache")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)

        assert [] == list((tmp_path / "cache").iterdir())

    def test_no_files_are_an_array_of_none(self, tmp_path):
        """One of several data sets may have no row in a fold."""
        assert (0, 32, 32) == pack([], CONTRACT, tmp_path).shape


class TestReadRadiograph:
    def test_it_is_what_the_service_decodes(self, files):
        """In its own size."""
        assert np.array_equal(np.asarray(Image.open(files[0])), read_radiograph(files[0]).pixels)

    @pytest.mark.parametrize("content", [None, b"no image"], ids=["missing", "no image"])
    def test_a_file_without_a_picture_is_named(self, tmp_path, content):
        """Whether it is missing or does not decode; likewise where it is laid out at once."""
        file = tmp_path / "faulty.png"
        if content is not None:
            file.write_bytes(content)

        with pytest.raises(DataError, match=r"faulty\.png: "):
            read_radiograph(file)
        with pytest.raises(DataError, match=r"faulty\.png: "):
            read_input(file, CONTRACT)


class TestPackedImages:
    def test_rows_of_several_arrays_are_one_sequence(self):
        """In order, whichever rows are asked for, also twice."""
        arrays = [np.full((length, 2, 2), value, np.uint8) for length, value in ((3, 10), (0, 20), (2, 30))]
        images = PackedImages.joined(arrays)

        assert 5 == len(images)
        assert 5 * 4 == images.num_bytes
        assert [10, 30, 10, 30] == images.take(np.array([0, 4, 2, 4]))[:, 0, 0].tolist()
        assert [0, 0, 0, 2, 2] == images.part_of.tolist()
