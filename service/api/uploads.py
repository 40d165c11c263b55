"""Reading one image out of a request body that nobody vouches for."""

from collections.abc import Mapping

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from models.errors import InvalidRequestError, UnsupportedMediaError

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


async def read_image(request: Request) -> bytes:
    """The bytes of the one file in the multipart field `image`.

    Raises:
        UnsupportedMediaError: the body is no multipart form, or the file is empty.
        InvalidRequestError: the form is malformed, or `image` is missing, repeated or no file.
        UploadTooLargeError: more bytes than the limit.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type:
        raise InvalidRequestError("send the radiograph as the field `image` of a multipart/form-data body")
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
        return await _read_single((await parser.parse()).getlist("image"))
    except (MultiPartException, ValueError, LookupError) as error:
        # ValueError and LookupError: an odd `charset` or a broken part header.
        raise InvalidRequestError("the multipart body is malformed, or has too many or too long parts") from error
    finally:
        parser.close()


async def _read_single(parts: list[UploadFile | str]) -> bytes:
    if len(parts) != 1:
        raise InvalidRequestError(f"the form needs exactly one part named `image`; it has {len(parts)}")
    part = parts[0]
    if isinstance(part, str):
        raise InvalidRequestError("the field `image` must be a file: its part needs a file name")
    content = await part.read()
    if not content:
        raise UnsupportedMediaError("the file in the field `image` is empty")
    return content
