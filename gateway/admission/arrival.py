"""What admission knows of a request when it decides, and the reasons it may give."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.value import value

if TYPE_CHECKING:
    from gateway.admission.deadline import Deadline


class Priority(StrEnum):
    """How urgent a request is."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Reason(StrEnum):
    """Why a request was refused."""

    CONCURRENCY = "concurrency_limit"
    DEADLINE = "deadline_unreachable"
    PRIORITY = "batch_deferred"
    RATE = "rate_limit"
    SHARE = "client_share"


@value
class Arrival:
    """What is known of a request before its body is read.

    Attributes:
        deadline: when it must be answered.
        priority: how urgent it is.
        client: who sends it; places are shared among clients.
        weight: the client's part of them relative to that of others.
        allows_degraded: whether the caller takes an answer from one of two inputs.
        is_reduced: whether it will be answered so, and so may go a little beyond the limit.
    """

    deadline: Deadline
    priority: Priority = Priority.INTERACTIVE
    client: str = ""
    weight: float = 1.0
    allows_degraded: bool = False
    is_reduced: bool = False
