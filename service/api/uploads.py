"""Reading one image out of a request body that nobody vouches for."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

from models.errors import InvalidRequestError, UnsupportedMediaError
from service.api.errors import Fault, InvalidParametersError
from service.api.query import check_query, shown

_MAX_PARTS = 8
_MAX_TEXT_BYTES = 4096

BODY_SCHEMA: Mapping[str, object] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {"type": "string", "format": "binary", "description": "One DICOM, PNG or JPEG file."}
                },
            }
        }
    },
}


class _MemoryParser(MultiPartParser):
    """Keeps parts in memory: no patient's image in a temporary file. `UploadLimitMiddleware` bounds them."""

    spool_max_size = 0  # no roll-over to disk

    def close(self) -> None:
        """Let go of all parts, those too that a body cut short has left unfinished and out of the form."""
        for part in self._files_to_close_on_error:
            part.close()


def image_beside(query: type[BaseModel]) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency: the file in the field `image` of a form, of a route whose options are the fields of `query`.

    The query is looked at when the body is there, so that no client is cut off while sending.
    """

    async def upload(request: Request) -> bytes:
        content = await read_image(request, query.model_fields)
        check_query(request, query.model_fields)
        return content

    return upload


async def read_image(request: Request, options: Collection[str]) -> bytes:
    """The bytes of the one file in the multipart field `image`.

    Args:
        options: names that belong into the query.

    Raises:
        UnsupportedMediaError: the body is no multipart form, or the file is empty.
        InvalidRequestError: the form is malformed.
        InvalidParametersError: `image` is missing, repeated or no file, or there is another field.
        UploadTooLargeError: more bytes than the limit.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type:
        raise InvalidParametersError(
            Fault("form", "image", "send the radiograph as this field of a multipart/form-data body")
        )
    if media_type != "multipart/form-data":
        raise UnsupportedMediaError("the request body must be multipart/form-data with the file in the field `image`")
    parser = _MemoryParser(
        request.headers,
        request.stream(),
        max_files=_MAX_PARTS,
        max_fields=_MAX_PARTS,
        max_part_size=_MAX_TEXT_BYTES,
    )
    try:
        return await _read_single(await parser.parse(), options, request.url.path)
    except (MultiPartException, ValueError, LookupError) as error:
        # ValueError and LookupError: an odd `charset` or a broken part header.
        raise InvalidRequestError("the multipart body is malformed, or has too many or too long parts") from error
    finally:
        parser.close()


async def _read_single(form: FormData, options: Collection[str], path: str) -> bytes:
    names = [name for name, _ in form.multi_items()]
    others = [name for name in dict.fromkeys(names) if name != "image"]
    faults = [Fault("form", shown(name), _complaint(name, options, path)) for name in others]
    if names.count("image") != 1:
        found = ", ".join(map(shown, names)) or "none"
        faults.insert(0, Fault("form", "image", f"the form needs exactly one part of this name; its parts: {found}"))
    if faults:
        raise InvalidParametersError(*faults)
    part = form["image"]
    if isinstance(part, str):
        raise InvalidParametersError(Fault("form", "image", "must be a file: its part needs a file name"))
    content = await part.read()
    if not content:
        raise UnsupportedMediaError("the file in the field `image` is empty")
    return content


def _complaint(name: str, options: Collection[str], path: str) -> str:
    if name in options:
        return f"`{name}` is a query parameter here: {path}?{name}=..."
    return "is unknown; the form has the field `image` alone, and options are query parameters"
