"""Structured logs: one JSON object a line with an event name and fields.

Payloads, keys and the text of exceptions are never written: an exception is its type and the places
it passed through.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS: Final = "event_fields"


def log_event(
    logger: logging.Logger,
    level: int,
    event: str,
    *,
    error: BaseException | None = None,
    **fields: object,
) -> None:
    """Writes one event.

    Args:
        logger: of the module that writes.
        level: of the standard library, for example `logging.INFO`.
        event: name in snake case; stable, for it is searched for.
        error: an exception that belongs to the event.
        **fields: further fields; JSON values.
    """
    if logger.isEnabledFor(level):
        logger.log(level, event, exc_info=error, extra={_FIELDS: fields})


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, event, and the event's fields.

    Args:
        fields: stand in every line, as a worker's number does.
    """

    def __init__(self, fields: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._fields = dict(fields or {})

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of one record, without a line break."""
        fields = getattr(record, _FIELDS, None)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **self._fields,
        }
        if fields is None:  # a library's line: its text is a field, not an event
            line |= {"event": "library_message", "message": record.getMessage()}
        else:
            line |= {"event": record.msg, **fields}
        if record.exc_info and record.exc_info[1] is not None:
            line |= _describe(record.exc_info[1])
        return json.dumps(line, default=str, ensure_ascii=False)


def _describe(error: BaseException) -> dict[str, object]:
    while isinstance(error, BaseExceptionGroup):  # of a task group: the first says enough
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 5:
        chain.append(type(cause).__name__)
        cause = cause.__cause__
    return {
        "error": chain,
        "trace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


def configure_logs(
    level: str, stream: IO[str] | None = None, fields: Mapping[str, object] | None = None
) -> None:
    """Sends every logger of the process to one stream of JSON lines.

    Args:
        level: least severe level that is written, for example "INFO".
        stream: where to; standard output when None.
        fields: stand in every line.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(fields))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It warns for each malformed upload, with an excerpt; the answer and the metric say it better.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # It tells at each look at the schema which kind of database it is.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Start and stop are events of our own.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))
