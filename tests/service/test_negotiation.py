"""The `Accept` header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.errors import NotAcceptableError
from service.api.negotiation import choose

OFFERS = ("application/json", "image/png")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/png"),
        ("image/png, application/json", "application/json"),
        ("image/png, application/json;q=0.9", "image/png"),
        ("application/json;q=0, */*", "image/png"),
        ("text/html, image/webp, */*;q=0.8", "application/json"),
        ("image/png;q=0.5;level=1", "image/png"),
        ("image/png;q=high, application/json;q=0.001", "application/json"),
        ("image/png;q=2, application/json;q=1", "application/json"),
    ],
)
def test_choose__takes_what_is_liked_best(accept, chosen):
    """RFC 9110, 12.5.1: the most specific range decides, weights compare, our order breaks ties."""
    assert chosen == choose(accept, OFFERS)


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0", "application/json;q=-1", "nonsense", ",", ";q=1"])
def test_choose__refuses_where_nothing_fits(accept):
    """What is offered is listed; what was asked for is not repeated."""
    with pytest.raises(NotAcceptableError, match="application/json, image/png"):
        choose(accept, OFFERS)


@given(st.text())
def test_choose__survives_any_header(accept):
    """An offer or a refusal; nothing else comes out."""
    try:
        assert choose(accept, OFFERS) in OFFERS
    except NotAcceptableError:
        assert accept.strip()
