"""Serves a staged variant on the bundled Triton and holds its answers against torch."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tritonclient.utils import InferenceServerException

from deploy.local.errors import LocalError
from deploy.local.triton_server import BundledTriton, free_ports
from exporters.evaluation.parity import (
    CONCURRENT_REQUESTS,
    Parity,
    compare,
    feature_difference,
    served_outputs,
    torch_logits,
    values_of,
)
from exporters.publishing.errors import ServingError
from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from exporters.alignment import AlignedTowers
    from exporters.data import Example
    from exporters.publishing.stage import StagedVariant
    from exporters.training import TrainedVariant
    from gateway.contract.manifest import ModalitySet

    Reference = Callable[[TrainedVariant, Sequence[Example], ModalitySet], npt.NDArray[np.float32]]

_READY_TIMEOUT_S: Final = 120.0
_LOG: Final = "parity-triton.log"


def prove(
    staged: StagedVariant,
    variant: TrainedVariant,
    repository: Path,
    reference: Reference = torch_logits,
    concurrent_requests: int = CONCURRENT_REQUESTS,
) -> dict[ModalitySet, Parity]:
    """Runs the parity proof of each ensemble of a staged variant.

    Args:
        staged: what is in `repository`.
        variant: the torch model it was made from.
        repository: the staging repository.
        reference: gives the logits that the served ones are held against.
        concurrent_requests: how many are in flight; one alone never shares a batch.

    Raises:
        ServingError: Triton did not load the models, or refused a sample.
    """
    target = variant.recipe.target
    examples = variant.holdout_examples[: target.parity_samples]
    features = holdout_features(variant, len(examples))
    proofs = {}
    with served(repository, list(staged.ensemble_names.values()), variant.run_folder) as url:
        for modalities, ensemble in staged.ensemble_names.items():
            values = [values_of(example, modalities) for example in examples]
            answers = served_outputs(url, ensemble, values, concurrent_requests)
            proof = compare(
                reference(variant, examples, modalities),
                answers[tensors.LOGITS],
                variant.tasks,
                variant.calibrations[modalities],
                target.parity_tolerance,
            )
            proofs[modalities] = with_features(proof, features, answers)
    return proofs


def holdout_features(
    source: TrainedVariant | AlignedTowers, count: int
) -> dict[str, npt.NDArray[np.float32]]:
    """What the encoders say of the first held-out examples, by the name of the served output."""
    rows = source.split.holdout[:count]
    return {
        tensors.IMAGE_FEATURES: source.features.image.numpy()[rows],
        tensors.TEXT_FEATURES: source.features.text.numpy()[rows],
    }


def with_features(
    proof: Parity,
    features: Mapping[str, npt.NDArray[np.float32]],
    served: Mapping[str, npt.NDArray[np.float32]],
) -> Parity:
    """Adds to a proof how far the served features are from those that heads are trained on."""
    return replace(proof, max_feature_difference=feature_difference(features, served))


@contextmanager
def served(repository: Path, models: list[str], log_folder: Path) -> Iterator[str]:
    """Serves a repository for the length of the block.

    Args:
        repository: a model repository.
        models: the ensembles to load.
        log_folder: where Triton's log goes.

    Yields:
        `host:port` of the gRPC API.

    Raises:
        ServingError: Triton did not load the models, or refused a request of the block.
    """
    http_port, grpc_port, metrics_port = free_ports(3)
    log = log_folder / _LOG
    try:
        with BundledTriton(
            repository=repository,
            models=models,
            http_port=http_port,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            log_path=log,
            ready_timeout_s=_READY_TIMEOUT_S,
        ) as triton:
            yield triton.grpc_url
    except (LocalError, InferenceServerException) as error:
        raise ServingError(str(error), log) from error
