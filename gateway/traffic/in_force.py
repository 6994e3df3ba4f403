"""Puts file and store together: the store wins, rule by rule. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gateway.routing.definitions import ExperimentDefinition, ShadowDefinition, TrafficFile, to_json
from gateway.routing.plan import EMPTY_PLAN, Plan, make_plan
from gateway.routing.router import Traffic
from gateway.traffic.stored import Definition, Kind, RuleKey, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Origin(StrEnum):
    """Where a rule comes from."""

    FILE = "file"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Rule:
    """An experiment or a shadow, with where it comes from.

    Attributes:
        definition: it.
        origin: where from.
        etag: changes with the definition; for `If-Match`.
        has_file_twin: whether the file defines one of the same name, which the store's hides.
    """

    definition: Definition
    origin: Origin
    etag: str
    has_file_twin: bool


@dataclass(frozen=True, slots=True)
class InForce:
    """All rules, and what routing needs of them."""

    traffic: Traffic = Traffic(EMPTY_PLAN)  # noqa: RUF009 - a frozen value
    rules: Mapping[RuleKey, Rule] = field(default_factory=dict)


NOTHING_IN_FORCE: Final = InForce()


def merge(file: TrafficFile, stored: Stored) -> InForce:
    """Puts both together.

    Raises:
        TrafficPlanError: they cannot be in force together.
    """
    definitions: list[Definition] = [*file.experiments, *file.shadows]
    written = {key_of(each): each for each in definitions}
    rules = {
        key: Rule(each, Origin.FILE, _file_etag(each), has_file_twin=True)
        for key, each in written.items()
    }
    for key, rule in stored.rules.items():
        rules[key] = Rule(
            rule.definition, Origin.STORE, f'"store-{rule.version}"', has_file_twin=key in written
        )
    plan = plan_of((rule.definition for rule in rules.values()), file.layers)
    return InForce(Traffic(plan, stored.promoted), rules)


def plan_of(definitions: Iterable[Definition], layers: tuple[str, ...]) -> Plan:
    """Makes the plan of definitions of both kinds.

    Raises:
        TrafficPlanError: they cannot be in force together.
    """
    definitions = tuple(definitions)
    return make_plan(
        (each for each in definitions if isinstance(each, ExperimentDefinition)),
        (each for each in definitions if isinstance(each, ShadowDefinition)),
        layers,
    )


def key_of(definition: Definition) -> RuleKey:
    """Returns kind and name of a definition."""
    is_experiment = isinstance(definition, ExperimentDefinition)
    return (Kind.EXPERIMENT if is_experiment else Kind.SHADOW), definition.name


def _file_etag(definition: Definition) -> str:
    text = json.dumps(to_json(definition), sort_keys=True)
    return f'"file-{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
