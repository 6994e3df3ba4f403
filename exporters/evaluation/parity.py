"""The parity proof: what Triton serves against the torch model, on real held-out examples.

Both start from the same bytes on disk. The served side goes the whole way, over gRPC and with many
requests at once, so that batching, padding and the step's own code are part of what is proved.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch
import tritonclient.grpc

from exporters.atomic import atomic_file
from exporters.heads import head_for
from exporters.preprocessing.images import decode_image
from exporters.progress import progress
from exporters.tasks import all_decisions, all_probabilities
from exporters.training.threads import available_cpus, torch_threads
from gateway.contract import tensors
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from torch import nn

    from exporters.data import Example
    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.tasks import Task, TaskCalibration
    from exporters.training import TrainedVariant

    Served = Mapping[str, npt.NDArray[np.float32]]

_PROOFS_FILE: Final = "parity.json"
CONCURRENT_REQUESTS: Final = 8
_REQUEST_TIMEOUT_S: Final = 60.0


class FrozenEncoders(Protocol):
    """What has the two encoders of a variant."""

    @property
    def text_encoder(self) -> TextEncoder:
        """The frozen text encoder."""

    @property
    def image_encoder(self) -> ImageEncoder:
        """The frozen image encoder."""


@dataclass(frozen=True)
class Parity:
    """What one ensemble's proof found.

    Attributes:
        samples: number of examples compared.
        max_abs_difference: of any probability of any example.
        label_flips: examples that are answered with another label in any task.
        tolerance: what both differences must stay below.
        max_feature_difference: of any served feature, relative to the largest of its modality.
    """

    samples: int
    max_abs_difference: float
    label_flips: int
    tolerance: float
    max_feature_difference: float = 0.0

    @property
    def has_passed(self) -> bool:
        """Whether the served model may be published."""
        return self.largest_difference < self.tolerance and self.label_flips == 0

    @property
    def largest_difference(self) -> float:
        """The larger of both differences."""
        return max(self.max_abs_difference, self.max_feature_difference)


def compare(
    reference: npt.NDArray[np.float32],
    served: npt.NDArray[np.float32],
    tasks: Sequence[Task],
    calibrations: Sequence[TaskCalibration],
    tolerance: float,
) -> Parity:
    """Compares the probabilities and the answers of two sets of logits.

    Args:
        reference: of the torch model, shape (samples, labels of all tasks).
        served: of the ensemble, the same shape.
        tasks: in the order of the logits.
        calibrations: what makes probabilities and answers of the logits of each task.
        tolerance: largest difference of a probability that is allowed.
    """
    expected = all_probabilities(reference, tasks, calibrations)
    actual = all_probabilities(served, tasks, calibrations)
    is_other = all_decisions(expected, tasks, calibrations) != all_decisions(
        actual, tasks, calibrations
    )
    return Parity(
        samples=len(reference),
        max_abs_difference=float(np.abs(expected - actual).max()),
        label_flips=int(is_other.any(axis=1).sum()),
        tolerance=tolerance,
    )


def write_proofs(proofs: Mapping[ModalitySet, Parity], run_folder: Path) -> None:
    """Leaves the proofs of an export beside the head, where the report finds them."""
    with atomic_file(run_folder / _PROOFS_FILE) as path:
        fields = {modalities: asdict(proof) for modalities, proof in proofs.items()}
        path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def read_proofs(run_folder: Path) -> dict[ModalitySet, Parity]:
    """Reads what `write_proofs` left; empty before the first export."""
    file = run_folder / _PROOFS_FILE
    if not file.is_file():
        return {}
    fields = json.loads(file.read_text(encoding="utf-8"))
    return {ModalitySet(name): Parity(**proof) for name, proof in fields.items()}


def torch_logits(
    variant: TrainedVariant, examples: Sequence[Example], modalities: ModalitySet
) -> npt.NDArray[np.float32]:
    """What the trained model says, from image files and texts, float32 (examples, labels)."""
    view = head_for(variant.head, modalities).eval()
    return torch_answers(view, variant, examples, modalities, has_sequences=variant.has_sequences)


def torch_answers(
    view: nn.Module,
    encoders: FrozenEncoders,
    examples: Sequence[Example],
    modalities: ModalitySet,
    *,
    has_sequences: bool = False,
) -> npt.NDArray[np.float32]:
    """What a module says of the features of examples, one at a time, from file to answer.

    Args:
        view: takes the features of `modalities`, text first.
        encoders: where the features come from.
        examples: what is encoded.
        modalities: what of each example is seen.
        has_sequences: whether the view takes tokens and cells instead of pooled features.

    Returns:
        float32 (examples, width of the answer).
    """
    rows = []
    with torch_threads(available_cpus()), torch.inference_mode():
        for example in examples:
            encoded = []
            if modalities.has_text:
                ids, mask = encoders.text_encoder.tokenizer.encode_batch([example.text])
                encode = encoders.text_encoder.module.encode
                encoded.append(encode(torch.from_numpy(ids), torch.from_numpy(mask)))
            if modalities.has_image:
                pixels = decode_image(
                    example.image.read_bytes(), encoders.image_encoder.preprocessing
                )
                encoded.append(encoders.image_encoder.module.encode(torch.from_numpy(pixels)[None]))
            features = [each.sequence if has_sequences else each.pooled for each in encoded]
            rows.append(view(*features).numpy())
    return np.concatenate(rows)


def served_logits(
    url: str,
    ensemble: str,
    examples: Sequence[Example],
    modalities: ModalitySet,
    concurrent_requests: int = CONCURRENT_REQUESTS,
) -> npt.NDArray[np.float32]:
    """What a served ensemble says, float32 (examples, labels); see `served_answers`."""
    values = [values_of(example, modalities) for example in examples]
    return served_answers(url, ensemble, values, tensors.LOGITS, concurrent_requests)


def feature_difference(reference: Mapping[str, npt.NDArray[np.float32]], served: Served) -> float:
    """Returns the largest difference of a feature, relative to the largest of its modality.

    Args:
        reference: features of each modality by the name of their output, shapes (samples, dim).
        served: what the ensemble gave for the same samples.
    """
    return max(
        float(np.abs(served[name] - expected).max() / np.abs(expected).max())
        for name, expected in reference.items()
        if name in served
    )


def served_answers(
    url: str,
    ensemble: str,
    values: Sequence[Mapping[str, bytes]],
    output: str,
    concurrent_requests: int = CONCURRENT_REQUESTS,
) -> npt.NDArray[np.float32]:
    """Returns one output of `served_outputs`, float32 (requests, width of the output)."""
    return served_outputs(url, ensemble, values, concurrent_requests)[output]


def served_outputs(
    url: str,
    ensemble: str,
    values: Sequence[Mapping[str, bytes]],
    concurrent_requests: int = CONCURRENT_REQUESTS,
) -> Served:
    """Asks a served ensemble for all that it gives, several requests at a time.

    Args:
        url: `host:port` of Triton's gRPC API.
        ensemble: name of the ensemble.
        values: inputs of each request, by the tensor's name.
        concurrent_requests: how many are in flight.

    Returns:
        Each output by name, float32 (requests, its width).

    Raises:
        InferenceServerException: Triton refused a request.
    """
    with (
        tritonclient.grpc.InferenceServerClient(url) as client,
        ThreadPoolExecutor(concurrent_requests) as pool,
        progress(f"Parity of {ensemble}", len(values)) as advance,
    ):

        def ask(one: Mapping[str, bytes]) -> Served:
            result = client.infer(ensemble, _inputs(one), client_timeout=_REQUEST_TIMEOUT_S)
            advance()
            return {each.name: result.as_numpy(each.name) for each in result.get_response().outputs}

        rows = list(pool.map(ask, values))
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def values_of(example: Example, modalities: ModalitySet) -> dict[str, bytes]:
    """What of an example is sent, by the tensor's name."""
    values = {}
    if modalities.has_image:
        values[tensors.IMAGE] = example.image.read_bytes()
    if modalities.has_text:
        values[tensors.TEXT] = example.text.encode()
    return values


def _inputs(values: Mapping[str, bytes]) -> list[tritonclient.grpc.InferInput]:
    inputs = []
    for name, value in values.items():
        tensor = tritonclient.grpc.InferInput(name, [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[value]], dtype=np.object_))
        inputs.append(tensor)
    return inputs
