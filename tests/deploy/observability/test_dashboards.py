"""The dashboards: files that are what the code makes, of expressions that Prometheus can read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

from deploy.observability.boards import BOARDS
from deploy.observability.grafana_json import to_json
from gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from deploy.observability.panels import Board

OBSERVABILITY = Path(__file__).parents[3] / "deploy" / "observability"
EXPRESSIONS = [
    pytest.param(query.expr, id=f"{board.name}: {panel.title}, {query.legend}")
    for board in BOARDS
    for panel in board.panels
    for query in panel.queries
]


def filled_in(expression: str) -> str:
    """As Grafana sends it, with all namespaces."""
    return expression.replace("$namespace", ".*").replace("$__rate_interval", "1m")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_dashboard_file_is_what_the_code_makes(board: Board) -> None:
    written = (OBSERVABILITY / "dashboards" / f"{board.name}.json").read_text(encoding="utf-8")

    assert written == to_json(board), "run: make dashboards"


def test_there_is_no_other_dashboard_file() -> None:
    files = {path.stem for path in (OBSERVABILITY / "dashboards").iterdir()}

    assert files == {board.name for board in BOARDS}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_panels_lie_on_the_grid_without_overlap(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(to_json(board))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_parses_and_keeps_to_the_namespace(expression: str) -> None:
    promql_parser.parse(filled_in(expression))

    selectors = re.findall(r"\{([^}]*)\}", expression)
    assert selectors
    assert all('namespace=~"$namespace"' in selector for selector in selectors)


def test_expressions_name_metrics_that_exist() -> None:
    declared: set[str] = set()
    for family in Metrics(CollectorRegistry()).registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_count", "_bucket", "_sum")}
        declared |= {family.name + ending for ending in endings.get(family.type, ("",))}
    recording = yaml.safe_load((OBSERVABILITY / "rules" / "recording.yaml").read_text("utf-8"))
    recorded = {rule["record"] for group in recording["groups"] for rule in group["rules"]}

    named: set[str] = set()
    for parameter in EXPRESSIONS:
        (expression,) = parameter.values
        named |= set(re.findall(r"\bdiptych[:_][a-z0-9_:]+", str(expression)))

    assert named <= declared | recorded


def test_provisioning_looks_where_compose_mounts_the_dashboards() -> None:
    provisioning = OBSERVABILITY / "grafana" / "provisioning" / "dashboards" / "diptych.yaml"
    path = yaml.safe_load(provisioning.read_text("utf-8"))["providers"][0]["options"]["path"]
    compose = yaml.safe_load((OBSERVABILITY.parents[1] / "docker-compose.yml").read_text("utf-8"))

    mounts = compose["services"]["grafana"]["volumes"]
    assert f"./deploy/observability/dashboards:{path}:ro" in mounts
