"""Request bodies that nobody vouches for."""

import asyncio
import tempfile

import pytest
from starlette.testclient import TestClient

from models.errors import OverloadedError, UploadTooLargeError
from service.api.app import create_app
from service.api.errors import UploadTimeoutError
from service.api.upload_limit import MULTIPART_ALLOWANCE_BYTES, UploadLimitMiddleware
from tests.service.fake_engine import FakeEngine

LIMIT_BYTES = 2**20


def form(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    """A multipart body; each part is (its headers, its content)."""
    body = b"".join(
        f"--{boundary}\r\n{headers}\r\n\r\n".encode("latin-1") + content + b"\r\n" for headers, content in parts
    )
    return body + f"--{boundary}--\r\n".encode()


def post(client, body, content_type="multipart/form-data; boundary=b"):
    headers = {} if content_type is None else {"content-type": content_type}
    return client.post("/predict", content=body, headers=headers)


def problem_of(response):
    assert "application/problem+json" == response.headers["content-type"]
    return response.status_code, response.json()["type"].removeprefix("/problems/")


FILE = 'Content-Disposition: form-data; name="image"; filename="x"'


class TestReadImage:
    def test_the_bytes_arrive_as_they_were_sent(self, fake_client, fake_engine):
        """NUL bytes, line ends and boundaries' look-alikes included."""
        content = bytes(range(256)) * 100 + b"\r\n--c--\r\n"
        response = fake_client.post("/predict", files={"image": ("x", content)})

        assert 200 == response.status_code
        assert [content] == fake_engine.contents

    def test_none_of_it_goes_to_a_file(self, fake_client, monkeypatch, tmp_path):
        """A picture of a patient stays in memory; here is no folder to put one into."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))

        assert 200 == post(fake_client, form((FILE, b"x" * 900_000))).status_code

    @pytest.mark.parametrize("path", ["/predict", "/v1/predict"])
    def test_an_option_in_the_form_is_422_and_says_where_it_belongs(self, fake_client, fake_engine, path):
        """It would be answered by default."""
        data = {"findings": "Mass", "thresholds": "balanced"}
        response = fake_client.post(path, files={"image": ("x", b"x")}, data=data)

        assert (422, "invalid-request") == problem_of(response)
        assert [("form", "findings"), ("form", "thresholds")] == [
            (e["in"], e["name"]) for e in response.json()["errors"]
        ]
        assert f"`findings` is a query parameter here: {path}?findings=..." in response.json()["detail"]
        assert [] == fake_engine.contents

    @pytest.mark.parametrize("name", ["x", "masks", "\x00\xff; DROP"])
    def test_a_part_that_nobody_knows_is_422(self, fake_client, fake_engine, name):
        """It is named where it is an identifier; anything else could be anything."""
        other = f'Content-Disposition: form-data; name="{name}"'
        response = post(fake_client, form((other, b"y"), (FILE, b"x"), (other, b"z")))

        assert (422, "invalid-request") == problem_of(response)
        assert [name if name.isalpha() else "(not shown)"] == [error["name"] for error in response.json()["errors"]]
        assert "DROP" not in response.text
        assert [] == fake_engine.contents

    def test_a_form_without_image_is_told_its_parts(self, fake_client):
        """By their names, never by the names of files."""
        response = fake_client.post("/predict", files=[("file", ("Canary.dcm", b"x")), ("a b", ("y", b"y"))])

        assert (422, "invalid-request") == problem_of(response)
        assert {"in": "form", "name": "image"}.items() <= response.json()["errors"][0].items()
        assert "its parts: file, (not shown)" in response.json()["detail"]
        assert "Canary" not in response.text

    @pytest.mark.parametrize("parts", [(), ((FILE, b"x"), (FILE, b"y")), ((FILE.partition("; file")[0], b"x"),)])
    def test_what_is_wrong_with_the_image_is_told_to_programs_too(self, fake_client, parts):
        """Missing, repeated, no file."""
        errors = post(fake_client, form(*parts)).json()["errors"]

        assert [("form", "image")] == [(error["in"], error["name"]) for error in errors]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            pytest.param(form((FILE, b"")), (415, "unsupported-media"), id="empty file"),
            pytest.param(form((FILE, b"x"), (FILE, b"y")), (422, "invalid-request"), id="two of one name"),
            pytest.param(form(*[(FILE, b"x")] * 20), (422, "invalid-request"), id="very many"),
            pytest.param(form(), (422, "invalid-request"), id="no part"),
            pytest.param(b"", (422, "invalid-request"), id="no body"),
            pytest.param(b"garbage", (422, "invalid-request"), id="no form"),
            pytest.param(form((FILE, b"x"))[:-9], (422, "invalid-request"), id="cut short"),
            pytest.param(form((FILE.replace("image", "file"), b"x")), (422, "invalid-request"), id="another name"),
            pytest.param(
                form(('Content-Disposition: form-data; name="image"', b"x")), (422, "invalid-request"), id="text field"
            ),
            pytest.param(form(("Content-Disposition: form-data", b"x")), (422, "invalid-request"), id="no name"),
            pytest.param(form(("Content-Type: x", b"x")), (422, "invalid-request"), id="no disposition"),
            pytest.param(form((f"X-Long: {'x' * 9999}", b"x")), (422, "invalid-request"), id="long part header"),
            pytest.param(form((f"\x00: \x00\r\n{FILE}", b"x")), (422, "invalid-request"), id="NUL in a part header"),
        ],
    )
    def test_a_form_without_exactly_one_image_gets_its_problem(self, fake_client, body, expected):
        """Whatever is wrong with it, it is told, and it is not a 500."""
        assert expected == problem_of(post(fake_client, body))

    @pytest.mark.parametrize(
        ("content_type", "expected"),
        [
            ("application/json", (415, "unsupported-media")),
            ("application/dicom", (415, "unsupported-media")),
            ("application/x-www-form-urlencoded", (415, "unsupported-media")),
            ("multipart/form-data", (422, "invalid-request")),
            ("multipart/form-data; boundary=", (422, "invalid-request")),
            (f"multipart/form-data; boundary={'b' * 300}", (422, "invalid-request")),
            ("multipart/form-data; boundary=b; charset=undefined", (422, "invalid-request")),
            ("multipart/form-data; boundary=\xff", (422, "invalid-request")),
            (None, (422, "invalid-request")),
        ],
    )
    def test_a_body_of_another_kind_gets_its_problem(self, fake_client, content_type, expected):
        """Odd boundaries and character sets too."""
        encoded = content_type.encode("latin-1") if content_type else None
        assert expected == problem_of(post(fake_client, form((FILE, b"x"))[1:], encoded))


class TestLimit:
    def test_a_file_of_exactly_the_limit_passes(self, fake_client):
        """The multipart frame does not count."""
        assert 200 == post(fake_client, form((FILE, b"x" * LIMIT_BYTES))).status_code

    def test_a_longer_body_is_413(self, fake_client, fake_engine):
        """By its declared length."""
        body = form((FILE, b"x" * (LIMIT_BYTES + MULTIPART_ALLOWANCE_BYTES)))

        assert (413, "upload-too-large") == problem_of(post(fake_client, body))
        assert [] == fake_engine.contents

    def test_a_longer_body_without_length_is_413(self, fake_client, fake_engine):
        """Counted while it arrives in chunks."""
        chunks = (form((FILE, b"x" * 100_000))[:-7] for _ in range(15))

        assert (413, "upload-too-large") == problem_of(post(fake_client, chunks))
        assert [] == fake_engine.contents

    @pytest.mark.parametrize(
        ("path", "size", "status", "connection"),
        [
            ("/predict", 1, 200, None),
            ("/predict", LIMIT_BYTES + MULTIPART_ALLOWANCE_BYTES, 413, "close"),
            ("/nowhere", 1, 404, "close"),
        ],
    )
    def test_the_connection_ends_with_an_answer_before_the_body_was_asked_for(
        self, fake_client, path, size, status, connection
    ):
        """What the client sends next could be that body, or another request, which would be taken for it."""
        headers = {"content-type": "multipart/form-data; boundary=b", "expect": "100-continue"}
        response = fake_client.post(path, content=form((FILE, b"x" * size)), headers=headers)

        assert (status, connection) == (response.status_code, response.headers.get("connection"))


class TestUploadLimitMiddleware:
    """The middleware by itself, over an application that only reads."""

    @staticmethod
    def run(messages, headers=(), pause_s=0.0, work_s=0.0, **limits):
        """Feed ASGI messages in; returns what the application read and the middleware afterwards."""
        read = []

        async def application(_scope, receive, _send):
            while True:
                message = await receive()
                read.append(len(message["body"]))
                await asyncio.sleep(work_s)
                if not message["more_body"]:
                    return

        async def receive():
            await asyncio.sleep(pause_s if messages else 3600)
            return messages.pop(0)

        middleware = UploadLimitMiddleware(
            application, **{"limit_bytes": 100_000, "memory_bytes": 100_000, "timeout_s": 10.0} | limits
        )
        asyncio.run(middleware({"type": "http", "headers": list(headers), "path": "/stream"}, receive, None))
        return read, middleware

    @staticmethod
    def body(*sizes):
        return [
            {"type": "http.request", "body": b"x" * size, "more_body": index < len(sizes) - 1}
            for index, size in enumerate(sizes)
        ]

    def test_the_account_is_cleared_when_the_request_is_over(self):
        """Else the service would fill up."""
        read, middleware = self.run(self.body(10, 20, 0))

        assert ([10, 20, 0], 0) == (read, middleware.held_bytes)

    def test_a_body_of_exactly_the_limit_passes(self):
        """The file's, and what stands around it."""
        sizes = [100_000, MULTIPART_ALLOWANCE_BYTES]

        assert sizes == self.run(self.body(*sizes), memory_bytes=sum(sizes))[0]

    def test_what_all_requests_hold_together_is_limited(self):
        """Many clients that are each within their limit must not fill the memory."""
        with pytest.raises(OverloadedError):
            self.run(self.body(10, 20), memory_bytes=25)

    def test_a_body_that_stops_arriving_is_given_up(self):
        """A slow client must not hold its memory for ever."""
        with pytest.raises(UploadTimeoutError):
            self.run(self.body(10, 20)[:1], timeout_s=0.05)

    def test_a_stream_that_comes_in_drops_is_given_up(self):
        """Each of them in time; but a client that sends a byte now and then would keep others from their jobs."""
        with pytest.raises(UploadTimeoutError, match="slow"):
            self.run(self.body(*[1] * 20), pause_s=0.03, timeout_s=0.1, streams={"/stream": 10**6})

    def test_a_stream_that_comes_at_a_fair_rate_may_take_long(self):
        """Longer than a body that is held in memory."""
        sizes = [4096] * 10
        read, _ = self.run(self.body(*sizes), pause_s=0.03, timeout_s=0.1, streams={"/stream": 10**6})

        assert sizes == read

    def test_a_stream_that_was_fast_may_not_pause_for_that(self):
        """Who is ahead of the clock has still to send."""
        with pytest.raises(UploadTimeoutError, match="pauses"):
            self.run(self.body(10**6, 1)[:1], timeout_s=0.05, streams={"/stream": 10**7})

    def test_what_the_service_does_with_a_stream_takes_none_of_its_time(self):
        """An archive is unpacked for as long as it needs."""
        read, _ = self.run(self.body(1, 1, 1), work_s=0.2, timeout_s=0.1, streams={"/stream": 10**6})

        assert [1, 1, 1] == read

    def test_what_is_sent_beyond_the_limit_is_taken_and_dropped(self):
        """A client that is cut off while sending would see a broken connection instead of the answer."""
        messages = self.body(60_000, 60_000, 60_000, 60_000)
        with pytest.raises(UploadTooLargeError):
            self.run(messages)

        assert [] == messages

    def test_a_client_that_waits_for_leave_is_refused_before_it_sends(self):
        """`Expect: 100-continue` is for that."""
        messages = self.body(200_000)
        headers = [(b"content-length", b"200000"), (b"expect", b"100-continue")]
        with pytest.raises(UploadTooLargeError):
            self.run(messages, headers)

        assert 1 == len(messages)

    @pytest.mark.parametrize("length", [b"-1", b"x", "²".encode("latin-1"), b"9" * 5000, b""])
    def test_a_declared_length_that_is_no_number_does_no_harm(self, length):
        """The count decides."""
        assert [5] == self.run(self.body(5), [(b"content-length", length)])[0]


def test_an_overloaded_engine__answers_503_with_retry_after(settings, bundle):
    """At once, and with the time to wait."""
    engine = FakeEngine(bundle)
    engine.failure = OverloadedError("full")
    with TestClient(create_app(settings, engine=engine)) as client:
        response = client.post("/predict", files={"image": ("x", b"x")})

    assert (503, "overloaded") == problem_of(response)
    assert "1" == response.headers["retry-after"]
