"""The experiment and the shadow that bring a candidate to traffic: none of it at first.

The names are the recipe's, so that the next candidate takes the place of this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exporters.atomic import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

RULES: Final = "experiments.toml"


@dataclass(frozen=True)
class Rules:
    """How a candidate comes to traffic.

    Attributes:
        recipe: name of the recipe.
        control: the live variant.
        candidate: gets no unit until its ramp is started.
        shadow_share: of the control's requests that the candidate sees.
    """

    recipe: str
    control: str
    candidate: str
    shadow_share: float

    @property
    def name(self) -> str:
        """Of the experiment and of the shadow."""
        return f"retrained-{self.recipe}"[:63]

    @property
    def experiment(self) -> dict[str, Any]:
        """As the admin API takes it; the ramp is the default one."""
        arms = {self.control: {"weight": 1}, self.candidate: {"weight": 0}}
        return {"control": self.control, "arms": arms, "ramp": {}}

    @property
    def shadow(self) -> dict[str, Any]:
        """The same."""
        return {"candidate": self.candidate, "of": self.control, "share": self.shadow_share}


def write_rules(rules: Rules, folder: Path) -> Path:
    """Writes both as a file for `DIPTYCH_GATEWAY_EXPERIMENTS_FILE`, or a part of one."""
    text = f"""\
[[experiments]]
name = "{rules.name}"
control = "{rules.control}"
arms = {{ "{rules.control}" = {{ weight = 1 }}, "{rules.candidate}" = {{ weight = 0 }} }}
ramp = {{}}

[[shadows]]
name = "{rules.name}"
candidate = "{rules.candidate}"
of = "{rules.control}"
share = {rules.shadow_share}
"""
    with atomic_file(folder / RULES) as path:
        path.write_text(text, encoding="utf-8")
    return folder / RULES
