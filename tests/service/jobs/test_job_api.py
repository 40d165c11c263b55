"""The jobs API over a ledger in memory, with a worker that is real but for Celery: milliseconds a test."""

import asyncio
import io
import json
import time
import zipfile
from dataclasses import dataclass

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from service.api.app import create_app
from service.api.job_desk import JobDesk
from service.inference.batch_engine import BatchEngine
from service.inference.decode_pool import DecodePool
from service.inference.local_engine import EngineLimits
from service.jobs.folder_store import FolderStore
from service.jobs.intake import IntakeLimits
from service.jobs.job import Lane
from service.jobs.reconciler import Reconciler, Retention
from service.worker.scorer import Scorer
from service.worker.work import score_chunk
from tests import dicom_samples
from tests.service.conftest import LIMITS
from tests.service.jobs.memory_ledger import MemoryLedger
from tests.service.jobs.memory_queue import MemoryQueue


@dataclass
class Bench:
    """Application, queue and a worker that works when told."""

    client: TestClient
    ledger: MemoryLedger
    queue: MemoryQueue
    store: FolderStore
    reconciler: Reconciler
    scorer: Scorer
    loop: asyncio.AbstractEventLoop

    def submit(self, *files, **options):
        return self.client.post("/v1/jobs", files=[("images", file) for file in files], **options)

    def work(self, chunks=10**6):
        """Do up to so many chunks."""
        while chunks and self.reconciler.feed(Lane.BULK) + len(self.queue.messages[Lane.BULK]):
            offer = self.queue.messages[Lane.BULK].popleft()
            items = self.ledger.lease(offer.job_id, offer.chunk, "w", 60)
            if items:
                job = self.ledger.job(offer.job_id)
                outcomes, segment = self.loop.run_until_complete(
                    score_chunk(self.scorer, self.store, job, offer.chunk, frozenset(items))
                )
                final = {row.index: row.failure is not None for row in outcomes}
                self.ledger.finish(job.id, offer.chunk, segment, final)
            chunks -= 1

    def rows(self, job_id):
        text = self.client.get(f"/v1/jobs/{job_id}/results").text
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def engine_and_loop(bundle):
    """A worker's engine, started once."""
    loop = asyncio.new_event_loop()
    engine = BatchEngine(bundle, DecodePool(LIMITS, size=1), EngineLimits(upload_bytes=2**20, pixels=10**6, threads=1))
    loop.run_until_complete(engine.start())
    yield engine, loop
    loop.run_until_complete(engine.close())
    loop.close()


@pytest.fixture
def bench(settings, fake_engine, engine_and_loop, tmp_path):
    """Everything, empty."""
    engine, loop = engine_and_loop
    ledger, queue, store = MemoryLedger(), MemoryQueue(), FolderStore(tmp_path)
    reconciler = Reconciler(ledger, queue, store, Retention(0, 0), "test", time.time)
    # The desk's own keeps jobs: it sweeps a second after its start, which may be in the middle of a test.
    keeper = Reconciler(ledger, queue, store, Retention(1e9, 1e9), "desk", time.time)
    desk = JobDesk(ledger, store, keeper, IntakeLimits(2**20, 2**22, 50), time.time)
    with TestClient(create_app(settings, engine=fake_engine, jobs=desk)) as client:
        yield Bench(client, ledger, queue, store, reconciler, Scorer(engine, ledger.note_fault, lambda: None, 2), loop)


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


