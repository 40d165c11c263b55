"""Reading PNG and JPEG."""

import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from models.errors import ImageTooLargeError, UndecodableImageError
from models.imaging.decode import decode
from models.imaging.phantom import draw
from models.imaging.radiograph import Header, ImageFormat
from tests.dicom_samples import framed, jpeg, png
from tests.peak_memory import needs_proc, peak_mb

GREY = draw(0, 60, 48)
RGB = np.repeat(GREY[..., None], 3, axis=2)


class TestPng:
    def test_grey_is_itself(self):
        radiograph = decode(png(GREY))

        assert GREY.tolist() == radiograph.pixels.tolist()
        assert (ImageFormat.PNG, None) == (radiograph.format, radiograph.header)

    def test_equal_channels_are_grey(self):
        assert GREY.tolist() == decode(png(RGB)).pixels.tolist()

    def test_colours_become_luma(self):
        red = np.zeros((4, 4, 3), np.uint8)
        red[..., 0] = 255

        assert {76} == set(decode(png(red)).pixels.ravel().tolist())

    @pytest.mark.parametrize("mode", ["LA", "RGBA"])
    def test_alpha_lies_over_black(self, mode):
        image = Image.fromarray(GREY).convert(mode)
        alpha = np.full(GREY.shape, 255, np.uint8)
        alpha[:10] = 0
        image.putalpha(Image.fromarray(alpha))

        pixels = decode(png(image)).pixels

        assert pixels[:10].max() == 0
        assert GREY[10:].tolist() == pixels[10:].tolist()

    def test_a_palette_is_looked_up(self):
        image = Image.fromarray(255 - GREY)
        image.putpalette([value for value in range(255, -1, -1) for _ in range(3)])

        assert GREY.tolist() == decode(png(image)).pixels.tolist()

    def test_a_transparent_palette_entry_is_black(self):
        image = Image.fromarray(np.array([[0, 1]], np.uint8))
        image.putpalette([200, 200, 200, 100, 100, 100])

        assert [[0, 100]] == decode(png(image, transparency=0)).pixels.tolist()

    def test_one_bit_is_black_and_white(self):
        assert [[0, 255]] == decode(png(np.array([[False, True]]))).pixels.tolist()

    @pytest.mark.parametrize("bits", [10, 12, 16])
    def test_sixteen_bits_are_scaled_by_those_in_use(self, bits):
        values = (GREY.astype(np.uint16) << (bits - 8)) + 1
        values[0, 0] = 2**bits - 1

        pixels = decode(png(values)).pixels

        assert np.abs(pixels[1:].astype(int) - GREY[1:]).max() <= 1
        assert pixels[0, 0] == 255

    def test_of_an_animation_the_first_frame(self):
        frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]

        assert GREY.tolist() == decode(png(frames[0], save_all=True, append_images=frames[1:])).pixels.tolist()


class TestJpeg:
    def test_grey(self):
        assert np.abs(decode(jpeg(GREY, quality=95)).pixels.astype(int) - GREY).mean() < 3

    def test_colour(self):
        assert np.abs(decode(jpeg(RGB, quality=95)).pixels.astype(int) - GREY).mean() < 3

    @pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
    def test_exif_orientation_is_applied(self, orientation, turn):
        """Source space is the picture as a viewer shows it."""
        exif = Image.Exif()
        exif[0x0112] = orientation

        assert np.rot90(decode(jpeg(GREY)).pixels, turn).tolist() == decode(jpeg(GREY, exif=exif)).pixels.tolist()

    def test_cmyk_is_refused(self):
        buffer = BytesIO()
        Image.new("CMYK", (8, 8)).save(buffer, "JPEG")

        with pytest.raises(UndecodableImageError, match="CMYK"):
            decode(buffer.getvalue())


