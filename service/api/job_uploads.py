"""Reading a job out of a request body as it arrives: files go to the store piece by piece, none is held in memory."""

from collections.abc import Mapping

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from models.errors import InvalidRequestError, UnsupportedMediaError
from service.api.errors import Fault, InvalidParametersError
from service.api.query import shown
from service.jobs.intake import Intake

_FILE_FIELDS = frozenset({b"images", b"image", b"archive"})
_MAX_FIELDS = 16
_MAX_TEXT_BYTES = 4096
_MAX_HEADERS_BYTES = 16 * 1024

JOB_BODY_SCHEMA: Mapping[str, object] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "description": "DICOM, PNG and JPEG files, and zip archives of such.",
                    },
                    "task": {"type": "string", "enum": ["predict", "anomaly-map"], "default": "predict"},
                    "findings": {"type": "string", "description": "As in POST /predict; so are the next three."},
                    "saliency": {"type": "string"},
                    "gate": {"type": "string", "enum": ["on", "off"]},
                    "thresholds": {"type": "string"},
                    "masks": {"type": "integer", "description": "As in POST /anomaly-map; so are the next two."},
                    "rounds": {"type": "integer"},
                    "seed": {"type": "integer"},
                },
            }
        }
    },
}


class JobBodyReader:
    """Feeds one multipart body into an intake; blocking, so it is called off the event loop.

    Attributes:
        fields: text fields so far.

    Raises:
        UnsupportedMediaError: the body is no multipart form.
        InvalidRequestError: it is malformed.
    """

    def __init__(self, request: Request, intake: Intake) -> None:
        media_type, options = parse_options_header(request.headers.get("content-type", ""))
        if media_type != b"multipart/form-data":
            raise UnsupportedMediaError("the request body must be multipart/form-data with files in the field `images`")
        if not options.get(b"boundary"):
            raise InvalidRequestError("the Content-Type names no boundary")
        self.fields: dict[str, str] = {}
        self._intake = intake
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._headers_bytes = 0
        self._file_name: str | None = None
        self._field_name = ""
        self._text = bytearray()
        self._ended = self._has_files = False
        self._parser = self._parser_for(options[b"boundary"])

    def feed(self, piece: bytes) -> None:
        """The next piece of the body. Raises as `Intake.write` and `Intake.end_file` too."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise InvalidRequestError("the multipart body is malformed") from error

    def close(self) -> None:
        """The body has ended."""
        if not self._ended:
            raise InvalidRequestError("the multipart body is cut short")
        if not self._has_files:
            raise _fault("images", "must hold at least one file")

    def _parser_for(self, boundary: bytes) -> MultipartParser:
        try:
            return MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._take_header_name,
                    "on_header_value": self._take_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_content,
                    "on_part_data": self._take_content,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise InvalidRequestError("the boundary that the Content-Type names is too long") from error

    def _begin_part(self) -> None:
        self._headers, self._headers_bytes = {}, 0

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += self._bounded(data[start:end])

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += self._bounded(data[start:end])

    def _bounded(self, part: bytes) -> bytes:
        self._headers_bytes += len(part)
        if self._headers_bytes > _MAX_HEADERS_BYTES:
            raise InvalidRequestError("a part has too long headers")
        return part

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _begin_content(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"")
        self._text.clear()
        self._file_name = None
        if b"filename" in options:
            if name not in _FILE_FIELDS:
                raise _fault(name.decode(errors="replace"), "files belong into the field `images`")
            self._file_name = options[b"filename"].decode(errors="replace")
            self._intake.begin_file()
            self._has_files = True
            return
        if name in _FILE_FIELDS:
            raise _fault("images", "must hold files: its parts need file names")
        if len(self.fields) >= _MAX_FIELDS:
            raise InvalidRequestError("the form has too many fields")
        self._field_name = name.decode(errors="replace")
        if self._field_name in self.fields:
            raise _fault(self._field_name, "must be given once")

    def _take_content(self, data: bytes, start: int, end: int) -> None:
        if self._file_name is not None:
            self._intake.write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _MAX_TEXT_BYTES:
            raise _fault(self._field_name, "is too long")

    def _end_part(self) -> None:
        if self._file_name is not None:
            self._intake.end_file(self._file_name)
        else:
            self.fields[self._field_name] = self._text.decode(errors="replace")

    def _end(self) -> None:
        self._ended = True


def _fault(name: str, message: str) -> InvalidParametersError:
    return InvalidParametersError(Fault("form", shown(name), message))
