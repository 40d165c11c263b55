"""The benchmark's generator: what it draws, where it says so, and that it stays as it was fixed."""

import hashlib

import numpy as np
import pytest

from models.imaging.phantom import draw
from models.imaging.preprocess import Geometry, InputContract
from training.anomaly.field import WORKING_SIDE_PX, chest_field, working_picture
from training.anomaly.implants import BENCHMARK_SEED, KINDS, VERSION, Implanted, implant, to_model

# Of pixels and truth on `chequered`, seed 20261125, index 3. They change with VERSION, and with nothing else.
FIXED = {
    "nodule": "5880377dc49a7200",
    "opacity": "89e6935f3520ff39",
    "device": "3dcdcaa34094d545",
    "mark": "e0dca1ae18b0ec8a",
    "missing rib": "f89133d621bc46bd",
}


def chequered() -> np.ndarray:
    """(256, 300) of whole numbers alone: two dark fields on a lighter ground, with stripes for ribs."""
    y, x = np.mgrid[:256, :300]
    lungs = (np.abs(y - 120) < 70) & (np.abs(np.abs(x - 150) - 63) < 40)
    stripes = (y // 9) % 3 == 0
    return np.where(lungs, 60 + 40 * stripes, 150).astype(np.uint8)


@pytest.fixture(name="phantom", scope="module")
def _phantom() -> np.ndarray:
    return draw(0, 512, 420)


@pytest.mark.parametrize("kind", KINDS)
def test_implant__is_the_one_that_was_fixed(kind):
    """A benchmark that moves measures nothing: another picture for the same seed is another version."""
    one = implant(chequered(), kind, BENCHMARK_SEED, 3)

    assert VERSION == 1
    assert FIXED[kind] == hashlib.sha256(one.pixels.tobytes() + one.truth.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", range(4))
def test_implant__lies_in_its_truth(phantom, kind, index):
    """Inside something changes; outside there is a soft rim of at most 0.15 of the largest change, or nothing."""
    one = implant(phantom, kind, 1, index)

    change = np.abs(one.pixels.astype(int) - working_picture(phantom))
    assert change[one.truth].max() == change.max() > 4
    assert change[~one.truth].max() <= 0.35 * change.max() + 1
    assert (change[one.truth] > 0).mean() > 0.5
    assert 0 < one.truth.mean() < 0.35


@pytest.mark.parametrize("kind", KINDS)
def test_implant__follows_from_seed_and_index(phantom, kind):
    """The same twice; another for another index, and for another seed."""
    first, again, second, other = (implant(phantom, kind, *pair) for pair in ((1, 0), (1, 0), (1, 1), (2, 0)))

    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.truth, again.truth)
    assert (first.truth != second.truth).any()
    assert (first.truth != other.truth).any()


def test_implant__leaves_its_picture_alone(phantom):
    """A caller lays several kinds into the same pixels."""
    before = phantom.copy()
    for kind in KINDS:
        implant(phantom, kind, 1, 0)

    np.testing.assert_array_equal(before, phantom)


def test_implant__a_white_picture_is_no_crash():
    """Nothing can be brighter, and there is no rib to take away."""
    for kind in KINDS:
        assert implant(np.full((256, 256), 255, np.uint8), kind, 1, 0).truth.any()


def test_missing_rib__takes_contrast_away():
    """In its strip the stripes are gone."""
    one = implant(chequered(), "missing rib", 1, 0)

    assert one.pixels[one.truth].std() < chequered()[one.truth].std()


@pytest.mark.parametrize("geometry", Geometry)
def test_to_model__keeps_truth_on_its_anomaly(phantom, geometry):
    """Through letterbox and crop, what changes in the model's image is where the truth says."""
    contract = InputContract(224, geometry)
    one = implant(phantom, "mark", 1, 2)
    plain, truth = to_model(type(one)(working_picture(phantom), one.truth), contract)
    marked, _ = to_model(one, contract)

    change = np.abs(marked.image.astype(int) - plain.image)
    assert (224, 224) == truth.shape
    assert truth[change > 0.5 * change.max()].mean() > 0.95


def test_to_model__a_pixel_is_in_the_truth_if_a_quarter_of_it_is():
    """Of 4 x 4 pixels that become one: four are enough, three are not."""
    truth = np.zeros((256, 256), np.bool_)
    truth[:1, :4] = truth[4:5, 4:7] = True

    _, shown = to_model(Implanted(np.zeros((256, 256), np.uint8), truth), InputContract(64))

    assert [[0, 0]] == np.argwhere(shown).tolist()


def test_chest_field__is_dark_and_in_the_chest(phantom):
    """Two lungs, darker than what lies around them."""
    picture = working_picture(phantom)
    field = chest_field(picture)
    middle = picture.shape[1] // 2

    assert picture[field.lungs].mean() < picture[field.chest & ~field.lungs].mean() - 20
    assert field.lungs[:, :middle].any()
    assert field.lungs[:, middle:].any()


def test_working_picture__has_one_size():
    """Whatever the file's; one that has it already is not touched."""
    assert (320, WORKING_SIDE_PX) == working_picture(np.zeros((2500, 2000), np.uint8)).shape
    assert (WORKING_SIDE_PX, 300) == working_picture(np.zeros((128, 150), np.uint8)).shape
    picture = chequered()
    assert working_picture(picture) is picture
