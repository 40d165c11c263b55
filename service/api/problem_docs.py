"""Problems explained: in the OpenAPI description, and as pages under the address that `type` names."""

import re
from collections import defaultdict
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse, JSONResponse

from service.api.errors import NotFoundError
from service.api.negotiation import HTML, JSON, negotiate
from service.api.problem_table import PROBLEMS, Problem
from service.api.problems import MEDIA_TYPE

router = APIRouter(tags=["problems"])

_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Stable; the address of its explanation."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people; may change."},
        "request_id": {"type": "string", "description": "What the log has it under."},
        "reasons": {"type": "array", "items": {"type": "string"}, "description": "Of the gate."},
        "errors": {"type": "array", "items": {"type": "object"}, "description": "Of the parameters, one by one."},
    },
}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}</style>
</head><body>{body}<p><a href="/problems">All problems</a> &middot; <a href="/docs">Documentation</a></p></body></html>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "max-age=3600",
    "Vary": "Accept",
}

PageType = Annotated[str, Depends(negotiate(HTML, JSON))]


def problem_responses(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems, and with an internal error."""
    by_status: defaultdict[int, list[Problem]] = defaultdict(list)
    for slug in (*slugs, "internal-error"):
        by_status[int(PROBLEMS[slug].status)].append(PROBLEMS[slug])
    return {
        status: {
            "description": "; ".join(f"`{row.slug}`: {row.title}" for row in rows),
            "content": {MEDIA_TYPE: {"schema": _SCHEMA}},
        }
        for status, rows in by_status.items()
    }


@router.head("/problems", include_in_schema=False)
@router.get(
    "/problems",
    response_class=HTMLResponse,
    responses={200: {"content": {JSON: {}}}, **problem_responses("not-acceptable")},
)
async def problems(media_type: PageType) -> Response:
    """Every problem this service answers with."""
    if media_type == JSON:
        return JSONResponse([_as_json(row) for row in PROBLEMS.values()], headers=_HEADERS)
    items = "".join(f'<li><a href="{row.type}">{escape(row.title)}</a></li>' for row in PROBLEMS.values())
    return HTMLResponse(_PAGE.format(title="Problems", body=f"<h1>Problems</h1><ul>{items}</ul>"), headers=_HEADERS)


@router.head("/problems/{slug}", include_in_schema=False)
@router.get(
    "/problems/{slug}",
    response_class=HTMLResponse,
    responses={
        200: {"content": {JSON: {}}},
        "4XX": {
            "description": "`not-found`: there is no such problem; `not-acceptable`: neither HTML nor JSON will do",
            "content": {MEDIA_TYPE: {"schema": _SCHEMA}},
        },
    },
)
async def explain_problem(slug: str, media_type: PageType) -> Response:
    """What one problem means, and what to do."""
    row = PROBLEMS.get(slug)
    if row is None:
        raise NotFoundError("there is no problem of that name; /problems lists them")
    if media_type == JSON:
        return JSONResponse(_as_json(row), headers=_HEADERS)
    body = (
        f"<h1>{escape(row.title)}</h1><p><code>{row.type}</code>, HTTP status {int(row.status)}</p>"
        f"<h2>What happened</h2><p>{_html(row.meaning)}</p><h2>What to do</h2><p>{_html(row.remedy)}</p>"
    )
    return HTMLResponse(_PAGE.format(title=escape(row.title), body=body), headers=_HEADERS)


def _html(text: str) -> str:
    """Text with `code` in it as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _as_json(row: Problem) -> dict[str, Any]:
    return {
        "type": row.type,
        "status": int(row.status),
        "title": row.title,
        "meaning": row.meaning,
        "remedy": row.remedy,
    }
