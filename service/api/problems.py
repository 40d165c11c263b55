"""Errors as application/problem+json (RFC 9457): one function renders them, whoever raised."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from models.errors import NotAChestRadiographError, ThorascopeError
from service.api.errors import InvalidParametersError
from service.api.problem_table import PROBLEMS, Problem
from service.telemetry import request_id

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
LOG_FIELDS = "thorascope.problem"  # member of the ASGI scope: what the request's log line says of the problem

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SLUG_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 406: "not-acceptable"}


def problem_body(code: str, detail: str) -> dict[str, Any]:
    """One error as data; a code outside the table is a bug, hence an internal error without `detail`."""
    row = PROBLEMS.get(code)
    if row is None:
        row, detail = PROBLEMS["internal-error"], PROBLEMS["internal-error"].meaning
    return {"type": row.type, "title": row.title, "status": int(row.status), "detail": detail}


def problem(
    code: str, detail: str, *, extensions: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Render one error as a response; `code` as in `problem_body`."""
    row = PROBLEMS.get(code, PROBLEMS["internal-error"])
    body = problem_body(code, detail)
    if (identifier := request_id.get()) is not None:
        body["request_id"] = identifier
    return _ProblemResponse({**body, **(extensions or {})}, row.status, _headers(row, headers))


class _ProblemResponse(JSONResponse):
    """Leaves word of the problem for the log: its slug and the gate's reasons, which say nothing of a patient."""

    media_type = MEDIA_TYPE

    def __init__(self, body: Mapping[str, Any], status: HTTPStatus, headers: Mapping[str, str]) -> None:
        super().__init__(body, status, headers)
        self._fields = {"problem": body["type"].rpartition("/")[2]}
        if "reasons" in body:
            self._fields["reasons"] = body["reasons"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        scope[LOG_FIELDS] = self._fields
        await super().__call__(scope, receive, send)


def install_handlers(app: FastAPI) -> None:
    """Answer every exception that a route, a dependency or the router raises with a problem."""
    app.exception_handler(ThorascopeError)(_answer_own_error)
    app.exception_handler(InvalidParametersError)(_answer_faults)
    app.exception_handler(RequestValidationError)(_answer_validation_error)
    app.exception_handler(HTTPException)(_answer_http_exception)
    app.exception_handler(ClientDisconnect)(_answer_nobody)


async def _answer_own_error(_request: Request, error: ThorascopeError) -> Response:
    if error.code not in PROBLEMS:
        _log.error("an error that no client should meet", exc_info=error)
    extensions = {"reasons": list(error.reasons)} if isinstance(error, NotAChestRadiographError) else None
    return problem(error.code, str(error), extensions=extensions)


async def _answer_validation_error(_request: Request, error: RequestValidationError) -> Response:
    """Say which parameter is wrong and how; never repeat its value, which may be anything."""
    errors = [
        {"in": str(entry["loc"][0]), "name": ".".join(map(str, entry["loc"][1:])), "message": entry["msg"]}
        for entry in error.errors()
    ]
    return _answer_errors(errors)


async def _answer_faults(_request: Request, error: InvalidParametersError) -> Response:
    return _answer_errors([{"in": fault.place, "name": fault.name, "message": fault.message} for fault in error.faults])


def _answer_errors(errors: Sequence[Mapping[str, str]]) -> Response:
    """One parameter after the other: in words, and as the member `errors`."""
    detail = "; ".join(
        f"{entry['in']} {'field' if entry['in'] == 'form' else 'parameter'} {entry['name']}: {entry['message']}"
        for entry in errors
    )
    return problem("invalid-request", detail, extensions={"errors": errors})


async def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    """What Starlette's router raises: no such address, no such method."""
    slug = _SLUG_BY_STATUS.get(error.status_code)
    if slug is None:
        slug = "invalid-request" if 400 <= error.status_code < 500 else "internal-error"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_at(request))
    return problem(slug, PROBLEMS[slug].meaning, headers=headers)


def _methods_at(request: Request) -> list[str]:
    """What an address can be asked for; the router's own answer names the methods of the first route there alone."""
    routes: Sequence[BaseRoute] = request.app.routes
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [name for name, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)]


async def _answer_nobody(_request: Request, _error: ClientDisconnect) -> Response:
    """The client left while sending; nobody reads this."""
    return Response(status_code=499)


def _headers(row: Problem, headers: Mapping[str, str] | None) -> dict[str, str]:
    retry = {} if row.retry_after_s is None else {"Retry-After": str(row.retry_after_s)}
    return {**retry, **(headers or {})}
