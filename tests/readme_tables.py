"""The READMEs' tables, made from the code; `python -m tests.readme_tables` writes them there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

from exporters.compression.methods import METHODS
from exporters.doctor.rules import RULES
from exporters.heads import HEADS
from exporters.recipe_reference import describe_keys
from gateway import settings as gateway_settings
from gateway.api.problems import KINDS
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing import names
from loadtest.traffic.scenario import Limits, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT: Final = Path(__file__).parents[1]
READMES: Final = (
    *(ROOT / folder / "README.md" for folder in (".", "exporters", "gateway", "loadtest")),
    *(ROOT / "gateway" / name for name in ("TRAFFIC.md", "FEEDBACK.md", "REFERENCE.md")),
)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def recipe_keys() -> str:
    rows = ((f"`{k.name}`", k.type, f"`{k.default}`", k.description) for k in describe_keys())
    return table(("key", "takes", "default", "meaning"), rows)


def fusion_heads() -> str:
    rows = []
    for name, head in HEADS.items():
        module = sys.modules[head.__module__]
        what = (module.__doc__ or "").strip().splitlines()[0]
        rows.append((f"[`{name}`](heads/{name}.py)", what))
    return table(("`head.type`", "what"), rows)


def compression_methods() -> str:
    rows = (
        (
            f"`{name}`",
            " or ".join(method.sides),
            method.summary,
            "; ".join(f"`{key}`: {each.meaning} ({each})" for key, each in method.settings.items()),
        )
        for name, method in METHODS.items()
    )
    return table(("method", "encoder", "what", "settings"), rows)


def gateway_variables() -> str:
    rows = (
        (
            f"`{gateway_settings.env_name(name)}`",
            "unset" if field.default in (None, ()) else f"`{field.default}`",
            field.description or "",
        )
        for name, field in gateway_settings.Settings.model_fields.items()
    )
    return table(("variable", "default", "meaning"), rows)


def metrics() -> str:
    rows = []
    for family in Metrics(CollectorRegistry()).registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, family.documentation))
    return table(("metric", "type", "meaning"), rows)


def problems() -> str:
    rows = []
    for error, kind in KINDS.items():
        meaning = (error.__doc__ or "").strip().splitlines()[0]
        rows.append((f"`{kind.type_uri}`", str(kind.status), kind.grpc_status.name, meaning))
    return table(("type", "HTTP", "gRPC", "when"), rows)


def spans() -> str:
    return table(("span", "what"), names.SPANS.items())


def span_attributes() -> str:
    rows = ((f"`{name}`", what) for name, what in names.ATTRIBUTES.items())
    return table(("attribute", "says"), rows)


def doctor_rules() -> str:
    rows = ((f"`{rule.code}`", rule.severity.value, rule.summary) for rule in RULES)
    return table(("code", "severity", "finds"), rows)


def scenario_keys() -> str:
    fields = [(name, field) for name, field in Scenario.model_fields.items() if name != "limits"]
    fields += [(f"limits.{name}", field) for name, field in Limits.model_fields.items()]
    rows = (
        (
            f"`{name}`",
            "needed" if field.is_required() else f"`{field.default}`",
            field.description or "",
        )
        for name, field in fields
    )
    return table(("key", "default", "meaning"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "recipe": recipe_keys,
    "heads": fusion_heads,
    "compression": compression_methods,
    "settings": gateway_variables,
    "metrics": metrics,
    "problems": problems,
    "spans": spans,
    "span attributes": span_attributes,
    "doctor": doctor_rules,
    "scenario": scenario_keys,
}


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- table: {name} -->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


def shown(readme: str, name: str) -> str | None:
    """Returns the table that a text shows between its marks, or None without marks."""
    match = _block(name).search(readme)
    return match.group(2) if match else None


def refreshed(readme: str) -> str:
    """Returns a text with every table in it as the code has it."""
    for name, make in TABLES.items():
        old = shown(readme, name)
        if old is not None:
            readme = readme.replace(
                f"<!-- table: {name} -->\n{old}", f"<!-- table: {name} -->\n{make()}"
            )
    return readme


if __name__ == "__main__":
    for each in READMES:
        each.write_text(refreshed(each.read_text(encoding="utf-8")), encoding="utf-8")
