"""The profile of a variant on a device: how long each step takes for each size of batch.

`python -m loadtest profile` measures it; plans and simulations read it. Times are those that Triton
counts itself (statistics API, `compute_*` of the batch), one batch at a time: what steps take from
each other on shared cores is for the simulation to say.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from loadtest.capacity.errors import ProfileFileError

if TYPE_CHECKING:
    from pathlib import Path

Milliseconds = Annotated[float, Field(ge=0, le=3_600_000)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepProfile(_Closed):
    """One model of the ensemble.

    Attributes:
        name: of the step.
        max_batch: largest batch that Triton makes; 1: none.
        delay_ms: how long it waits for a larger one.
        instances: that run side by side.
        service_ms: time of a batch by its size; sizes between are interpolated.
        variation: coefficient of variation of the time of one request, whose root of n-th part a
            batch of n has; 0: always the same.
        wake_ms: how much longer a batch takes that finds its instance and a core idle, and not one
            behind the other: both slept, and others have had their caches.
    """

    name: Annotated[str, Field(min_length=1)]
    max_batch: Annotated[int, Field(ge=1, le=4096)]
    delay_ms: Milliseconds = 0.0
    instances: Annotated[int, Field(ge=1, le=64)] = 1
    service_ms: Annotated[dict[int, Milliseconds], Field(min_length=1)]
    variation: Annotated[float, Field(ge=0, le=10)] = 0.0
    wake_ms: Milliseconds = 0.0

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if min(self.service_ms) < 1:
            message = f"a batch of {min(self.service_ms)} has no service time"
            raise ValueError(message)
        return self

    @property
    def least_ms(self) -> float:
        """Time of a request in the batch that takes least for each, one behind the other."""
        return min(self.batch_ms(size) / size for size in range(1, self.max_batch + 1))

    @property
    def alone_ms(self) -> float:
        """Time of a request that comes when there is no other."""
        return self.batch_ms(1) + self.wake_ms

    def batch_ms(self, size: int) -> float:
        """Returns the time of a batch, between measured sizes on a line, beyond them along it."""
        known = sorted(self.service_ms)
        if size in self.service_ms:
            return self.service_ms[size]
        if len(known) == 1:
            return self.service_ms[known[0]] * size / known[0]
        place = next((n for n, each in enumerate(known) if each > size), len(known) - 1)
        low, high = known[max(0, place - 1)], known[max(1, place)]
        slope = (self.service_ms[high] - self.service_ms[low]) / (high - low)
        return max(0.0, self.service_ms[low] + slope * (size - low))


class Profile(_Closed):
    """A variant on a device.

    Attributes:
        variant: `name@digest`.
        device: as the machine names it: figures hold for it alone.
        measured_at: when, in ISO 8601; empty: made by hand.
        branches: steps that run side by side for one request, image and text.
        head: the step after them; None where there is none.
        overhead_ms: of a lone request, what is in no step: gateway, Triton, the way.
        gateway_cpu_ms: CPU time of the gateway for one request.
        triton_cpu_ms: CPU time of Triton itself for one request, without its steps.
        cores: that all steps share; their times are those on an idle machine. None: each step has
            what it needs for itself, and its times are those under load.
        slowdown: how many times as long work takes while all cores are busy.
        pod_start_s: from a new pod to its first answer: image there, models loaded, warmed up.
    """

    variant: str
    device: Annotated[str, Field(min_length=1)]
    measured_at: str = ""
    branches: Annotated[tuple[StepProfile, ...], Field(min_length=1)]
    head: StepProfile | None = None
    overhead_ms: Milliseconds = 3.0
    gateway_cpu_ms: Annotated[float, Field(gt=0, le=1000)] = 2.0
    triton_cpu_ms: Milliseconds = 0.0
    cores: Annotated[int, Field(ge=1, le=4096)] | None = None
    slowdown: Annotated[float, Field(ge=1, le=100)] = 1.0
    pod_start_s: Annotated[float, Field(gt=0, le=7200)] = 60.0

    @property
    def steps(self) -> tuple[StepProfile, ...]:
        """All steps."""
        return (*self.branches, *((self.head,) if self.head else ()))

    @property
    def alone_ms(self) -> float:
        """What a request takes when there is no other."""
        head_ms = self.head.alone_ms if self.head else 0.0
        own_ms = self.overhead_ms + (self.triton_cpu_ms if self.cores else 0.0)
        return own_ms + max(each.alone_ms for each in self.branches) + head_ms

    def most_rps(self, beside_cpu_ms: float = 0.0) -> float:
        """What its slowest part does when all batches are full, in requests a second.

        Args:
            beside_cpu_ms: CPU time of a request on its cores that is none of Triton's.
        """
        each_ms = [each.least_ms for each in self.steps]
        bounds = [
            1000 * step.instances / ms for step, ms in zip(self.steps, each_ms, strict=True) if ms
        ]
        if self.cores is not None:
            busy_ms = (sum(each_ms) + self.triton_cpu_ms + beside_cpu_ms) * self.slowdown
            bounds += [1000 * self.cores / busy_ms] if busy_ms else []
        return min(bounds)

    def with_batching(self, max_batch: int, delay_ms: float) -> Profile:
        """Returns the profile with other settings of the branches' batches."""
        changed = {"max_batch": max_batch, "delay_ms": delay_ms}
        return self.model_copy(
            update={"branches": tuple(each.model_copy(update=changed) for each in self.branches)}
        )


def mean_profile(before: Profile, after: Profile) -> Profile:
    """Returns what lies between two profiles of the same variant, taken one after the other."""
    changed: dict[str, object] = {
        name: fmean((getattr(before, name), getattr(after, name)))
        for name in ("overhead_ms", "gateway_cpu_ms", "triton_cpu_ms", "slowdown")
    }
    steps = [_mean_step(*both) for both in zip(before.steps, after.steps, strict=True)]
    branches = tuple(steps[: len(before.branches)])
    return before.model_copy(
        update={**changed, "branches": branches, "head": before.head and steps[-1]}
    )


def _mean_step(before: StepProfile, after: StepProfile) -> StepProfile:
    service_ms = {size: fmean((ms, after.batch_ms(size))) for size, ms in before.service_ms.items()}
    changed: dict[str, object] = {
        name: fmean((getattr(before, name), getattr(after, name)))
        for name in ("variation", "wake_ms")
    }
    return before.model_copy(update={**changed, "service_ms": service_ms})


def read_profile(path: Path) -> Profile:
    """Reads a profile.

    Raises:
        ProfileFileError: it is not there, or is none.
    """
    try:
        return Profile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ProfileFileError(path, error.strerror or str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ProfileFileError(
            path, f"{field}: {first['msg']}" if field else first["msg"]
        ) from error


def write_profile(path: Path, profile: Profile) -> None:
    """Writes a profile; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(profile.model_dump_json(indent=2) + "\n", encoding="utf-8")
    scratch.replace(path)
