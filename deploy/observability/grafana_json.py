"""Turns a `Board` into the JSON that Grafana reads, through its own builders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from deploy.observability.panels import Kind

if TYPE_CHECKING:
    from deploy.observability.panels import Board, Panel

_DATASOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_NUMBER_SPAN, _NUMBER_HEIGHT = 4, 4
_LINES_SPAN, _LINES_HEIGHT = 12, 8


def to_json(board: Board) -> str:
    """Returns a dashboard's JSON, indented, with a line break at its end."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(f"diptych-{board.name}")
        .description(board.description)
        .tags(["diptych"])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
        .with_variable(
            dashboard.QueryVariable("namespace")
            .label("Namespace")
            .datasource(_DATASOURCE)
            .query("label_values(diptych_gateway_workers, namespace)")
            .refresh(models.VariableRefresh.ON_DASHBOARD_LOAD)
            .include_all(True)
            .all_value(".*")
            .current(models.VariableOption(text="All", value="$__all", selected=True))
        )
        .link(
            dashboard.DashboardLink("Diptych")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["diptych"])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    for row in board.rows:
        builder = builder.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            builder = builder.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    if panel.kind is Kind.NUMBER:
        drawn: stat.Panel | timeseries.Panel = (
            stat.Panel()
            .span(_NUMBER_SPAN)
            .height(_NUMBER_HEIGHT)
            .graph_mode(common.BigValueGraphMode.AREA)
            .reduce_options(parts.ReduceDataOptions().calcs(["lastNotNull"]))
        )
    else:
        stacking = (
            common.StackingMode.NORMAL if panel.kind is Kind.STACK else common.StackingMode.NONE
        )
        drawn = (
            timeseries.Panel()
            .span(_LINES_SPAN)
            .height(_LINES_HEIGHT)
            .line_width(1)
            .fill_opacity(20 if panel.kind is Kind.STACK else 0)
            .show_points(common.VisibilityMode.NEVER)
            .stacking(parts.StackingConfig().mode(stacking).group("A"))
        )
    drawn = (
        drawn.title(panel.title)
        .description(panel.description)
        .datasource(_DATASOURCE)
        .unit(panel.unit)
        .min(0)
    )
    if panel.limit is not None:
        drawn = drawn.thresholds(
            dashboard.ThresholdsConfig()
            .mode(models.ThresholdsMode.ABSOLUTE)
            .steps(
                [
                    models.Threshold(value=None, color="green"),
                    models.Threshold(value=panel.limit, color="red"),
                ]
            )
        )
    if panel.empty_because is not None:
        drawn = drawn.no_value(panel.empty_because)
    for number, query in enumerate(panel.queries):
        drawn = drawn.with_target(
            prometheus.Dataquery()
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + number))
        )
    return drawn
