"""The fastest variant within a loss: both encoders in every way that is worth a try.

Each encoder is prepared on its own, so a dozen settings make a hundred pairs, and a pair costs a
pass of the head over cached features. The validation split chooses; the held-out split is looked at
once, for the pair that was chosen. What was prepared is kept: an interrupted search goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import filterfalse, product
from typing import TYPE_CHECKING, Final

from exporters.compression.compressed_encoder import (
    CompressedEncoder,
    features_of_both,
    prepare_encoder,
)
from exporters.compression.encoder_side import sides_of
from exporters.compression.errors import InvalidStepError
from exporters.compression.judgement import Costs, judge, refit_head, worst_loss
from exporters.compression.side import Side
from exporters.compression.step import Step, parse_steps, steps_of
from exporters.compression.timing import SideTimes, time_in_turns
from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporters.compression.encoder_side import EncoderSide
    from exporters.training import TrainedVariant
    from exporters.workspace import Workspace

_ROUNDING: Final = 1e-9
_INT8: Final = "int8:sensitivity=0"
_INT8_OF_MORE: Final = "int8:samples=512,sensitivity=0"
"""Ranges of four times as many examples: no slower, and sometimes a point nearer."""

# fp16 is slower than fp32 on a CPU, and zeros among dense weights are no quicker: neither is tried.
# Dynamic int8 is left out because its answers do not repeat.
CANDIDATES: Final[Mapping[Side, tuple[tuple[str, ...], ...]]] = {
    Side.TEXT: (
        (),
        ("int8",),
        (_INT8_OF_MORE,),
        ("int8:leave_out=2",),
        ("prune-structure:epochs=0", _INT8),
        ("low-rank", _INT8),
        ("prune-structure", _INT8),
        ("prune-structure:keep=0.6", _INT8),
        ("distil", _INT8),
    ),
    Side.IMAGE: (
        (),
        ("int8",),
        (_INT8_OF_MORE,),
        ("int8:leave_out=2",),
        ("low-rank", _INT8),
        ("prune-structure:epochs=0", _INT8),
        ("prune-structure:epochs=0,keep=0.65", _INT8),
    ),
}
"""Chains of steps for each encoder; those that its family does not take are left out."""


@dataclass(frozen=True)
class Point:
    """One pair of encoders that was tried.

    Attributes:
        encoders: both, by side.
        has_refitted_head: whether the head was fitted again, or is the original's.
        costs: on the validation split.
        encode_ms: processor time of both encoders for one request.
    """

    encoders: Mapping[Side, CompressedEncoder]
    has_refitted_head: bool
    costs: Costs
    encode_ms: float

    @property
    def loss(self) -> float:
        """The largest loss of any set of modalities, on the validation split."""
        return worst_loss(self.costs)

    def is_within(self, loss: float) -> bool:
        """Whether no set of modalities loses more."""
        return self.loss <= loss + _ROUNDING

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was done to both, each step on its side."""
        chains = ((side, encoder.steps) for side, encoder in self.encoders.items())
        return tuple(Step(step.method, (side,), step.settings) for side, c in chains for step in c)


@dataclass(frozen=True)
class Search:
    """What was tried, and what was chosen.

    Attributes:
        within: largest loss of accuracy that was allowed, for every set of modalities.
        points: all pairs, with both heads.
        chosen: the fastest within the loss; the original when nothing else is.
        times: of all graphs, by side.
        left_out: chains that an encoder's family does not take, with the reason.
    """

    within: float
    points: tuple[Point, ...]
    chosen: Point
    times: Mapping[Side, SideTimes]
    left_out: tuple[str, ...]

    @property
    def original(self) -> Point:
        """The pair without any step."""
        return next(point for point in self.points if not point.steps)

    @property
    def possible(self) -> int:
        """Pairs and heads that the candidates make, tried or not."""
        text, image = (len(CANDIDATES[side]) for side in (Side.TEXT, Side.IMAGE))
        return 2 * text * image - 1  # the original has one head


def search(
    original: TrainedVariant,
    within: float,
    workspace: Workspace,
    candidates: Mapping[Side, Sequence[Sequence[str]]] = CANDIDATES,
    *,
    has_training: bool = True,
) -> Search:
    """Tries all pairs of candidates.

    Args:
        original: a trained variant.
        within: largest loss of accuracy, 0 to 1, that any set of modalities may have.
        workspace: where encoders are kept.
        candidates: chains of steps, by side; the empty chain is the original.
        has_training: whether chains with training steps are tried, which take minutes each.
    """
    if not has_training:
        candidates = {side: tuple(filterfalse(_trains, candidates[side])) for side in Side}
    prepared: dict[Side, list[CompressedEncoder]] = {}
    left_out: list[str] = []
    for side in sides_of(original):
        prepared[side.side] = _prepare(side, candidates[side.side], workspace, left_out)
    times = {
        side.side: time_in_turns({each.name: each.graph for each in prepared[side.side]}, side)
        for side in sides_of(original)
    }
    points = _pairs(original, prepared, times)
    refitted = _refit_until_within(original, points, within)
    points += refitted
    allowed = [point for point in points if point.is_within(within)]
    chosen = min(allowed, key=lambda point: (point.encode_ms, point.loss))
    return Search(within, tuple(points), chosen, times, tuple(left_out))


def _trains(chain: Sequence[str]) -> bool:
    """Whether a step of a chain trains the encoder."""
    return any(step.values.get("epochs", 0) > 0 for step in parse_steps(chain))


def pareto_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Points that no other beats in both time and loss, quickest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda each: (each.encode_ms, each.loss)):
        if not front or point.loss < front[-1].loss:
            front.append(point)
    return tuple(front)


def _prepare(
    side: EncoderSide,
    chains: Sequence[Sequence[str]],
    workspace: Workspace,
    left_out: list[str],
) -> list[CompressedEncoder]:
    encoders = []
    for chain in chains:
        steps = steps_of(parse_steps(chain), side.side)
        try:
            encoders.append(prepare_encoder(side, steps, workspace))
        except InvalidStepError as error:
            left_out.append(f"{side.side}, {' + '.join(chain)}: {error.reason}")
    return encoders


def _pairs(
    original: TrainedVariant,
    prepared: Mapping[Side, Sequence[CompressedEncoder]],
    times: Mapping[Side, SideTimes],
) -> list[Point]:
    """Every pair with the original's head, quickest first."""
    rows = original.split.validation
    points = []
    for text, image in product(prepared[Side.TEXT], prepared[Side.IMAGE]):
        encoders = {Side.TEXT: text, Side.IMAGE: image}
        encode_ms = sum(times[side].encode_ms[each.name] for side, each in encoders.items())
        costs = judge(original, features_of_both(encoders), original.head, rows)
        points.append(Point(encoders, has_refitted_head=False, costs=costs, encode_ms=encode_ms))
    return sorted(points, key=lambda point: point.encode_ms)


def _refit_until_within(
    original: TrainedVariant, points: Sequence[Point], within: float
) -> list[Point]:
    """Fits the head again for pair after pair, until a slower one could not be chosen any more."""
    refitted: list[Point] = []
    with progress("Fitting heads of pairs, quickest first", len(points)) as advance:
        for point in points:
            if point.is_within(within) or (refitted and refitted[-1].is_within(within)):
                break
            features = features_of_both(point.encoders)
            head = refit_head(original, features)
            costs = judge(original, features, head, original.split.validation)
            refitted.append(replace(point, has_refitted_head=True, costs=costs))
            advance(note=f"loses {100 * refitted[-1].loss:.1f} points")
    return refitted
