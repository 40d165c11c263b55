"""Which representation a client asked for: the `Accept` header (RFC 9110, 12.5.1)."""

from collections.abc import Callable, Iterator, Sequence

from fastapi import Request

from service.api.errors import NotAcceptableError

HTML = "text/html"
JSON = "application/json"
PNG = "image/png"
NPZ = "application/x-npz"


def negotiate(*offers: str) -> Callable[[Request], str]:
    """A dependency that picks one of `offers`; the first is given where the client has no preference."""

    def chosen_media_type(request: Request) -> str:
        return choose(",".join(request.headers.getlist("accept")), offers)

    return chosen_media_type


def choose(accept: str, offers: Sequence[str]) -> str:
    """The offer that `accept` likes best; earlier offers win ties.

    Args:
        accept: value of the header; empty means anything. Ranges that cannot be read count for nothing.

    Raises:
        NotAcceptableError: every offer is refused.
    """
    if not accept.strip():
        return offers[0]
    ranges = list(_ranges(accept))
    quality, _, offer = max((_quality(offer, ranges), -position, offer) for position, offer in enumerate(offers))
    if quality <= 0:
        raise NotAcceptableError(f"this resource can be given as {', '.join(offers)}")
    return offer


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """(media range, quality) of each member that can be read."""
    for member in accept.split(","):
        name, *parameters = (part.strip().lower() for part in member.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                quality = _parse_quality(value.strip())
        if name.count("/") == 1:
            yield name, quality


def _parse_quality(value: str) -> float:
    """A weight in [0, 1]; what is no weight refuses."""
    digits = value.replace(".", "", 1)
    return min(float(value), 1.0) if digits.isascii() and digits.isdigit() and len(value) <= 5 else 0.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Weight of the most specific range that covers `offer`; 0 where none does."""
    for pattern in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
        weights = [quality for name, quality in ranges if name == pattern]
        if weights:
            return max(weights)
    return 0.0
