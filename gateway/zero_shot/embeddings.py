"""Embeddings of labels: computed once through Triton, and kept for all who give the same.

A label is a text within a prompt, so the variant's own text ensemble embeds it. The key is the
variant's digest and the prompt: another model's embedding can never be taken for this one's.
Prompts that are being embedded already are waited for, and each that was embedded is kept, so a
request that runs out of time leaves less to do for the next.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from gateway.admission.deadline import Deadline
from gateway.contract import tensors
from gateway.contract.manifest import ModalitySet
from gateway.contract.zero_shot import label_direction
from gateway.errors import BackendError, DeadlineExceededError, VariantUnavailableError
from gateway.pools.call import Call
from gateway.reuse.single_flight import SingleFlight
from gateway.triton.outputs import read_row, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gateway.catalog import Variant
    from gateway.placement import Placement
    from gateway.pools.dispatch import Dispatcher
    from gateway.reuse.answer_cache import AnswerCache
    from gateway.triton.backend import Row
    from gateway.zero_shot.query import LabelQuery

CONCURRENCY: Final = 8
"""Prompts of one request in Triton at a time: two of the text encoder's groups, so that it always
has a next one and leaves room for others."""


class LabelObserver(Protocol):
    """Where label embeddings are counted; `telemetry.zero_shot_metrics.ZeroShotMetrics` is one."""

    def count_label_prompts(self, variant: str, source: str, count: int = 1) -> None:
        """Counts prompts by where their embedding came from."""

    def set_label_cache_bytes(self, size_bytes: int) -> None:
        """Shows how full the cache is."""


class LabelWork(Protocol):
    """Who is told what the labels of one request cost, prompt by prompt."""

    def computed(self, service_s: float, latency_s: float) -> None:
        """One was embedded: time of the model steps, and from call to answer, in seconds."""

    def spared(self) -> None:
        """One that was to be embedded was by then, or another request does it."""


@dataclass(frozen=True, slots=True)
class LabelAsker:
    """A request whose labels are embedded.

    Attributes:
        deadline: when it must be answered.
        request_id: for Triton's log.
        placement: where admission found room for it, or None.
        work: is told what it costs.
    """

    deadline: Deadline
    request_id: str
    placement: Placement | None
    work: LabelWork


@dataclass(frozen=True, slots=True)
class EmbeddedLabels:
    """Labels in the space of one digest of a variant.

    Attributes:
        query: the labels.
        directions: float32 (labels, dim), of unit length.
        digest: of the variant.
        asker: for whom they were embedded.
    """

    query: LabelQuery
    directions: NDArray[np.float32]
    digest: str
    asker: LabelAsker


class LabelEmbeddings:
    """The embeddings, within one event loop.

    Args:
        dispatcher: sends prompts to the pools.
        cache: of embeddings by digest and prompt, and of all that a request named together.
        observer: is shown the counts.
        budget_s: longest time that one prompt may take, whoever waits for it, in seconds.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        cache: AnswerCache[Row],
        observer: LabelObserver,
        budget_s: float,
    ) -> None:
        self._dispatcher = dispatcher
        self._cache = cache
        self._observer = observer
        self._budget_s = budget_s
        self._flights: SingleFlight[tuple[Row, float, float]] = SingleFlight()

    def fresh(self, query: LabelQuery, variant: Variant) -> int:
        """Returns how many prompts are not embedded yet: the work that a request brings along."""
        if self._cache.get(_key_of_all(variant, query)) is not None:
            return 0
        return sum(
            self._cache.get(_key(variant, prompt)) is None for prompt in _prompts(query, variant)
        )

    async def embed(self, query: LabelQuery, variant: Variant, asker: LabelAsker) -> EmbeddedLabels:
        """Embeds labels, or finds them embedded.

        Args:
            query: the labels.
            variant: whose space they are put into.
            asker: the request that needs them.

        Raises:
            DeadlineExceededError: the time of the request is spent; what was embedded is kept.
            UnavailableError, BackendError: see `Dispatcher.infer`.
        """
        key = _key_of_all(variant, query)
        known = self._cache.get(key)
        if known is not None:
            templates = query.templates or _own_templates(variant)
            self._observer.count_label_prompts(variant.name, "cached", len(known) * len(templates))
            return EmbeddedLabels(query, known, variant.digest, asker)
        vectors: dict[str, Row] = {}
        missing: list[str] = []
        for prompt in _prompts(query, variant):
            kept = self._cache.get(_key(variant, prompt))
            if kept is None:
                missing.append(prompt)
            else:
                vectors[prompt] = kept
        if vectors:
            self._observer.count_label_prompts(variant.name, "cached", len(vectors))
        if missing:
            vectors.update(await self._embed_all(missing, variant, asker))
        directions = np.stack(
            [
                label_direction(np.stack([vectors[prompt] for prompt in prompts]))
                for prompts in query.prompts(_own_templates(variant))
            ]
        )
        # Several hundred single look-ups would hold up the event loop for milliseconds.
        self._cache.put(key, directions, directions.nbytes)
        return EmbeddedLabels(query, directions, variant.digest, asker)

    async def _embed_all(
        self, prompts: list[str], variant: Variant, asker: LabelAsker
    ) -> dict[str, Row]:
        vectors: dict[str, Row] = {}
        waiting = iter(prompts)

        async def work() -> None:
            for prompt in waiting:
                vectors[prompt] = await self._embed(prompt, variant, asker)

        workers = [asyncio.create_task(work()) for _ in range(min(CONCURRENCY, len(prompts)))]
        try:
            async with asyncio.timeout(max(0.0, asker.deadline.left_s(time.perf_counter()))):
                await asyncio.gather(*workers)
        except TimeoutError as error:
            raise _out_of_time(len(vectors), len(prompts)) from error
        finally:
            for each in workers:
                each.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return vectors

    async def _embed(self, prompt: str, variant: Variant, asker: LabelAsker) -> Row:
        key = _key(variant, prompt)
        flight = self._flights.find(key)
        is_own = flight is None
        if flight is None:
            flight = self._flights.begin(key, lambda: self._compute(key, prompt, variant, asker))
        self._observer.count_label_prompts(variant.name, "computed" if is_own else "joined")
        row, service_s, latency_s = await self._flights.wait(key, flight)
        if is_own:
            asker.work.computed(service_s, latency_s)
        else:
            asker.work.spared()
        return row

    async def _compute(
        self, key: bytes, prompt: str, variant: Variant, asker: LabelAsker
    ) -> tuple[Row, float, float]:
        """Runs for all who wait: it has a time of its own, and ends when the last one leaves."""
        started_s = time.perf_counter()
        served = await self._dispatcher.infer(
            Call(
                variant.name,
                ModalitySet.TEXT,
                {tensors.TEXT: prompt.encode()},
                Deadline(started_s, self._budget_s),
                asker.request_id,
                asker.placement,
            )
        )
        if served.variant.digest != variant.digest:
            # A server that is a release ahead or behind: its space is another one.
            raise VariantUnavailableError
        row = read_row(served.outputs, tensors.EMBEDDING, _dim(variant))
        trace = read_trace(served.outputs, tensors.TEXT_TRACE)
        latency_s = time.perf_counter() - started_s
        spent_ms = (trace.preprocess_ms or 0.0) + (trace.encode_ms or 0.0) / (trace.batch_size or 1)
        self._cache.put(key, row, row.nbytes)
        self._observer.set_label_cache_bytes(self._cache.size_bytes)
        return row, spent_ms / 1000 or latency_s, latency_s


