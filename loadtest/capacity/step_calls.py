"""Calls the steps of an ensemble one by one, past gateway and ensemble, and times what they take.

Triton's own statistics say what a batch took, so the way there is not in it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import triton_to_np_dtype

from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadtest.bench.corpus import Example

_FEW_CALLS: Final = 5
_SEQUENCE: Final = 16  # tokens or cells, where a head's input varies
_NS_PER_MS: Final = 1e6


@dataclass(frozen=True)
class Model:
    """A model of Triton's that is a step.

    Attributes:
        name: of the model.
        step: what it is called in a profile.
        max_batch: largest batch that Triton makes; 1: none.
        delay_ms: how long it waits for one.
        instances: that run side by side.
        inputs: name, Triton's type and dimensions of each, without the batch axis.
        has_own_device: whether it computes elsewhere than on the CPU.
    """

    name: str
    step: str
    max_batch: int
    delay_ms: float
    instances: int
    inputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    has_own_device: bool = False


@dataclass(frozen=True)
class StepTimes:
    """What a step takes.

    Attributes:
        service_ms: of a batch, by its size.
        variation: coefficient of variation of single calls.
    """

    service_ms: Mapping[int, float]
    variation: float


class StepCaller:
    """Calls models with inputs of a corpus."""

    def __init__(self, address: str, corpus: Sequence[Example]) -> None:
        """Remembers both.

        Args:
            address: of Triton's gRPC API.
            corpus: whose photos and sentences are sent in turn.
        """
        self._address = address
        self._corpus = corpus
        self._next = count()

    def times(self, model: Model, seconds: float) -> StepTimes:
        """Calls a model with batches of 1, 2, 4 and so on up to its largest, one at a time.

        Args:
            model: what is called.
            seconds: for each size.
        """
        sizes = sorted({2**power for power in range(model.max_batch.bit_length())})
        sizes = [*(size for size in sizes if size < model.max_batch), model.max_batch]
        service_ms, variation = {}, 0.0
        for size in sizes:
            mean_ms, durations_s = self._stream(model, size, seconds)
            service_ms[size] = mean_ms
            if size == 1:
                variation = pstdev(durations_s) / fmean(durations_s)
        return StepTimes(service_ms, variation)

    def together(self, models: Sequence[Model], seconds: float) -> list[int]:
        """Calls models at once, each with one request after the other; how many of each."""
        with ThreadPoolExecutor(len(models)) as threads:
            durations = threads.map(lambda each: self._stream(each, 1, seconds)[1], models)
            return [1 + len(each) for each in durations]  # the first is not timed

    def lone_ms(self, models: Sequence[Model], others: Callable[[], None]) -> dict[str, float]:
        """Mean time of each step, in ms, of the batches of one that others cause."""
        with closing(InferenceServerClient(self._address)) as client:
            before = [statistics(client, each.name, 1) for each in models]
            others()
            after = [statistics(client, each.name, 1) for each in models]
        return {
            each.step: _mean_ms(*both) for each, *both in zip(models, before, after, strict=True)
        }

    def _stream(self, model: Model, size: int, seconds: float) -> tuple[float, list[float]]:
        """Calls for a while: mean time of a batch as Triton has it, in ms; seconds of each call."""
        with closing(InferenceServerClient(self._address)) as client:
            self._call(client, model, size)
            before = statistics(client, model.name, size)
            durations_s: list[float] = []
            end_s = time.perf_counter() + seconds
            while (begun_s := time.perf_counter()) < end_s or len(durations_s) < _FEW_CALLS:
                self._call(client, model, size)
                durations_s.append(time.perf_counter() - begun_s)
            after = statistics(client, model.name, size)
        return _mean_ms(before, after), durations_s

    def _call(self, client: Any, model: Model, size: int) -> None:  # noqa: ANN401  # not typed
        inputs = []
        for name, dtype, dims in model.inputs:
            shape = (size, *(_SEQUENCE if each < 0 else each for each in dims))
            tensor = InferInput(name, shape, dtype)
            tensor.set_data_from_numpy(self._values(name, dtype, shape))
            inputs.append(tensor)
        client.infer(model.name, inputs)

    def _values(self, name: str, dtype: str, shape: tuple[int, ...]) -> Any:  # noqa: ANN401
        if dtype != "BYTES":
            return np.full(shape, 0.5, dtype=triton_to_np_dtype(dtype))
        examples = [self._corpus[next(self._next) % len(self._corpus)] for _ in range(shape[0])]
        values = [
            each.photo if name == tensors.IMAGE else each.sentence.encode() for each in examples
        ]
        return np.array(values, dtype=np.object_).reshape(shape)


def _mean_ms(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Mean time of a batch between two readings of the statistics."""
    batches = max(1, after[0] - before[0])
    return (after[1] - before[1]) / batches / _NS_PER_MS


def statistics(client: Any, model: str, size: int) -> tuple[int, int]:  # noqa: ANN401
    """Returns how many batches of a size were computed so far, and their nanoseconds."""
    batches = 0
    spent_ns = 0
    answer = client.get_inference_statistics(model)
    for each in (batch for stats in answer.model_stats for batch in stats.batch_stats):
        if each.batch_size == size:
            parts = (each.compute_input, each.compute_infer, each.compute_output)
            batches += each.compute_infer.count
            spent_ns += sum(part.ns for part in parts)
    return batches, spent_ns
