"""Decides which variant answers a request.

In this order: the variant that the request names, which no experiment overrides; the draw of the
first experiment that takes the subject; the promoted variant; the one in the settings; the newest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.contract.manifest import VariantKind
from gateway.routing.choice import choose_variant
from gateway.routing.gates import Gate, gates_of
from gateway.routing.reason import Reason
from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.catalog import Catalog, Variant
    from gateway.routing.plan import Draw, Plan
    from gateway.routing.subject import Subject

_SUSPENSION_S: Final = 5.0


@value
class Decision:
    """Which variant answers, and why.

    Attributes:
        variant: it.
        reason: why it.
        draw: what the experiment drew, or None outside of experiments. Its arm is not the variant
            where `gate` says why.
        gate: why the drawn arm may not serve, or None.
    """

    variant: Variant
    reason: Reason
    draw: Draw | None = None
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is in force beside the settings.

    Attributes:
        plan: experiments and shadows.
        promoted: the variant that an admin made the default, or None.
    """

    plan: Plan
    promoted: str | None = None


class Router:
    """Decides for one process.

    Args:
        catalog: returns what is served now.
        traffic: returns what is in force now.
        default_variant: of the settings, or None.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        traffic: Callable[[], Traffic],
        default_variant: str | None,
        clock: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._traffic = traffic
        self._default_variant = default_variant
        self._clock = clock
        self._gates: Mapping[tuple[str, str], str] = {}
        self._gates_of: tuple[Catalog, Plan] | None = None
        self._defaults: dict[VariantKind, Decision] = {}
        self._defaults_of: tuple[Catalog, Traffic] | None = None
        self._suspended_until_s: dict[tuple[str, str], float] = {}
        self._held_back: frozenset[tuple[str, str]] = frozenset()

    def decide(
        self,
        requested: str | None,
        subject: Subject,
        kind: VariantKind = VariantKind.CLASSIFIER,
    ) -> Decision:
        """Decides.

        Args:
            requested: the variant that the request names, or None.
            subject: whom it is for.
            kind: of variant that can answer it: one with labels of its own, or a dual tower when
                the request brings labels. Counts where the request names no variant.

        Raises:
            UnknownVariantError: the request names a variant that does not exist.
            VariantUnavailableError: what should answer is not served now.
        """
        catalog, traffic = self._catalog(), self._traffic()
        if requested is None and traffic.plan.experiments:
            draw = traffic.plan.draw(subject, self._clock())
            decision = None if draw is None else self._follow(draw, catalog, traffic.plan)
            if decision is not None and decision.variant.kind is kind:
                return decision
        if requested is not None:
            return Decision(choose_variant(catalog, requested, None), Reason.REQUESTED)
        return self._default(catalog, traffic, kind)

    def gate(self, decision: Decision) -> Decision | None:
        """Keeps traffic from an arm that turned out not to be served, for five seconds.

        By then the catalog knows, or it was a passing thing.

        Args:
            decision: that sent a request there.

        Returns:
            The decision for the control in its place; None when that is not served either, or the
            request was in no experiment.
        """
        if decision.draw is None or decision.gate is not None:
            return None
        arm = decision.draw.experiment, decision.draw.arm
        self._suspended_until_s[arm] = self._clock() + _SUSPENSION_S
        return self._follow(decision.draw, self._catalog(), self._traffic().plan)

    def default(self) -> Decision:
        """Decides for a request that names no variant and is in no experiment.

        Raises:
            VariantUnavailableError: what should answer is not served now.
        """
        return self._default(self._catalog(), self._traffic(), VariantKind.CLASSIFIER)

    def hold_back(self, arms: frozenset[tuple[str, str]]) -> None:
        """Keeps traffic from arms, by experiment and variant, and from no others; until told anew.

        Their controls answer, as for any arm that may not serve.
        """
        self._held_back = arms

    @property
    def plan(self) -> Plan:
        """Experiments and shadows that are in force."""
        return self._traffic().plan

    def gates(self) -> Mapping[tuple[str, str], str]:
        """Returns the reason of each arm that gets no traffic, by experiment and arm."""
        suspended = {
            arm: str(Gate.NOT_SERVED) for arm in self._suspended_until_s if self._is_suspended(arm)
        }
        held_back = dict.fromkeys(self._held_back, str(Gate.GUARDRAIL))
        return held_back | suspended | dict(self._gates_in(self._catalog(), self._traffic().plan))

    def _follow(self, draw: Draw, catalog: Catalog, plan: Plan) -> Decision | None:
        gates = self._gates_in(catalog, plan)
        gate = gates.get((draw.experiment, draw.arm))
        if gate is None and self._is_suspended((draw.experiment, draw.arm)):
            gate = Gate.NOT_SERVED
        if gate is None and (draw.experiment, draw.arm) in self._held_back:
            gate = Gate.GUARDRAIL
        if gate is None:
            return Decision(catalog.variants[draw.arm], draw.reason, draw)
        control = plan.control_of(draw.experiment)
        if control is None or control == draw.arm or (draw.experiment, control) in gates:
            return None  # nothing of the experiment may serve this unit: it is as if not in it
        return Decision(catalog.variants[control], Reason.ARM_GATED, draw, gate)

    def _is_suspended(self, arm: tuple[str, str]) -> bool:
        until_s = self._suspended_until_s.get(arm)
        return until_s is not None and self._clock() < until_s

    def _gates_in(self, catalog: Catalog, plan: Plan) -> Mapping[tuple[str, str], str]:
        # Both are replaced when they change, never changed themselves.
        known = self._gates_of
        if known is None or known[0] is not catalog or known[1] is not plan:
            self._gates, self._gates_of = gates_of(catalog, plan), (catalog, plan)
        return self._gates

    def _default(self, catalog: Catalog, traffic: Traffic, kind: VariantKind) -> Decision:
        # As with the gates; most requests ask for it.
        known = self._defaults_of
        if known is None or known[0] is not catalog or known[1] is not traffic:
            self._defaults, self._defaults_of = {}, (catalog, traffic)
        if (decision := self._defaults.get(kind)) is None:
            decision = self._defaults[kind] = self._find_default(catalog, traffic, kind)
        return decision

    def _find_default(self, catalog: Catalog, traffic: Traffic, kind: VariantKind) -> Decision:
        promoted = catalog.variants.get(traffic.promoted or "")
        if promoted is not None and promoted.kind is kind:
            return Decision(promoted, Reason.PROMOTED)
        variant = choose_variant(catalog, None, self._default_variant, kind)
        is_configured = variant.name == self._default_variant
        return Decision(variant, Reason.CONFIGURED if is_configured else Reason.NEWEST)
