"""Do the steps of an ensemble fit together?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tritonclient.grpc import model_config_pb2

from exporters.doctor.finding import Fault, Rule, Severity, Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporters.doctor.model_repository import ModelRepository, RepositoryModel

_VARIES: Final = -1


def missing_steps(site: Site) -> Iterator[Fault]:
    """Ensembles that call a model that is not there."""
    models, unreadable = site.repository.models, site.repository.unreadable
    for ensemble in site.repository.ensembles:
        for name in dict.fromkeys(ensemble.step_names):
            if name not in models and name not in unreadable:
                yield Fault(
                    ensemble.name,
                    f"Its step {name} is not in the repository: Triton refuses to load it.",
                    "Publish the variant again, or delete what is left of it.",
                )


def mismatched_batches(site: Site) -> Iterator[Fault]:
    """Ensembles that accept more rows than a step takes."""
    for ensemble, step in _calls(site.repository):
        accepted, taken = ensemble.config.max_batch_size, step.config.max_batch_size
        if accepted > taken:
            yield Fault(
                ensemble.name,
                f"It accepts {accepted} rows and its step {step.name} takes {taken}: Triton "
                "refuses the ensemble, or the requests above that.",
                "Lower the ensemble's max_batch_size to the smallest of its steps.",
            )


def mismatched_tensors(site: Site) -> Iterator[Fault]:
    """Steps that are handed another tensor than they declare, or none."""
    models = site.repository.models
    for ensemble in site.repository.ensembles:
        if not all(name in models for name in ensemble.step_names):
            continue  # that is a finding of its own, and what it would produce is not known
        for reason in _tensor_reasons(ensemble, models):
            yield Fault(
                ensemble.name,
                f"{reason}: Triton refuses to load it.",
                "Make names, data types and shapes of both ends the same.",
            )


def lonely_texts(site: Site) -> Iterator[Fault]:
    """Native models with a length that varies, whose requests rarely have the same shape."""
    for step in site.repository.steps:
        if step.is_python or not step.config.HasField("dynamic_batching"):
            continue
        varying = [
            tensor.name
            for tensor in step.config.input
            if _VARIES in tensor.dims and not tensor.allow_ragged_batch
        ]
        if varying and not _is_fed_in_buckets(step, site.repository):
            yield Fault(
                step.name,
                f"The shape of {', '.join(varying)} varies, and only requests of one shape share "
                "a batch: texts of different lengths never do.",
                "Pad to a few bucket lengths in the step before it (target cpu or gpu does), or "
                "let one step tokenise and encode a whole batch (target embedded does).",
            )


def _calls(repository: ModelRepository) -> Iterator[tuple[RepositoryModel, RepositoryModel]]:
    for ensemble in repository.ensembles:
        for name in dict.fromkeys(ensemble.step_names):
            if name in repository.models:
                yield ensemble, repository.models[name]


def _tensor_reasons(
    ensemble: RepositoryModel, models: Mapping[str, RepositoryModel]
) -> Iterator[str]:
    produced: dict[str, Any] = {tensor.name: tensor for tensor in ensemble.config.input}
    steps = [
        (step, models[step.model_name].config) for step in ensemble.config.ensemble_scheduling.step
    ]
    for step, config in steps:
        outputs = {tensor.name: tensor for tensor in config.output}
        for name, outer in sorted(step.output_map.items()):
            if name not in outputs:
                yield f"Step {step.model_name} has no output {name}"
            else:
                produced[outer] = outputs[name]
    for step, config in steps:
        inputs = {tensor.name: tensor for tensor in config.input}
        for name in sorted(step.input_map.keys() - inputs.keys()):
            yield f"Step {step.model_name} has no input {name}"
        for name, tensor in inputs.items():
            if name in step.input_map:
                yield from _ends_differ(step.input_map[name], produced, tensor, step.model_name)
            elif not tensor.optional:
                yield f"Input {name} of step {step.model_name} is fed by nothing"
    taken = {outer for step, _ in steps for outer in step.input_map.values()}
    taken.update(tensor.name for tensor in ensemble.config.output)
    for name in sorted(produced.keys() - taken):
        yield f"Nothing takes {name}"
    for tensor in ensemble.config.output:
        yield from _ends_differ(tensor.name, produced, tensor, "the ensemble's own output")


def _ends_differ(
    outer: str, produced: Mapping[str, Any], taken: model_config_pb2.ModelInput, taker: str
) -> Iterator[str]:
    given = produced.get(outer)
    if given is None:
        yield f"Nothing produces {outer}, which {taker} takes"
    elif given.data_type != taken.data_type or not _is_same_shape(given.dims, taken.dims):
        yield f"{outer} is {_signature(given)} and {taker} takes {_signature(taken)}"


def _is_same_shape(one: Any, other: Any) -> bool:  # noqa: ANN401  # repeated fields have no type
    return len(one) == len(other) and all(
        a == b or _VARIES in (a, b) for a, b in zip(one, other, strict=True)
    )


def _signature(tensor: model_config_pb2.ModelInput) -> str:
    return f"{model_config_pb2.DataType.Name(tensor.data_type)} {list(tensor.dims)}"


def _is_fed_in_buckets(step: RepositoryModel, repository: ModelRepository) -> bool:
    """Whether every ensemble that calls a step pads in another step before it."""
    callers = list(repository.callers(step))
    return bool(callers) and all(
        any(
            repository.models[name].settings.get("token_buckets")
            for name in caller.step_names
            if name in repository.models
        )
        for caller in callers
    )


RULES: Final = (
    Rule(
        "step-missing",
        Severity.ERROR,
        "an ensemble that calls a model that is not in the repository",
        missing_steps,
    ),
    Rule(
        "batch-mismatch",
        Severity.ERROR,
        "an ensemble that accepts more rows than one of its steps takes",
        mismatched_batches,
    ),
    Rule(
        "tensor-mismatch",
        Severity.ERROR,
        "tensors between steps that differ in name, type or shape, or that nothing feeds or takes",
        mismatched_tensors,
    ),
    Rule(
        "text-never-batches",
        Severity.WARNING,
        "a native model of varying length that is fed neither ragged nor in bucket lengths",
        lonely_texts,
    ),
)