class TestCreate:
    def test_a_job_is_accepted_with_its_address(self, bench, chest_png):
        """202, `Location`, and when to look again."""
        response = bench.submit(("a.png", chest_png), ("b.png", chest_png))
        body = response.json()

        assert (202, f"/v1/jobs/{body['id']}") == (response.status_code, response.headers["location"])
        assert ("queued", 2, 0, 0) == (body["state"], body["total"], body["done"], body["failed"])
        assert int(response.headers["retry-after"]) > 0
        assert len(body["id"]) >= 22  # 128 bits

    @pytest.mark.parametrize(
        ("files", "data", "status", "slug"),
        [
            ([("images", ("a", b"x"))], {"task": "x-ray"}, 422, "invalid-request"),
            ([("images", ("a", b"x"))], {"findings": "Influenza"}, 422, "invalid-request"),
            ([("images", ("a", b"x"))], {"thresholds": "lenient"}, 422, "invalid-request"),
            ([("images", ("a", b"x"))], {"task": "anomaly-map", "masks": "3"}, 422, "invalid-request"),
            ([("images", ("a", b"x"))], {"colour": "red"}, 422, "invalid-request"),
            ([("other", ("a", b"x"))], {}, 422, "invalid-request"),
            ([("images", (str(n), b"x")) for n in range(51)], {}, 413, "upload-too-large"),
            ([("images", ("a.zip", b"PK\x03\x04 cut"))], {}, 422, "invalid-request"),
        ],
    )
    def test_what_is_wrong_with_the_whole_is_refused_whole(self, bench, files, data, status, slug):
        """With the problem's type; nothing of it is kept."""
        response = bench.client.post("/v1/jobs", files=files, data=data)

        assert (status, f"/problems/{slug}") == (response.status_code, response.json()["type"])
        assert [] == list(bench.store.folders("jobs"))

    @pytest.mark.parametrize(
        ("body", "status", "slug"),
        [
            (b"--b--\r\n", 422, "invalid-request"),
            (b'--b\r\nContent-Disposition: form-data; name="task"\r\n\r\npredict\r\n--b--\r\n', 422, "invalid-request"),
            (b'--b\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\ncut', 422, "invalid-request"),
            (b"no form at all", 422, "invalid-request"),
        ],
    )
    def test_a_body_without_files_or_without_end_is_refused(self, bench, body, status, slug):
        """An empty job, a broken connection, nonsense."""
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        response = bench.client.post("/v1/jobs", content=body, headers=headers)

        assert (status, f"/problems/{slug}") == (response.status_code, response.json()["type"])
        assert [] == list(bench.store.folders("jobs"))

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            ({"findings": "effusion"}, "findings"),
            ({"thresholds": "lenient"}, "thresholds"),
            ({"task": "anomaly-map", "masks": "3"}, "masks"),
            ({"task": "anomaly-map", "rounds": "9"}, "rounds"),
            ({"colour": "red"}, "colour"),
            ({"masks": "2"}, "masks"),
            ({"task": "anomaly-map", "findings": "Mass"}, "findings"),
            ({"thresholds": ["specific", "sensitive"]}, "thresholds"),
            ({"images": "text"}, "images"),
        ],
    )
    def test_a_field_that_is_wrong_is_named_to_programs_too(self, bench, data, name):
        """Unknown, out of range, repeated, of the other task."""
        response = bench.client.post("/v1/jobs", files=[("images", ("a", b"x"))], data=data)

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])
        assert [("form", name)] == [(error["in"], error["name"]) for error in response.json()["errors"]]

    @pytest.mark.parametrize("name", ["thresholds", "x"])
    def test_an_option_in_the_query_is_422_and_says_where_it_belongs(self, bench, name):
        """It would be answered by default."""
        response = bench.submit(("a", b"x"), params={name: "specific"})

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])
        assert [("query", name)] == [(error["in"], error["name"]) for error in response.json()["errors"]]
        assert (name == "x") != ("fields of the form here: -F thresholds=..." in response.json()["detail"])
        assert [] == list(bench.store.folders("jobs"))

    def test_a_boundary_that_no_parser_takes_is_refused(self, bench):
        """RFC 2046 allows 70 characters."""
        headers = {"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}
        response = bench.client.post("/v1/jobs", content=b"--b", headers=headers)

        assert (422, "/problems/invalid-request") == (response.status_code, response.json()["type"])

    def test_the_same_key_makes_one_job(self, bench, chest_png):
        """And another body under it is a conflict."""
        headers = {"Idempotency-Key": "night-1"}
        first, second = (bench.submit(("a.png", chest_png), headers=headers) for _ in range(2))
        third = bench.submit(("b.png", chest_png), headers=headers)

        assert first.json()["id"] == second.json()["id"]
        assert (409, "/problems/conflict") == (third.status_code, third.json()["type"])

    def test_without_a_store_jobs_are_refused_and_the_rest_works(self, fake_client, chest_png):
        """503 `store-unavailable`, and when to come back."""
        response = fake_client.post("/v1/jobs", files={"images": chest_png})

        assert (503, "/problems/store-unavailable") == (response.status_code, response.json()["type"])
        assert 200 == fake_client.post("/predict", files={"image": chest_png}).status_code


class TestResults:
    def test_rows_stand_in_the_order_of_submission_each_with_its_answer_or_problem(self, bench, chest_png):
        """A text among images, a truncated file, two files of one name, an archive."""
        files = [("a.png", chest_png), ("b.txt", b"text"), ("c.png", chest_png[:200]), ("a.png", chest_png)]
        job_id = bench.submit(*files, ("d.zip", zipped(x=chest_png, y=b"text"))).json()["id"]
        bench.work()
        rows = bench.rows(job_id)

        assert ["a.png", "b.txt", "c.png", "a.png", "d.zip/x", "d.zip/y"] == [row["file"] for row in rows]
        assert [None, "unsupported-media", "undecodable-image", None, None, "unsupported-media"] == [
            row["problem"]["type"].rpartition("/")[2] if "problem" in row else None for row in rows
        ]
        body = bench.client.get(f"/v1/jobs/{job_id}").json()
        assert ("done", 6, 3, 1.0) == (body["state"], body["done"], body["failed"], body["progress"])

    def test_rows_are_cut_by_the_thresholds_of_the_job(self, bench, chest_png):
        """Chosen when it was submitted; without a choice, those in force then."""
        ids = [bench.submit(("a.png", chest_png), data=data).json()["id"] for data in ({}, {"thresholds": "specific"})]
        bench.work()
        (usual,), (specific,) = (bench.rows(job_id) for job_id in ids)

        assert ("tiny-thresholds", "specific") == (usual["model"]["thresholds"], specific["model"]["thresholds"])
        assert [(1 + finding["threshold"]) / 2 for finding in usual["findings"]] == [
            finding["threshold"] for finding in specific["findings"]
        ]

    def test_a_second_run_gives_the_same_bytes(self, bench, chest_png):
        """Same place in a batch of the same size: the same sums in the same order."""
        files = [(f"{number}.png", chest_png) for number in range(11)]
        texts = []
        for _ in range(2):
            job_id = bench.submit(*files).json()["id"]
            bench.work()
            texts.append(bench.client.get(f"/v1/jobs/{job_id}/results").content)

        assert texts[0] == texts[1]

    def test_an_unfinished_job_gives_the_rows_that_are_final(self, bench, chest_png):
        """As lines; a Parquet file is written once."""
        job_id = bench.submit(*[(f"{number}.png", chest_png) for number in range(20)]).json()["id"]
        bench.work(chunks=1)

        assert 8 == len(bench.rows(job_id))
        assert 9 == len(bench.client.get(f"/v1/jobs/{job_id}/results?format=csv").text.splitlines())
        response = bench.client.get(f"/v1/jobs/{job_id}/results?format=parquet")
        assert (409, "/problems/conflict") == (response.status_code, response.json()["type"])

    def test_tables_hold_what_the_lines_hold(self, bench, chest_png):
        """Numbers as numbers; what failed has an error and nothing else."""
        job_id = bench.submit(("=1+1.png", chest_png), ("b", b"text")).json()["id"]
        bench.work()
        row = bench.rows(job_id)[0]
        table = pq.read_table(io.BytesIO(bench.client.get(f"/v1/jobs/{job_id}/results?format=parquet").content))
        csv = bench.client.get(f"/v1/jobs/{job_id}/results?format=csv").text

        first, second = table.to_pylist()
        effusion = next(found for found in row["findings"] if found["name"] == "Effusion")
        assert (effusion["probability"], None) == (first["Effusion"], first["Hernia"])
        assert effusion["threshold"] == first["Effusion_threshold"]
        assert ("unsupported-media", None) == (second["error"], second["Effusion"])
        assert "'=1+1.png" in csv, "a spreadsheet must not run a file's name"

    def test_tables_hold_why_the_gate_has_refused(self, bench):
        """And how a DICOM file was stored."""
        scans = [dicom_samples.plain(dicom_samples.chest(), Modality=modality) for modality in ("CT", "DX")]
        job_id = bench.submit(*[(str(place), scan) for place, scan in enumerate(scans)], data={"gate": "on"})
        job_id = job_id.json()["id"]
        bench.work()
        refused, answered = bench.rows(job_id)
        content = bench.client.get(f"/v1/jobs/{job_id}/results?format=parquet").content
        first, second = pq.read_table(io.BytesIO(content)).to_pylist()

        assert ("not-a-chest-radiograph", "modality") == (first["error"], first["gate_reasons"])
        assert ["modality"] == refused["problem"]["reasons"]
        for key in ("photometric_interpretation", "transfer_syntax_uid"):
            assert answered["image"][key] == second[key] is not None

    def test_an_empty_file_is_called_so(self, bench):
        """Not something in another format."""
        job_id = bench.submit(("a.png", b"")).json()["id"]
        bench.work()

        assert ["the file is empty"] == [row["problem"]["detail"] for row in bench.rows(job_id)]

    @pytest.mark.parametrize("wanted", ["bytes=foo", "bytes=999999999-", "bytes=0-3"])
    def test_a_table_comes_whole_whatever_range_is_asked_for(self, bench, chest_png, wanted):
        """RFC 9110, 14.2: a server may ignore `Range`. The file has a length, and a name for the client."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        bench.work()
        response = bench.client.get(f"/v1/jobs/{job_id}/results?format=parquet", headers={"Range": wanted})

        assert 200 == response.status_code
        assert 1 == len(pq.read_table(io.BytesIO(response.content)))
        assert str(len(response.content)) == response.headers["content-length"]
        assert f'attachment; filename="{job_id}.parquet"' == response.headers["content-disposition"]

    def test_anomaly_maps_are_scored_too(self, bench, chest_png):
        """The second question."""
        job_id = bench.submit(*[(f"{n}", chest_png) for n in range(5)], data={"task": "anomaly-map"}).json()["id"]
        bench.work()
        rows = bench.rows(job_id)

        assert 5 == len(rows)
        assert rows[0]["anomaly"] == rows[4]["anomaly"]
        assert rows[0]["anomaly"]["map"].startswith("data:image/png")


class TestPurgedWhileRead:
    """A table is read whole before its answer begins, so that the answer can say what became of it."""

    @pytest.fixture
    def job_id(self, bench, chest_png):
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        bench.work()
        return job_id

    @staticmethod
    def table(bench, job_id):
        response = bench.client.get(f"/v1/jobs/{job_id}/results", params={"format": "parquet"})
        return response.status_code, response.json()["type"]

    def test_a_job_that_was_deleted_meanwhile_is_gone(self, bench, job_id, monkeypatch):
        """410, and not 500."""

        def vanish(name, *_limits):
            bench.ledger.delete(job_id)
            raise FileNotFoundError(name)

        monkeypatch.setattr(bench.store, "read", vanish)

        assert (410, "/problems/expired-job") == self.table(bench, job_id)

    def test_rows_that_are_missing_of_a_job_that_is_there_are_not_to_be_had_now(self, bench, job_id):
        """503: a store may come back."""
        bench.store.delete(f"jobs/{job_id}")

        assert (503, "/problems/store-unavailable") == self.table(bench, job_id)


class TestResultFormat:
    @pytest.mark.parametrize(
        ("accept", "query", "expected"),
        [
            ("*/*", "", "application/jsonl"),
            ("text/csv", "", "text/csv; charset=utf-8"),
            ("application/vnd.apache.parquet", "", "application/vnd.apache.parquet"),
            ("text/csv", "?format=jsonl", "application/jsonl"),
            ("image/png", "?format=csv", "text/csv; charset=utf-8"),
        ],
    )
    def test_it_is_what_the_query_says_or_else_what_is_accepted(self, bench, chest_png, accept, query, expected):
        """A link cannot send headers, so the query decides."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        bench.work()
        response = bench.client.get(f"/v1/jobs/{job_id}/results{query}", headers={"accept": accept})

        assert (200, expected) == (response.status_code, response.headers["content-type"])

    def test_a_type_that_nobody_offers_is_406(self, bench, chest_png):
        """With those there are."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        response = bench.client.get(f"/v1/jobs/{job_id}/results", headers={"accept": "image/png"})

        assert (406, "/problems/not-acceptable") == (response.status_code, response.json()["type"])
        assert "text/csv" in response.json()["detail"]

    @pytest.mark.parametrize("call", ["", "/results", "/events"])
    def test_a_parameter_that_nobody_knows_or_that_is_repeated_is_422(self, bench, chest_png, call):
        """Nothing is ignored."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        queries = ["foo=xml", *(["format=csv&format=jsonl"] if call == "/results" else [])]
        responses = [bench.client.get(f"/v1/jobs/{job_id}{call}?{query}") for query in queries]

        assert {(422, "/problems/invalid-request")} == {(r.status_code, r.json()["type"]) for r in responses}
        assert ["foo", "format"][: len(queries)] == [r.json()["errors"][0]["name"] for r in responses]


class TestLife:
    def test_a_cancelled_job_keeps_its_rows_and_gets_no_more(self, bench, chest_png):
        """200, and the job as it is."""
        job_id = bench.submit(*[(f"{number}.png", chest_png) for number in range(20)]).json()["id"]
        bench.work(chunks=1)
        body = bench.client.post(f"/v1/jobs/{job_id}/cancel").json()
        bench.work()

        assert ("cancelled", 8) == (body["state"], body["done"])
        assert 8 == len(bench.rows(job_id))

    def test_a_deleted_job_is_gone(self, bench, chest_png):
        """204, afterwards 410; no file is left."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]

        assert 204 == bench.client.delete(f"/v1/jobs/{job_id}").status_code
        assert 410 == bench.client.get(f"/v1/jobs/{job_id}").status_code
        assert [] == list(bench.store.folders("jobs"))

    def test_what_never_was_is_unknown(self, bench):
        """404, and not 410."""
        response = bench.client.get("/v1/jobs/nothing")

        assert (404, "/problems/unknown-job") == (response.status_code, response.json()["type"])

    def test_retention_lets_go_of_uploads_and_then_of_all(self, bench, chest_png):
        """Here both at once."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        bench.work()

        assert 1 == bench.reconciler.sweep()
        assert 410 == bench.client.get(f"/v1/jobs/{job_id}/results").status_code

    def test_events_tell_of_progress_until_the_end(self, bench, chest_png):
        """Server-sent events: the last is `end`."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        bench.work()
        response = bench.client.get(f"/v1/jobs/{job_id}/events")

        assert response.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in response.headers["cache-control"]
        assert ["event: progress", "event: end"] == [line for line in response.text.splitlines() if "event" in line]

    def test_events_of_a_job_that_is_not_there_are_its_problem(self, bench):
        """Before a stream begins."""
        response = bench.client.get("/v1/jobs/nothing/events")

        assert (404, "/problems/unknown-job") == (response.status_code, response.json()["type"])

    def test_events_end_with_a_job_that_is_deleted(self, bench, chest_png, monkeypatch):
        """`gone`, once it is noticed."""
        job_id = bench.submit(("a.png", chest_png)).json()["id"]
        monkeypatch.setattr("service.api.job_events._LOOK_EVERY_S", 0.01)
        asked, status = [], bench.ledger.status

        def delete_meanwhile(job_id):
            asked.append(job_id)
            if len(asked) == 3:
                bench.ledger.delete(job_id)
            return status(job_id)

        monkeypatch.setattr(bench.ledger, "status", delete_meanwhile)
        response = bench.client.get(f"/v1/jobs/{job_id}/events")

        assert ["event: progress", "event: gone"] == [line for line in response.text.splitlines() if "event" in line]
