"""Counts in one process what came of each arm. Called for every classification of an experiment.

Only what chance assigned is counted, and only what the drawn arm itself answered: overrides and
answers of a stand-in would make the arms different people.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from gateway.routing.reason import Reason
from gateway.tallies.tally import Tally, TallyKey, bucket_of

if TYPE_CHECKING:
    from gateway.routing.plan import Draw

OK: Final = "ok"
_NOT_THE_SERVICE: Final = frozenset({"input_fault", "cancelled"})
_SHED: Final = frozenset({"overloaded"})
_MAX_UNITS: Final = 100_000
"""Units that are remembered of an experiment, about 7 MB; further ones are not counted as units."""

_MAX_FAILED_UNITS: Final = 1000


class TallyRecorder:
    """The tallies of one process since its start."""

    def __init__(self) -> None:
        self._tallies: dict[TallyKey, Tally] = {}
        self._seen: dict[tuple[str, str], set[int]] = {}
        self._failed: dict[TallyKey, set[int]] = {}

    def observe(self, draw: Draw, variant: str, outcome: str, seconds: float | None) -> None:
        """Counts one classification.

        Args:
            draw: of the experiment.
            variant: that answered.
            outcome: `ok`, or what went wrong.
            seconds: from arrival to answer, or None without a good answer.
        """
        if draw.reason is not Reason.ASSIGNED or draw.arm != variant:
            return
        key = TallyKey(draw.experiment, draw.revision, draw.arm)
        if (tally := self._tallies.get(key)) is None:
            tally = self._tallies[key] = Tally(draw.share)
        if outcome == OK:
            tally.answers += 1
            if seconds is not None:
                bucket = bucket_of(1000 * seconds)
                tally.latency[bucket] = tally.latency.get(bucket, 0) + 1
        elif outcome in _SHED:
            tally.shed += 1
        elif outcome not in _NOT_THE_SERVICE:
            tally.failures += 1
            tally.failed_units += self._is_new_failure(key, draw)
        if outcome not in _NOT_THE_SERVICE:
            # Failed ones too: failures are the guardrails', and not missing units.
            tally.units += self._is_new_unit(draw)

    def tallies(self) -> dict[TallyKey, Tally]:
        """Returns all, as copies."""
        return {key: tally.copy() for key, tally in self._tallies.items()}

    def _is_new_unit(self, draw: Draw) -> bool:
        if not draw.is_sticky:
            return True
        place = draw.experiment, draw.revision
        if (seen := self._seen.get(place)) is None:
            # Units of earlier weights come no more.
            for other in [each for each in self._seen if each[0] == draw.experiment]:
                del self._seen[other]
            seen = self._seen[place] = set()
        return _is_new(seen, draw.drawn_for, _MAX_UNITS)

    def _is_new_failure(self, key: TallyKey, draw: Draw) -> bool:
        if not draw.is_sticky:
            return True
        return _is_new(self._failed.setdefault(key, set()), draw.drawn_for, _MAX_FAILED_UNITS)


def _is_new(seen: set[int], unit: str, most: int) -> bool:
    if len(seen) >= most:
        return False
    digest = hashlib.blake2b(unit.encode(), digest_size=8).digest()
    number = int.from_bytes(digest, "big")
    if number in seen:
        return False
    seen.add(number)
    return True
