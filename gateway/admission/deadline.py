"""How long a request may take, counted from the first byte of its head."""

from __future__ import annotations

from gateway.value import value


@value
class Deadline:
    """A budget of time that has begun to run.

    Attributes:
        arrived_s: when the request began to arrive, on the clock of `time.perf_counter`.
        budget_s: time from arrival to answer, in seconds.
    """

    arrived_s: float
    budget_s: float

    def left_s(self, now_s: float) -> float:
        """Returns what is left of the budget, in seconds; negative when it is overdrawn."""
        return self.budget_s - (now_s - self.arrived_s)

    def lowered_to(self, budget_s: float | None) -> Deadline:
        """Returns the deadline of a caller who allows `budget_s`: less counts, more does not."""
        if budget_s is None or budget_s >= self.budget_s:
            return self
        return Deadline(self.arrived_s, budget_s)
