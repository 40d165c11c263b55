"""Words that queries and forms have in common, and what is wrong with the values that are given for them."""

import re
from collections import Counter
from collections.abc import Callable, Collection
from enum import StrEnum

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from models.errors import InvalidRequestError
from service.api.errors import Fault, InvalidParametersError, Place
from service.inference.answers import Saliency, ServedModel

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,40}")


class GateMode(StrEnum):
    """Whether what the gate rejects is refused."""

    ON = "on"
    OFF = "off"


class PredictQuery(BaseModel):
    """How a prediction is wanted."""

    model_config = ConfigDict(extra="forbid")

    findings: str | None = Field(default=None, description="Names, comma separated; default: all of the model.")
    saliency: Saliency = Field(default=Saliency.BOXES, description="none: maps are not computed.")
    gate: GateMode = Field(default=GateMode.ON, description="off: answer what the gate rejects too.")
    thresholds: str | None = Field(
        default=None,
        description="Name of a threshold set; default: the one in force, which THORASCOPE_THRESHOLDS names, "
        "else the bundle's own.",
    )


class AnomalyQuery(BaseModel):
    """How an anomaly map is wanted."""

    model_config = ConfigDict(extra="forbid")

    masks: int | None = Field(
        default=None, description="K, from the bundle's list; 1 / K of the patches shows at once."
    )
    rounds: int = Field(default=1, ge=1, description="How often every patch is hidden anew; more is smoother, slower.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Same upload, bundle and seed: same map.")
    gate: GateMode = Field(default=GateMode.ON, description="off: answer what the gate rejects too.")


def shown(word: str) -> str:
    """A client's word where it is a short identifier; any other could be anything, and is not repeated."""
    return word if _IDENTIFIER.fullmatch(word) else "(not shown)"


def query_of(*known: str) -> Callable[[Request], None]:
    """A dependency that refuses every other query parameter, and these where they are repeated."""

    def check(request: Request) -> None:
        check_query(request, known)

    return check


def check_query(request: Request, known: Collection[str], fields: Collection[str] = ()) -> None:
    """Hold the query against what is known at this address.

    Args:
        known: names of its parameters, each of which may stand there once.
        fields: names that belong into its form.

    Raises:
        InvalidParametersError: nothing is ignored.
    """
    counts = Counter(name for name, _ in request.query_params.multi_items())
    faults = [
        Fault("query", shown(name), _complaint(name, known, fields))
        for name, count in counts.items()
        if name not in known or count > 1
    ]
    if faults:
        raise InvalidParametersError(*faults)


def _complaint(name: str, known: Collection[str], fields: Collection[str]) -> str:
    if name in known:
        return "must be given once" + ("; separate names by commas" if name == "findings" else "")
    if name in fields:
        return f"options are fields of the form here: -F {name}=..."
    return f"is unknown; this address takes {', '.join(known) or 'no query parameters'}"


def known_findings(text: str | None, model: ServedModel, place: Place) -> frozenset[str] | None:
    """Names out of a comma separated list; None for all.

    Raises:
        InvalidParametersError: names the model does not know, and those it does.
    """
    if not text:
        return None
    known = [finding.name for finding in model.manifest.findings]
    names = [name.strip() for name in text.split(",")]
    if unknown := [shown(name) for name in names if name not in known]:
        wrong = ", ".join(dict.fromkeys(unknown))
        raise InvalidParametersError(
            Fault(place, "findings", f"the model does not know {wrong}; it knows {', '.join(known)}")
        )
    return frozenset(names)


def with_thresholds(name: str | None, model: ServedModel, place: Place) -> ServedModel:
    """The model with that threshold set in force; None leaves it as it is.

    Raises:
        InvalidParametersError: it has no such set; those that exist are listed.
    """
    try:
        return model.with_thresholds(name)
    except InvalidRequestError as error:
        raise InvalidParametersError(Fault(place, "thresholds", str(error))) from error


def check_map(masks: int | None, rounds: int, model: ServedModel, rounds_limit: int, place: Place) -> None:
    """Whether the model draws such anomaly maps.

    Raises:
        InvalidRequestError: it draws none.
        InvalidParametersError: not with so many masks or rounds.
    """
    reconstructor = model.manifest.reconstructor
    if reconstructor is None:
        raise InvalidRequestError("the served bundle has no reconstructor, hence no anomaly maps")
    if masks is not None and masks not in reconstructor.masks:
        choices = ", ".join(map(str, reconstructor.masks))
        raise InvalidParametersError(Fault(place, "masks", f"must be one of {choices}"))
    if rounds > rounds_limit:
        raise InvalidParametersError(Fault(place, "rounds", f"must lie within 1..{rounds_limit}"))
