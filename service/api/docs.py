"""/docs without a content delivery network: the assets come out of the swagger-ui-bundle package."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from swagger_ui_bundle import swagger_ui_path

from service.api.errors import NotFoundError

router = APIRouter(include_in_schema=False)

_MEDIA_TYPE_BY_ASSET = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_ASSETS = {name: (swagger_ui_path / name).read_bytes() for name in _MEDIA_TYPE_BY_ASSET}

# The bundled Swagger UI 4 refuses descriptions that call themselves OpenAPI 3.1, although it can draw ours. Clients get
# the true version from /openapi.json; only this page is told an older one.
_START = b"""fetch("/openapi.json").then((response) => response.json()).then((spec) => {
  spec.openapi = "3.0.3";
  SwaggerUIBundle({ spec, dom_id: "#swagger-ui", deepLinking: true, tryItOutEnabled: true });
});
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Thorascope</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png">
</head><body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
_POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"


@router.get("/")
async def home() -> Response:
    """Until there is a viewer: the documentation."""
    return RedirectResponse("/docs")


@router.head("/docs")
@router.get("/docs")
async def documentation() -> Response:
    """Swagger UI over /openapi.json."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/{asset}")
async def documentation_asset(asset: str) -> Response:
    """One of the few files the page needs; never a path of the client's."""
    headers = {"Cache-Control": "max-age=86400"}
    if asset == "start.js":
        return Response(_START, media_type="text/javascript", headers=headers)
    if asset not in _ASSETS:
        raise NotFoundError("the documentation has no such file")
    return Response(_ASSETS[asset], media_type=_MEDIA_TYPE_BY_ASSET[asset], headers=headers)
