"""What a dashboard is made of, as plain data; `grafana` turns it into Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """Grafana's names of units."""

    SECONDS = "s"
    RATIO = "percentunit"
    PER_SECOND = "reqps"
    COUNT = "short"
    BYTES = "bytes"


class Kind(StrEnum):
    """How a panel is drawn."""

    LINES = "lines"
    STACK = "stack"
    NUMBER = "number"


@dataclass(frozen=True)
class Query:
    """One expression.

    Attributes:
        expr: PromQL; `$namespace` and `$__rate_interval` are Grafana's to fill in.
        legend: template of a series' name.
    """

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: what is shown, in a few words.
        description: how to read it.
        unit: of all its queries.
        queries: what is drawn.
        kind: how.
        limit: a value above which it is drawn as too much, or None.
        empty_because: why it may show nothing in an installation that is well, or None.
    """

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    limit: float | None = None
    empty_because: str | None = None


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard.

    Attributes:
        name: of its file and, with a prefix, its uid.
        title: in the list of dashboards.
        description: which question it answers.
        rows: from top to bottom.
    """

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, from top to bottom."""
        return tuple(panel for row in self.rows for panel in row.panels)
