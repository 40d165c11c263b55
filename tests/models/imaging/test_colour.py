"""Grey, tints, arrows and overlays pass for a radiograph; what is coloured all over does not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.imaging.colour import COLOURED_ABOVE, _shrunk, coloured_share
from models.imaging.decode import decode
from models.imaging.phantom import draw
from tests.peak_memory import needs_proc, peak_mb

CHEST = draw(0, 256, 210)
INKS = ((255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 128, 255))


def tinted(*gains: float) -> Image.Image:
    return Image.fromarray(np.clip(CHEST[..., None] * np.array(gains), 0, 255).astype(np.uint8))


def false_colours() -> Image.Image:
    """Black over blue and red to yellow: a table of colours, as viewers have it."""
    share = CHEST[..., None] / 255
    stops = np.array([[0, 0, 0], [60, 0, 120], [200, 50, 50], [255, 200, 0]])
    table = np.stack([np.interp(share[..., 0], np.linspace(0, 1, 4), stops[:, band]) for band in range(3)], axis=2)
    return Image.fromarray(table.astype(np.uint8))


def with_arrows() -> Image.Image:
    image = Image.fromarray(CHEST).convert("RGB")
    pen = ImageDraw.Draw(image)
    for place, ink in enumerate(INKS):
        pen.line([(20, 30 + 50 * place), (100, 50 + 50 * place)], fill=ink, width=5)
        pen.text((120, 40 + 50 * place), "opacity, lower lobe", fill=ink)
    return image


def with_overlay() -> Image.Image:
    """A tenth of the picture under a translucent colour, as a viewer shows a region."""
    image = Image.fromarray(CHEST).convert("RGB")
    red = Image.new("RGB", image.size, (255, 40, 0))
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).ellipse((20, 80, 90, 160), fill=128)
    return Image.composite(red, image, mask)


def as_jpeg(image: Image.Image, tmp_path) -> Image.Image:
    image.save(tmp_path / "a.jpg", quality=50)
    with Image.open(tmp_path / "a.jpg") as again:
        again.load()
        return again


@pytest.mark.parametrize("mode", ["L", "1", "LA", "RGB", "RGBA", "P"])
def test_grey_has_no_colour_in_any_mode(mode):
    assert 0.0 == coloured_share(Image.fromarray(CHEST).convert(mode))


@pytest.mark.parametrize(
    "gains", [(0.75, 0.9, 1.1), (1.0, 0.85, 0.6), (0.8, 1.0, 0.85)], ids=["blue", "sepia", "green"]
)
def test_a_tint_is_explained(gains, tmp_path):
    assert coloured_share(tinted(*gains)) < COLOURED_ABOVE / 5
    assert coloured_share(as_jpeg(tinted(*gains), tmp_path)) < COLOURED_ABOVE / 5


@pytest.mark.parametrize("paint", [with_arrows, with_overlay, false_colours])
def test_arrows_an_overlay_and_false_colours_stay_below_the_bound(paint, tmp_path):
    assert coloured_share(paint()) < 0.8 * COLOURED_ABOVE
    assert coloured_share(as_jpeg(paint(), tmp_path)) < 0.8 * COLOURED_ABOVE


def test_a_picture_of_many_colours_is_above_it():
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)

    assert coloured_share(Image.fromarray(colours).resize((256, 256), Image.Resampling.NEAREST)) > 0.5


def test_originals__none_is_coloured(shared):
    """With arrows, as RGB and RGBA, huge."""
    shares = {f.name: decode(f.read_bytes()).coloured for f in (shared / "data/originals").glob("*.*g")}

    assert len(shares) >= 9
    assert {} == {name: share for name, share in shares.items() if share > COLOURED_ABOVE / 5}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("size", [(1, 1), (127, 256), (2000, 90), (391, 1111)])
def test_a_picture_is_shrunk_as_if_it_were_converted_whole(size, mode):
    colours = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(colours).convert(mode)
    whole = image.convert("RGB").resize((64, 64), Image.Resampling.BOX, reducing_gap=2.0)

    assert np.asarray(whole).tolist() == np.asarray(_shrunk(image)).tolist()


@needs_proc
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_large_picture_is_not_copied(mode):
    """In colours it would take 64 MB."""
    imports = "from PIL import Image; from models.imaging.colour import coloured_share"

    assert peak_mb(f"{imports}; image = Image.new({mode!r}, (4000, 4000))", "coloured_share(image)") < 16
