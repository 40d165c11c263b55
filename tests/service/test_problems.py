"""Errors as RFC 9457 problems: complete, stable, explained."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import (
    CheckpointError,
    InvalidBundleError,
    NotAChestRadiographError,
    OverloadedError,
    ThorascopeError,
)
from service.api.problem_table import PROBLEMS
from service.jobs.data_lock import DataFolderTakenError
from service.telemetry import JsonFormatter

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"

# Met when the service starts or a model is trained; a client that meets one has met a bug, and gets `internal-error`.
NOT_FOR_CLIENTS = {InvalidBundleError.code, CheckpointError.code, DataFolderTakenError.code}
# What no error class stands for: the router's own, and what nobody foresaw.
WITHOUT_CLASS = {"method-not-allowed", "internal-error"}


def all_subclasses(error: type[ThorascopeError]) -> Iterator[type[ThorascopeError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from all_subclasses(subclass)


class TestTable:
    def test_every_error_code_has_a_row(self):
        """Adding an error without deciding its HTTP status fails here, not in production."""
        codes = {error.code for error in all_subclasses(ThorascopeError)}

        assert codes - NOT_FOR_CLIENTS == set(PROBLEMS) - WITHOUT_CLASS

    def test_the_promised_statuses_are_kept(self):
        """docs/interface.md, the table of problems."""
        promised = {
            "unsupported-media": 415,
            "undecodable-image": 422,
            "not-a-chest-radiograph": 422,
            "upload-too-large": 413,
            "image-too-large": 413,
            "invalid-request": 422,
            "overloaded": 503,
            "store-unavailable": 503,
        }

        assert promised.items() <= {slug: int(row.status) for slug, row in PROBLEMS.items()}.items()

    def test_every_busy_problem_says_when_to_come_back(self):
        """503 without `Retry-After` invites a storm."""
        assert all((row.status == 503) == (row.retry_after_s is not None) for row in PROBLEMS.values())

    def test_the_documentation_has_the_same_rows(self):
        """docs/problems.md, one section a problem: same status, title, meaning and remedy."""
        section = r"^## `([a-z-]+)`: (.+?)\n\nStatus (\d+)\.\n\n(.+?)\n\nWhat to do: (.+?)\n"
        sections = re.findall(section, PAGE.read_text(), re.MULTILINE | re.DOTALL)

        assert sections == [
            (row.slug, row.title, str(int(row.status)), row.meaning, row.remedy) for row in PROBLEMS.values()
        ]


class TestPages:
    @pytest.mark.parametrize("slug", PROBLEMS)
    def test_a_type_leads_to_its_explanation(self, fake_client, slug):
        """A page for people."""
        response = fake_client.get(f"/problems/{slug}")

        assert 200 == response.status_code
        assert response.headers["content-type"].startswith("text/html")
        assert PROBLEMS[slug].title in response.text

    def test_it_comes_as_json_too(self, fake_client):
        """For programs."""
        body = fake_client.get("/problems/overloaded", headers={"accept": "application/json"}).json()

        assert {"type", "status", "title", "meaning", "remedy"} == set(body)

    def test_the_list_names_all(self, fake_client):
        """`/problems` itself."""
        rows = fake_client.get("/problems", headers={"accept": "application/json"}).json()

        assert [f"/problems/{slug}" for slug in PROBLEMS] == [row["type"] for row in rows]
        assert all(f"/problems/{slug}" in fake_client.get("/problems").text for slug in PROBLEMS)

    @pytest.mark.parametrize("path", ["/problems", "/problems/overloaded"])
    def test_caches_keep_both_forms_apart(self, fake_client, path):
        """RFC 9110, 12.5.5: what was chosen by `Accept` says so."""
        assert "Accept" == fake_client.get(path).headers["vary"]

    def test_an_unknown_slug_is_a_problem_itself(self, fake_client):
        """And it is not repeated into a page."""
        response = fake_client.get("/problems/<script>")

        assert (404, "/problems/not-found") == (response.status_code, response.json()["type"])
        assert "script" not in response.text


class TestResponses:
    @pytest.mark.parametrize(
        ("method", "path", "status", "slug"),
        [
            ("GET", "/nowhere", 404, "not-found"),
            ("GET", "/predict/", 404, "not-found"),
            ("GET", "/%00", 404, "not-found"),
            ("GET", "/docs/../../etc/passwd", 404, "not-found"),
            ("GET", "/docs/%2e%2e%2fpyproject.toml", 404, "not-found"),
            ("GET", "/predict", 405, "method-not-allowed"),
            ("OPTIONS", "/predict", 405, "method-not-allowed"),
            ("BREW", "/v1/predict", 405, "method-not-allowed"),
            ("POST", "/livez", 405, "method-not-allowed"),
        ],
    )
    def test_the_router_answers_with_problems_too(self, fake_client, method, path, status, slug):
        """No plain text, no other shape."""
        response = fake_client.request(method, path, follow_redirects=False)

        assert (status, "application/problem+json") == (response.status_code, response.headers["content-type"])
        assert f"/problems/{slug}" == response.json()["type"]

    def test_405_lists_what_is_allowed(self, fake_client):
        """RFC 9110, 15.5.6."""
        assert "POST" == fake_client.get("/predict").headers["allow"]

    @pytest.mark.parametrize(
        ("path", "allowed"),
        [("/v1/jobs/x", {"GET", "DELETE"}), ("/v1/jobs", {"POST"}), ("/livez", {"GET", "HEAD"})],
    )
    def test_405_lists_the_methods_of_all_routes_at_an_address(self, fake_client, path, allowed):
        """Each method may have a route of its own."""
        response = fake_client.put(path)

        assert (405, allowed) == (response.status_code, set(response.headers["allow"].split(", ")))

    def test_an_unforeseen_failure_is_a_500_without_a_word_of_it(self, fake_client, fake_engine):
        """The log has the rest, under the same id."""
        fake_engine.failure = RuntimeError("Canary^Patient")
        response = fake_client.post("/predict", files={"image": ("x", b"x")})

        assert (500, "/problems/internal-error") == (response.status_code, response.json()["type"])
        assert "Canary" not in response.text
        assert response.headers["x-request-id"] == response.json()["request_id"]

    def test_an_error_that_is_not_for_clients_is_a_500_without_a_word_of_it(self, fake_client, fake_engine):
        """A graph that fails says things about files and operators."""
        fake_engine.failure = InvalidBundleError("node 7 of /srv/bundle")
        response = fake_client.post("/predict", files={"image": ("x", b"x")})

        assert (500, "/problems/internal-error") == (response.status_code, response.json()["type"])
        assert "node" not in response.text


class TestLog:
    @pytest.mark.parametrize(
        ("failure", "said"),
        [
            (OverloadedError("full"), {"problem": "overloaded"}),
            (
                NotAChestRadiographError("no", ["modality"]),
                {"problem": "not-a-chest-radiograph", "reasons": ["modality"]},
            ),
            (RuntimeError("Canary^Patient"), {"problem": "internal-error"}),
            (None, {}),
        ],
    )
    def test_the_line_of_a_request_names_its_problem(self, fake_client, fake_engine, caplog, failure, said):
        """Slug and reasons, nothing of the detail."""
        caplog.set_level(logging.INFO, "service.api.context")
        fake_engine.failure = failure
        fake_client.post("/predict", files={"image": ("x", b"x")})
        (record,) = [record for record in caplog.records if record.getMessage() == "request"]
        line = json.loads(JsonFormatter().format(record))

        assert said == {name: line[name] for name in ("problem", "reasons") if name in line}
