"""Every problem the service answers with, once: status, title, meaning, remedy.

Responses, the pages under /problems, the OpenAPI description and docs/problems.md are all made from, or checked
against, this table.
"""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Problem:
    """One row.

    Attributes:
        slug: stable; `type` in a response is `/problems/<slug>`.
        title: short, the same at every occurrence.
        meaning: what happened.
        remedy: what the caller can do about it.
        retry_after_s: value of the `Retry-After` header; None where waiting does not help.
    """

    slug: str
    status: HTTPStatus
    title: str
    meaning: str
    remedy: str
    retry_after_s: int | None = None

    @property
    def type(self) -> str:
        """The URI reference that names the problem in a response."""
        return f"/problems/{self.slug}"


_ROWS = (
    Problem(
        "unsupported-media",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Not a DICOM, PNG or JPEG file",
        "The upload is neither DICOM nor PNG nor JPEG, told from its first bytes and not from its name; "
        "or the request body is not multipart/form-data.",
        "Send one DICOM, PNG or JPEG file as the field `image` of a multipart/form-data body: "
        "curl -F image=@chest.dcm.",
    ),
    Problem(
        "undecodable-image",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The image cannot be decoded",
        "The file begins like DICOM, PNG or JPEG, but no picture comes out of it: it is cut short, damaged, has no "
        "pixels, uses an unsupported compression or colour space, or its decoder crashed or ran out of time or memory.",
        "Open the file in a viewer. If it shows there, export it as uncompressed DICOM (Explicit VR Little Endian) or "
        "as PNG.",
    ),
    Problem(
        "not-a-chest-radiograph",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Not a chest radiograph",
        "The DICOM header names another modality than CR, DX or DR, another part of the body, or raw data that are "
        "still to be processed; or the picture does not look like a frontal chest radiograph. `reasons` names what was "
        "found.",
        "Send a frontal chest radiograph. If the picture is one and the gate is wrong, repeat with `gate=off`.",
    ),
    Problem(
        "upload-too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The upload is too large",
        "The request body has more bytes than the service accepts; they are counted while they arrive.",
        "Compress the image without loss, or ask the operator to raise THORASCOPE_UPLOAD_LIMIT_BYTES; for a whole job, "
        "send several, or have THORASCOPE_JOB_LIMIT_BYTES and THORASCOPE_JOB_LIMIT_FILES raised.",
    ),
    Problem(
        "image-too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The image has too many pixels",
        "Rows times columns, as the file states them, exceed what the service decodes.",
        "Downscale the image, or ask the operator to raise THORASCOPE_PIXEL_LIMIT_PX.",
    ),
    Problem(
        "invalid-request",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The request is not valid",
        "A parameter is unknown, missing, repeated or out of its range, an option stands in the query that belongs "
        "into the form or the other way round, or the multipart body is malformed. `detail` says which; where a "
        "parameter or field is to blame, `errors` lists each with `in` (`query`, `form`, `header`), `name` and "
        "`message`.",
        "Compare the request with /docs: options of /predict and /anomaly-map are query parameters, those of POST "
        "/v1/jobs are form fields.",
    ),
    Problem(
        "not-acceptable",
        HTTPStatus.NOT_ACCEPTABLE,
        "No acceptable representation",
        "The `Accept` header names no media type that this resource can be given in.",
        "Ask for one of the media types that `detail` lists, or leave `Accept` out.",
    ),
    Problem(
        "upload-timeout",
        HTTPStatus.REQUEST_TIMEOUT,
        "The upload took too long",
        "The request body did not arrive in full within the time allowed; that of a job may take longer, as long as it "
        "neither pauses nor comes at less than 16 KiB a second.",
        "Repeat over a faster connection, or ask the operator to raise THORASCOPE_UPLOAD_TIMEOUT_S.",
    ),
    Problem(
        "overloaded",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is busy",
        "The service has as many requests or upload bytes in hand as it takes at once, and refused this one without "
        "waiting; or no decoder process could be started for some seconds; or, with THORASCOPE_ENGINE=queue, no worker "
        "answered in time.",
        "Repeat after the time in `Retry-After`.",
        retry_after_s=1,
    ),
    Problem(
        "not-ready",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The service is not ready",
        "The service is shutting down, no worker is there where workers answer, no decoder process where "
        "this one does, or the model is still being loaded. "
        "`serve` listens only once its model is loaded: until then connections are refused.",
        "Repeat after the time in `Retry-After`; poll /readyz.",
        retry_after_s=5,
    ),
    Problem(
        "store-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The job store is unreachable",
        "Jobs cannot be taken or looked up now. With THORASCOPE_ENGINE=local, /predict and /anomaly-map still work; "
        "with queue they answer this too, and also where every worker was lost over the image.",
        "Repeat after the time in `Retry-After`.",
        retry_after_s=5,
    ),
    Problem(
        "unknown-job",
        HTTPStatus.NOT_FOUND,
        "No such job",
        "There is no job of this id.",
        "Use the id, or the `Location`, that POST /v1/jobs answered with.",
    ),
    Problem(
        "expired-job",
        HTTPStatus.GONE,
        "The job was purged",
        "The job was deleted, or kept for as long as results are kept; its files and rows are gone.",
        "Send the images again as a new job.",
    ),
    Problem(
        "conflict",
        HTTPStatus.CONFLICT,
        "The request contradicts what is there",
        "The Idempotency-Key was used for another job, or a Parquet table was asked of a job that is not over.",
        "Use a new key for a new job; wait until the job is done, or ask for `format=jsonl`.",
    ),
    Problem(
        "out-of-storage",
        HTTPStatus.INSUFFICIENT_STORAGE,
        "The disk is nearly full",
        "The upload store has no room for what was sent; nothing of it was kept.",
        "Purge finished jobs (`python -m service purge`), or ask the operator for a larger disk.",
    ),
    Problem(
        "worker-lost",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Every worker was lost over this image",
        "Several workers ended while they had this one image in hand, so it was given up. Stands in a job's rows only.",
        "Look into the workers' logs for what ends them; the image may take more memory than they have.",
    ),
    Problem(
        "not-found",
        HTTPStatus.NOT_FOUND,
        "Nothing here",
        "There is no resource at this address.",
        "See /docs for the addresses that exist.",
    ),
    Problem(
        "method-not-allowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "Method not allowed",
        "The resource exists, but not for this HTTP method; `Allow` lists those it has.",
        "See /docs for the methods of each resource.",
    ),
    Problem(
        "internal-error",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The service failed",
        "Something went wrong that no client can be blamed for. The log has it under the same `request_id`.",
        "Report it to the operator with the `request_id`; the image need not be sent along.",
    ),
)

PROBLEMS = {row.slug: row for row in _ROWS}
