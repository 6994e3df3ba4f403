"""Shows a share of the requests to candidates too, after they were answered.

Off the caller's path and never at its cost: a request is drawn when its answer is already made, the
call has a limit and a deadline of its own, and none is begun, and those that run are cancelled,
when half of the places under admission's limit are taken. It is one try on one server, and what
comes of it says nothing of that server's health. Nothing of the request outlives the call.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gateway.classification.outputs import probabilities
from gateway.classification.values import Scores
from gateway.contract import tensors
from gateway.errors import GatewayError, VariantUnavailableError
from gateway.pools.call_span import call_span
from gateway.pools.endpoint import EndpointState
from gateway.reuse.source import Source
from gateway.routing.hashing import uniform
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import stage
from gateway.triton.outputs import read_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.classification.values import Classification, ClassifyRequest
    from gateway.contract.manifest import ModalitySet
    from gateway.pools.fleet import Fleet
    from gateway.routing.definitions import ShadowDefinition
    from gateway.routing.router import Traffic
    from gateway.telemetry.shadow_metrics import ShadowMetrics


class Room(Protocol):
    """Says whether there is room for work that nobody waits for; admission does."""

    @property
    def has_slack(self) -> bool:
        """Whether the service is far from its limit."""


class Shadows:
    """All shadows of one process.

    Args:
        fleet: the servers.
        traffic: returns what is in force.
        room: is asked before each call.
        metrics: where comparisons go.
        clock: reads seconds, as `time.perf_counter` does.
    """

    def __init__(
        self,
        fleet: Fleet,
        traffic: Callable[[], Traffic],
        room: Room,
        metrics: ShadowMetrics,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._fleet = fleet
        self._traffic = traffic
        self._room = room
        self._metrics = metrics
        self._clock = clock
        self._running: dict[asyncio.Task[bool | None], str] = {}

    def offer(
        self, request: ClassifyRequest, answer: Classification
    ) -> Sequence[asyncio.Task[bool | None]]:
        """Draws whether a request that was just answered goes to candidates; returns at once.

        Returns:
            The calls that were begun: each says whether the candidate's label is the same, or None
            where it failed.
        """
        shadows = self._traffic().plan.shadows
        begun: list[asyncio.Task[bool | None]] = []
        if not shadows:
            return begun
        has_slack = self._room.has_slack
        if not has_slack:
            for task in self._running:
                task.cancel()
        # A reused answer took no work: its time is no measure, and its request was shown before.
        # Labels that came with the request are in no candidate's space.
        if answer.source is not Source.COMPUTED or request.labels is not None:
            return begun
        for shadow in shadows:
            if not _is_drawn(shadow, request, answer.variant):
                continue
            if not has_slack:
                self._metrics.count(shadow.name, "dropped_busy")
            elif self._count(shadow.name) >= shadow.max_concurrency:
                self._metrics.count(shadow.name, "dropped_full")
            else:
                task = asyncio.create_task(self._show(shadow, request, answer))
                self._running[task] = shadow.name
                task.add_done_callback(self._running.pop)
                begun.append(task)
        return begun

    async def close(self) -> None:
        """Cancels what runs."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _count(self, name: str) -> int:
        return sum(each == name for each in self._running.values())

    async def _show(
        self, shadow: ShadowDefinition, request: ClassifyRequest, answer: Classification
    ) -> bool | None:
        try:
            called_s = self._clock()
            with stage(names.SHADOW, {names.SHADOW_NAME: shadow.name}):
                scores = await self._ask(shadow, request, answer.modalities)
            spent_s = self._clock() - called_s
        except GatewayError as error:
            self._metrics.count(shadow.name, error.code)
            return None
        except asyncio.CancelledError:
            self._metrics.count(shadow.name, "dropped_busy")
            raise
        mine, theirs = by_label(answer.scores), by_label(scores)
        is_same = max(mine, key=mine.__getitem__) == max(theirs, key=theirs.__getitem__)
        self._metrics.count(shadow.name, "agreed" if is_same else "differed")
        self._metrics.observe_distance(shadow.name, total_variation(mine, theirs))
        self._metrics.observe_seconds(shadow.name, "answer", answer.timings.triton_ms / 1000)
        self._metrics.observe_seconds(shadow.name, "candidate", spent_s)
        return is_same

    async def _ask(
        self, shadow: ShadowDefinition, request: ClassifyRequest, modalities: ModalitySet
    ) -> Scores:
        now_s = self._clock()
        endpoints = [
            each
            for each in self._fleet.endpoints()
            if shadow.candidate in each.catalog.variants
            and each.state(now_s) is EndpointState.SERVING
        ]
        if not endpoints:
            raise VariantUnavailableError
        endpoint = min(endpoints, key=lambda each: each.in_flight)
        variant = endpoint.catalog.variants[shadow.candidate]
        ensemble = variant.ensembles[modalities]
        inputs: dict[str, bytes] = {}
        if modalities.has_image and request.image is not None:
            inputs[tensors.IMAGE] = request.image
        if modalities.has_text and request.text is not None:
            inputs[tensors.TEXT] = request.text.encode()
        with call_span(endpoint, variant):
            outputs = await endpoint.backend.infer(
                ensemble.model,
                inputs,
                ensemble.outputs(has_features=False),
                timeout_s=shadow.deadline_ms / 1000,
                request_id=request.request_id,
            )
        logits = read_row(outputs, tensors.LOGITS, len(variant.labels))
        return Scores(logits, variant.labels, ensemble.manifest.temperature)


def by_label(scores: Scores) -> dict[str, float]:
    """Returns the calibrated probability of each label."""
    return dict(zip(scores.labels, probabilities(scores), strict=True))


def total_variation(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Returns the largest difference of any event's probability: half the sum of differences.

    A label that one of both does not know has the probability 0 there.
    """
    labels = one.keys() | other.keys()
    differences = [abs(one.get(label, 0.0) - other.get(label, 0.0)) for label in labels]
    return min(1.0, float(np.sum(differences)) / 2)


def _is_drawn(shadow: ShadowDefinition, request: ClassifyRequest, variant: str) -> bool:
    if not shadow.is_running or variant == shadow.candidate:
        return False
    if shadow.of is not None and variant != shadow.of:
        return False
    return uniform("shadow", shadow.name, request.request_id) < shadow.share
