"""Words that queries and forms have in common."""

from enum import StrEnum

from models.errors import InvalidRequestError
from service.inference.answers import ServedModel


class GateMode(StrEnum):
    """Whether what the gate rejects is refused."""

    ON = "on"
    OFF = "off"


def known_findings(text: str | None, model: ServedModel) -> frozenset[str] | None:
    """Names out of a comma separated list; None for all.

    Raises:
        InvalidRequestError: a name the model does not know. It is not repeated; those that exist are listed.
    """
    if not text:
        return None
    known = [finding.name for finding in model.manifest.findings]
    names = frozenset(name.strip() for name in text.split(","))
    if not names.issubset(known):
        raise InvalidRequestError(f"findings: the model knows {', '.join(known)}")
    return names
