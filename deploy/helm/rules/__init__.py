"""What schemas miss: each rule says what must hold of a rendered chart, and finds what does not.

A rule is a function from the objects to `(subject, what)`; its docstring's first line is what must
hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.helm.finding import Finding
from deploy.helm.rules import capacity, network, references, scaling, shutdown, wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deploy.helm.objects import Chart

    Rule = Callable[[Chart], Iterator[tuple[str, str]]]

RULES: Final[Sequence[Rule]] = (
    *wiring.RULES,
    *references.RULES,
    *capacity.RULES,
    *shutdown.RULES,
    *scaling.RULES,
    *network.RULES,
)
"""All rules."""


def judge(chart: Chart, rules: Sequence[Rule] = RULES) -> Iterator[Finding]:
    """Yields all that the rules find."""
    for rule in rules:
        for subject, what in rule(chart):
            yield Finding(rule.__name__.replace("_", "-"), subject, what)