@needs_proc
@pytest.mark.parametrize("mode", ["RGB", "LA", "RGBA"])
def test_memory__holds_no_more_than_two_pictures_of_four_bytes_a_pixel(mode):
    """Of 16 megapixels: the file's own, the one without transparency, and the grey one a few times."""
    before = f"""
from io import BytesIO
from PIL import Image
from models.imaging.decode import decode
content = BytesIO()
Image.new({mode!r}, (4000, 4000)).save(content, "PNG", compress_level=1)
"""
    assert peak_mb(before, "decode(content.getvalue())") < 12 * 4000 * 4000 / 2**20


class TestRefusals:
    @pytest.mark.parametrize("content", [png(GREY), jpeg(GREY)], ids=["png", "jpeg"])
    def test_a_cut_file(self, content):
        with pytest.raises(UndecodableImageError, match="damaged or cut"):
            decode(content[: len(content) * 2 // 3])

    def test_a_hole_in_the_middle_is_noticed_by_its_checksums_in_a_png_alone(self):
        """Not that it is wanted: from a JPEG comes a picture that is partly made up."""
        holes = [file[:-300] + bytes(64) + file[-236:] for file in (png(GREY), jpeg(GREY, quality=95))]

        with pytest.raises(UndecodableImageError, match="damaged"):
            decode(holes[0])
        assert decode(jpeg(GREY, quality=95)).pixels.tolist() != decode(holes[1]).pixels.tolist()

    @pytest.mark.parametrize("side", [101, 20_000, 65_000])
    def test_more_pixels_than_the_limit_by_the_header(self, side):
        """No pixel data is needed to say so; Pillow's own limits warn or raise on the way."""
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))

        with pytest.raises(ImageTooLargeError, match="more than 10000 pixels"):
            decode(b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IEND\xaeB`\x82", limit_px=10_000)

    @pytest.mark.parametrize("pillow_limit_px", [GREY.size - 1, GREY.size // 3])
    def test_the_limit_of_pillow_is_not_asked(self, pillow_limit_px, monkeypatch):
        """Above it Pillow warns, above twice that it raises; afterwards it stands as it stood."""
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillow_limit_px)
        frame = framed(jpeg(GREY), GREY, 8, uid.JPEGBaseline8Bit)

        with warnings.catch_warnings(record=True) as said:
            shapes = {decode(content, limit_px=GREY.size).pixels.shape for content in (png(GREY), jpeg(GREY), frame)}

        assert ({GREY.shape}, []) == (shapes, said)
        assert pillow_limit_px == Image.MAX_IMAGE_PIXELS

    def test_nor_where_another_thread_is_done_first(self, monkeypatch):
        """All threads have one limit, and one list of warnings to show: the last to leave puts both back."""
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", GREY.size // 3)
        filters = [*warnings.filters]
        frame = framed(jpeg(GREY), GREY, 8, uid.JPEGBaseline8Bit)
        early_is_in, late_is_in, early_is_out = threading.Event(), threading.Event(), threading.Event()

        def stay(_header: Header) -> None:
            early_is_in.set()
            assert late_is_in.wait(30)

        def overstay(_header: Header) -> None:
            late_is_in.set()
            assert early_is_out.wait(30)

        with ThreadPoolExecutor() as pool:
            early = pool.submit(decode, frame, check_header=stay)
            assert early_is_in.wait(30)
            late = pool.submit(decode, frame, check_header=overstay)
            shapes = [early.result().pixels.shape]
            with warnings.catch_warnings(record=True) as said:
                warnings.warn("of a header", stacklevel=1)
            early_is_out.set()
            shapes.append(late.result().pixels.shape)

        assert ([GREY.shape, GREY.shape], []) == (shapes, said)
        assert (GREY.size // 3, filters) == (Image.MAX_IMAGE_PIXELS, warnings.filters)

    def test_a_picture_at_the_limit_passes(self):
        assert decode(png(GREY), limit_px=GREY.size).pixels.shape == GREY.shape
