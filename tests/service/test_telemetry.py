"""Log lines: one JSON object each, with the request they belong to."""

import json
import logging

from service.telemetry import JsonFormatter, request_id


def line(message, *values, name="service.test", **extra):
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, values, None)
    for key, value in extra.items():
        setattr(record, key, value)
    return json.loads(JsonFormatter().format(record))


def test_a_line__says_when_who_and_what():
    """Parsers rely on these names."""
    said = line("decoder replaced", fields={"reason": "age", "files": 200})

    assert {"level": "INFO", "logger": "service.test", "event": "decoder replaced"}.items() <= said.items()
    assert {"reason": "age", "files": 200}.items() <= said.items()
    assert said["time"].endswith("+00:00")
    assert "request_id" not in said


def test_a_line__belongs_to_its_request():
    """Also where code knows nothing of requests."""
    token = request_id.set("abc")
    try:
        assert "abc" == line("x")["request_id"]
    finally:
        request_id.reset(token)


def test_celery__says_where_it_is_connected():
    """Its loggers that speak when a worker starts, and no other: what those say comes from wherever it comes."""
    assert (
        "Connected to redis://r/0"
        == line("Connected to %s", "redis://r/0", name="celery.worker.consumer.connection")["event"]
    )
    assert "w@host ready." == line("%s ready.", "w@host", name="celery.apps.worker")["event"]
    assert "message %s" == line("message %s", "Canary", name="celery.worker.consumer.consumer")["event"]


def test_a_line__stays_one_line():
    """Whatever is in it: a log cannot be forged."""
    said = JsonFormatter().format(
        logging.LogRecord("service.test", logging.INFO, "", 1, 'a\n{"level": "ERROR"}', (), None)
    )

    assert 1 == len(said.splitlines())
