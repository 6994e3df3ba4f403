"""The span that a request is in, for those who have something to say of it.

A span is begun by `stage`, at the place whose time it measures, as a child of the one that is
current in the task; tasks inherit it. While tracing is off, or a request is not sampled, that is
`NULL_SPAN`, whose children are itself.
"""

from __future__ import annotations

from contextvars import ContextVar
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

Value: TypeAlias = str | int | float | bool | None
"""Of an attribute; one that is None is left out."""

Headers: TypeAlias = tuple[tuple[str, str], ...]


class SpanKind(Enum):
    """Where the work of a span is done."""

    INTERNAL = auto()
    CLIENT = auto()


class Span(Protocol):
    """A piece of a request's time. As a context manager it is current within, and ends with it.

    An exception that leaves it is noted by its code or class alone.
    """

    @property
    def trace_id(self) -> str | None:
        """Of the whole trace, 32 hexadecimal digits; None while tracing is off."""

    @property
    def headers(self) -> Headers | None:
        """What a call sends along so that its server continues the trace; None: nothing."""

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Adds attributes, named in `names`."""

    def child(self, name: str, kind: SpanKind, attributes: Mapping[str, Value]) -> Span:
        """Begins a span within this one."""

    def __enter__(self) -> Span: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ServerSpan(Span, Protocol):
    """The span of a whole request. It is current within its block, and ended by `end`."""

    def end(self, name: str, *, is_failure: bool) -> None:
        """Ends it.

        Args:
            name: known only now, with the route.
            is_failure: whether the service is to blame for how it ended.
        """


class _NullSpan:
    """Stands for every span that is not recorded."""

    trace_id: str | None = None
    headers: Headers | None = None

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Does nothing."""

    def child(self, name: str, kind: SpanKind, attributes: Mapping[str, Value]) -> Span:
        """Returns itself."""
        return self

    def end(self, name: str, *, is_failure: bool) -> None:
        """Does nothing."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


NULL_SPAN: Final[ServerSpan] = _NullSpan()

CURRENT: Final[ContextVar[Span]] = ContextVar("diptych_span", default=NULL_SPAN)
"""Set by spans alone."""

_NO_ATTRIBUTES: Final[Mapping[str, Value]] = {}


def current_span() -> Span:
    """Returns the span that the calling task is in."""
    return CURRENT.get()


def stage(
    name: str,
    attributes: Mapping[str, Value] = _NO_ATTRIBUTES,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Span:
    """Begins a span within the current one; to be used as a context manager."""
    return CURRENT.get().child(name, kind, attributes)


class Tracer(Protocol):
    """Begins the spans of requests."""

    def begin(
        self,
        name: str,
        said: Mapping[str, str],
        began_s: float,
        attributes: Mapping[str, Value],
    ) -> ServerSpan:
        """Begins the span of a request, within its caller's where it says so.

        Args:
            name: until it ends.
            said: headers or metadata by name in lower case.
            began_s: when the request began to arrive, by `time.perf_counter`.
            attributes: those that a sampler may decide by.
        """

    async def close(self) -> None:
        """Sends what is not sent yet, for a few seconds at most."""


class NullTracer:
    """The tracer while tracing is off."""

    def begin(
        self,
        name: str,
        said: Mapping[str, str],
        began_s: float,
        attributes: Mapping[str, Value],
    ) -> ServerSpan:
        """Returns what stands for no span."""
        return NULL_SPAN

    async def close(self) -> None:
        """Does nothing."""
