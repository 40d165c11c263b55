"""Orders and results as frames; results come from a process that nobody trusts."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ImageTooLargeError, NotAChestRadiographError, ThorascopeError, UndecodableImageError
from models.imaging.gate import GateResult, Verdict
from models.imaging.preprocess import Geometry, InputContract, prepare
from models.imaging.radiograph import Header, ImageFormat, Radiograph
from service.inference.decode_messages import (
    error_to_header,
    order_from_header,
    order_to_header,
    result_from_frame,
    result_to_frame,
)
from service.inference.upload import DecodedUpload, DecodeOrder
from service.inference.wire import BrokenWireError

ORDER = DecodeOrder(InputContract(32, Geometry.LETTERBOX, 7), limit_px=10_000, keep_pixels=True)
PIXELS = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
RESULT = DecodedUpload(
    prepare(Radiograph(PIXELS, ImageFormat.DICOM, aspect=1.25), ORDER.contract),
    ImageFormat.DICOM,
    Header("DX", None, "PA", "MONOCHROME1", "1.2.840.10008.1.2"),
    GateResult(Verdict.SUSPICIOUS, ("inverted",), None),
    PIXELS,
    12.5,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


def sent(header):
    return json.loads(json.dumps(header))


def test_an_order__survives_the_trip():
    """All of it."""
    assert ORDER == order_from_header(sent(order_to_header(ORDER)))


def test_a_result__survives_the_trip():
    """Arrays, geometry, header, verdict."""
    header, parts = result_to_frame(RESULT)
    there = result_from_frame(sent(header), [bytearray(part) for part in parts], ORDER)

    assert np.array_equal(RESULT.model_input.image, there.model_input.image)
    assert RESULT.placement == there.placement
    assert there.pixels is not None
    assert np.array_equal(PIXELS, there.pixels)
    assert (RESULT.format, RESULT.header, RESULT.gate) == (there.format, there.header, there.gate)
    assert RESULT.decode_ms == there.decode_ms


@pytest.mark.parametrize(
    "error", [ImageTooLargeError("big"), UndecodableImageError("odd"), NotAChestRadiographError("no", ["modality"])]
)
def test_an_error__survives_the_trip(error):
    """Class, message and reasons."""
    with pytest.raises(type(error)) as caught:
        result_from_frame(sent(error_to_header(error)), [], ORDER)

    assert error.args == caught.value.args


def test_an_error_nobody_knows__is_an_undecodable_image():
    """A hijacked process cannot choose what we answer; its text is cut and cleaned."""
    with pytest.raises(UndecodableImageError) as caught:
        result_from_frame({"error": "internal-error", "message": "a\n\x1b[31m" + "b" * 999, "reasons": []}, [], ORDER)

    assert len(str(caught.value)) <= 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("height", "is_refused"), [(100, False), (101, True)])
def test_a_larger_picture_than_may_be_decoded__is_refused(height, is_refused):
    """Whoever draws it would allocate what a hijacked process says."""
    order = replace(ORDER, keep_pixels=False)
    header, parts = result_to_frame(replace(RESULT, pixels=None))
    told = {**sent(header), "height": height, "width": 100}

    with pytest.raises(BrokenWireError) if is_refused else nullcontext():
        result_from_frame(told, [bytearray(part) for part in parts], order)


@given(st.sampled_from(["height", "width", "aspect", "format", "header", "gate", "decode_ms"]), json_values)
def test_a_result_with_an_odd_member__is_refused_or_sound(name, value):
    """No other exception comes out, whatever a process says."""
    header, parts = result_to_frame(RESULT)
    try:
        there = result_from_frame({**sent(header), name: value}, [bytearray(part) for part in parts], ORDER)
    except (BrokenWireError, ThorascopeError):
        return
    assert there.pixels is not None
    assert (there.placement.height, there.placement.width) == there.pixels.shape
