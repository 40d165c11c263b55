"""What came of one item, as data: failure crosses processes as a slug and a sentence, never as an exception."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from models.errors import NotAChestRadiographError, ThorascopeError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item has no answer.

    Attributes:
        code: slug of the error.
        detail: for people; holds no value out of a file.
        reasons: of the gate.
    """

    code: str
    detail: str
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: ThorascopeError) -> Self:
        reasons = error.reasons if isinstance(error, NotAChestRadiographError) else ()
        return cls(error.code, str(error), reasons)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One item's answer, as the JSON that clients get, or its failure."""

    index: int
    answer: dict[str, Any] | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        if (self.answer is None) == (self.failure is None):
            raise ValueError("an outcome is an answer or a failure")

    def to_line(self) -> bytes:
        """One line of JSON: the same outcome gives the same bytes."""
        row: dict[str, Any] = {"index": self.index}
        if self.failure is None:
            row["answer"] = self.answer
        else:
            failure = self.failure
            row["failure"] = {"code": failure.code, "detail": failure.detail, "reasons": list(failure.reasons)}
        return json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Inverse of `to_line`."""
        row = json.loads(line)
        if (failure := row.get("failure")) is None:
            return cls(row["index"], answer=row["answer"])
        return cls(row["index"], failure=Failure(failure["code"], failure["detail"], tuple(failure["reasons"])))


def lines(outcomes: Iterable[Outcome]) -> bytes:
    """Many outcomes as the content of a segment."""
    return b"".join(outcome.to_line() for outcome in outcomes)
