"""What happens to requests that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.doctor.finding import Fault, Rule, Severity, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporters.doctor.model_repository import RepositoryModel


def unlimited_queues(site: Site) -> Iterator[Fault]:
    """Steps whose queue grows until memory or patience ends."""
    for step in _unguarded(site):
        if not step.config.HasField("dynamic_batching"):
            reason = "It has no dynamic batcher, and so no limit on the requests that wait"
        elif step.config.dynamic_batching.default_queue_policy.max_queue_size == 0:
            reason = "Its default_queue_policy has no max_queue_size: any number of requests waits"
        else:
            continue
        yield Fault(
            step.name,
            f"{reason}; under overload all of them are answered too late.",
            "Set dynamic_batching.default_queue_policy.max_queue_size.",
        )


def ignored_timeouts(site: Site) -> Iterator[Fault]:
    """Steps that drop the timeout of a request without a word."""
    for step in _unguarded(site):
        policy = step.config.dynamic_batching.default_queue_policy
        if not policy.allow_timeout_override:
            reason = "allow_timeout_override is not set"
        elif policy.default_timeout_microseconds == 0:
            reason = "default_timeout_microseconds is 0"
        else:
            continue
        yield Fault(
            step.name,
            f"{reason[0].upper()}{reason[1:]}: Triton ignores the timeout of a request, which is "
            "computed after its caller has gone.",
            "Set allow_timeout_override and a default_timeout_microseconds longer than any "
            "request's.",
        )


def _unguarded(site: Site) -> Iterator[RepositoryModel]:
    """Steps that count on their own queue.

    With a queue policy Triton stops forming batches ahead, and a python model stands still for half
    a second now and then (exporters/DECISIONS.md, 6). Behind a manifest the gateway bounds what is
    in flight instead.
    """
    for step in site.repository.steps:
        callers = list(site.repository.callers(step))
        if not (step.is_python and callers and all(each.manifest for each in callers)):
            yield step


RULES: Final = (
    Rule(
        "queue-unlimited",
        Severity.WARNING,
        "a model without a limit on waiting requests; behind the gateway python models need none",
        unlimited_queues,
    ),
    Rule(
        "timeout-ignored",
        Severity.WARNING,
        "a queue policy with which Triton ignores the timeouts of requests",
        ignored_timeouts,
    ),
)