def _prompts(query: LabelQuery, variant: Variant) -> Iterator[str]:
    """Yields each prompt once."""
    of_labels = query.prompts(_own_templates(variant))
    yield from dict.fromkeys(prompt for prompts in of_labels for prompt in prompts)


def _own_templates(variant: Variant) -> tuple[str, ...]:
    dual_tower = variant.ensembles[ModalitySet.TEXT].manifest.dual_tower
    return dual_tower.templates if dual_tower is not None else ()


def _dim(variant: Variant) -> int:
    dual_tower = variant.ensembles[ModalitySet.TEXT].manifest.dual_tower
    if dual_tower is None:
        raise BackendError(f"{variant.name} embeds nothing")
    return dual_tower.embedding_dim


def _key_of_all(variant: Variant, query: LabelQuery) -> bytes:
    templates = query.templates or _own_templates(variant)
    digest = hashlib.sha256(f"{variant.digest}\0all".encode())
    for each in (str(len(templates)), *templates, *query.labels):
        content = each.encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.digest()


def _key(variant: Variant, prompt: str) -> bytes:
    # Prompts are as long as a caller likes; the keys of the cache are not.
    return hashlib.sha256(f"{variant.digest}\0{prompt}".encode()).digest()


def _out_of_time(embedded: int, wanted: int) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"{embedded} of {wanted} new labels were embedded in the time allowed, and are kept: send "
        "the request again, allow more time, or register the labels as a label set beforehand."
    )
