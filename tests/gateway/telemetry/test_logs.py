from __future__ import annotations

import io
import json
import logging

import pytest

from gateway.telemetry.logs import JsonFormatter, log_event


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> logging.Logger:
    logger = logging.Logger("test")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    return logger


def test_log_event_is_one_json_line(logger: logging.Logger, stream: io.StringIO) -> None:
    log_event(logger, logging.INFO, "request", request_id="r1", code="200")
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert (fields["event"], fields["level"], fields["request_id"]) == ("request", "info", "r1")


def test_log_event_error_is_type_and_places_without_its_text(
    logger: logging.Logger, stream: io.StringIO
) -> None:
    try:
        try:
            raise ValueError("payload")
        except ValueError as cause:
            raise RuntimeError("payload") from cause
    except RuntimeError as error:
        log_event(logger, logging.ERROR, "failed", error=error)
    fields = json.loads(stream.getvalue())
    assert fields["error"] == ["RuntimeError", "ValueError"]
    assert "test_logs.py" in fields["trace"][-1]
    assert "payload" not in stream.getvalue()


def test_library_message_is_a_field(logger: logging.Logger, stream: io.StringIO) -> None:
    logger.warning("%d of %s", 3, "x")
    assert json.loads(stream.getvalue())["message"] == "3 of x"
