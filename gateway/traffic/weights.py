"""Weights of variants in experiments: where one is set, and how a variant is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import ConflictError
from gateway.routing.definitions import ArmDefinition, ExperimentDefinition
from gateway.traffic.ledger import experiments_with
from gateway.traffic.stored import Kind

if TYPE_CHECKING:
    from gateway.traffic.in_force import Rule
    from gateway.traffic.ledger import Ledger


def experiment_of(ledger: Ledger, variant: str, experiment: str | None) -> Rule:
    """Returns the experiment in which the weight of a variant is to be set.

    Args:
        ledger: of the change.
        variant: an arm.
        experiment: its name; None: the only running one that has the variant.

    Raises:
        ConflictError: it has no such arm, or none or several have it.
        UnknownRuleError: there is no such experiment.
    """
    if experiment is not None:
        rule = ledger.rule((Kind.EXPERIMENT, experiment))
        definition = rule.definition
        if isinstance(definition, ExperimentDefinition) and variant in definition.arms:
            return rule
        raise ConflictError("not_an_arm", f"{experiment} has no arm {variant}.", field="experiment")
    rules = experiments_with(ledger.in_force, variant)
    if len(rules) == 1:
        return rules[0]
    if not rules:
        raise ConflictError(
            "no_experiment", f"No running experiment has the arm {variant}.", field="variant"
        )
    names = ", ".join(rule.definition.name for rule in rules)
    raise ConflictError(
        "several_experiments",
        f"Several running experiments have the arm {variant}: name one of {names}.",
        field="experiment",
    )


def weighted(rule: Rule, variant: str, weight: float) -> ExperimentDefinition:
    """Returns an experiment with another weight of one arm.

    Raises:
        ConflictError: no arm would have a weight above 0.
    """
    definition = rule.definition
    assert isinstance(definition, ExperimentDefinition)  # noqa: S101 - for the type
    arms = dict(definition.arms)
    arms[variant] = ArmDefinition(weight=weight, digest=arms[variant].digest)
    if not any(arm.weight > 0 for arm in arms.values()):
        raise ConflictError(
            "no_weight_left",
            "No arm would have a weight above 0: stop the experiment instead.",
            field="weight",
        )
    return definition.model_copy(update={"arms": arms})


def withdraw(ledger: Ledger, variant: str) -> tuple[list[str], list[str]]:
    """Takes a variant out of the running experiments; returns those stopped and those emptied."""
    stopped, emptied = [], []
    for rule in experiments_with(ledger.in_force, variant):
        definition = rule.definition
        assert isinstance(definition, ExperimentDefinition)  # noqa: S101 - for the type
        others = sum(arm.weight for name, arm in definition.arms.items() if name != variant)
        if definition.control == variant or not others:
            ledger.put(definition.model_copy(update={"is_running": False}), "stop")
            stopped.append(definition.name)
        elif definition.arms[variant].weight > 0:
            ledger.put(weighted(rule, variant, 0.0), "weight")
            emptied.append(definition.name)
    return stopped, emptied
