"""Exports cases, serves them all on one real Triton, and compares each with its reference."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tritonclient.grpc

from deploy.local.triton_server import BundledTriton, free_ports
from exporters.conversion.graphs import export_image_encoder, export_text_encoder
from exporters.encoders import load_image_encoder, load_text_encoder
from exporters.progress import progress
from exporters.recipe_sections import ImageEncoderRecipe, TargetRecipe, TextEncoderRecipe
from exporters.repository.publish import write_model
from exporters.repository.variant_models import image_encoder_folder, text_encoder_folder
from gateway.contract import tensors
from tests.conformance import reference
from tests.conformance.cases import Case
from tests.conformance.samples import TEXTS, jpeg_files
from tests.conformance.timm_cases import TimmCase
from tests.timm_packages import run_with_timm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

TARGET = "embedded"

# Another attention kernel, another order of normalising and of summation: fp32 rounding, which
# grows with depth and magnitude. What is wrong is far off: one resampling filter for another moved
# these features by 2e-2 to 5e-2, another pooling or padding by 1 and more.
RELATIVE_TOLERANCE = 1e-4
# A feature that hardly moves with its input proves nothing.
LEAST_SPREAD = 1000 * RELATIVE_TOLERANCE

_CONCURRENT_REQUESTS = 4
_READY_TIMEOUT_S = 240.0
_TIMM_TIMEOUT_S = 240.0
_TARGET = TargetRecipe(image_instances=1)


@dataclass(frozen=True)
class Comparison:
    """A case, compared.

    Attributes:
        case: what was compared.
        samples: files or texts.
        largest: largest magnitude of a reference feature.
        spread: how far the most telling component moves between samples.
        difference: largest difference between served and reference.
    """

    case: Case | TimmCase
    samples: int
    largest: float
    spread: float
    difference: float

    @property
    def is_equal(self) -> bool:
        """Whether what is served is what transformers says."""
        scale = max(1.0, self.largest)
        return self.difference <= RELATIVE_TOLERANCE * scale and self.spread >= LEAST_SPREAD


def compare(cases: Sequence[Case | TimmCase], folder: Path) -> list[Comparison]:
    """Compares cases.

    Args:
        cases: what to compare; all are served at the same time.
        folder: empty; checkpoints, graphs and the repository are left in it.

    Raises:
        ExporterError: a checkpoint could not be exported.
        LocalError: Triton did not come up.
        InferenceServerException: Triton refused a sample.
    """
    repository = folder / "repository"
    repository.mkdir()
    with progress("Exporting", len(cases)) as advance:
        models = _export_with_timm(
            [each.name for each in cases if isinstance(each, TimmCase)], folder
        )
        advance(len(models))
        for case in cases:
            if isinstance(case, Case):
                models[case.name] = _export(case, folder, repository)
                advance()
    http_port, grpc_port, metrics_port = free_ports(3)
    with (
        BundledTriton(
            repository=repository,
            models=list(models.values()),
            http_port=http_port,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            log_path=folder / "triton.log",
            ready_timeout_s=_READY_TIMEOUT_S,
        ) as triton,
        tritonclient.grpc.InferenceServerClient(triton.grpc_url) as client,
        progress("Comparing", len(cases)) as advance,
    ):
        comparisons = []
        for case in cases:
            comparisons.append(_compare(case, folder / case.name, client, models[case.name]))
            advance()
    return comparisons


def _export(case: Case, folder: Path, repository: Path) -> str:
    checkpoint, graph = folder / case.name, folder / f"{case.name}.onnx"
    case.save(checkpoint)
    if case.modality == "image":
        return export_image_case(case.name, folder, repository)
    recipe = TextEncoderRecipe.model_validate({"folder": checkpoint, "max_tokens": case.max_tokens})
    encoder = load_text_encoder(recipe)
    export_text_encoder(encoder, graph)
    model_folder = text_encoder_folder(encoder, graph, _TARGET)
    write_model(model_folder, repository)
    return model_folder.model.name


def export_image_case(name: str, folder: Path, repository: Path) -> str:
    """Exports the image checkpoint `folder`/`name` into a model repository.

    Returns:
        The model's name.
    """
    graph = folder / f"{name}.onnx"
    recipe = ImageEncoderRecipe.model_validate({"folder": folder / name, "jpeg_decode": "full"})
    encoder = load_image_encoder(recipe)
    export_image_encoder(encoder, graph)
    model_folder = image_encoder_folder(encoder, graph, _TARGET)
    write_model(model_folder, repository)
    return model_folder.model.name


def _export_with_timm(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Exports cases of timm, and writes what timm says of the samples beside them.

    Returns:
        The model of each case.
    """
    if not names:
        return {}
    arguments = ("-m", "tests.conformance.timm_side", str(folder), *names)
    result = run_with_timm(*arguments, timeout_s=_TIMM_TIMEOUT_S)
    assert result.returncode == 0, result.stderr[-3000:]
    models: dict[str, str] = json.loads(result.stdout.splitlines()[-1])
    return models


def _compare(
    case: Case | TimmCase,
    checkpoint: Path,
    client: tritonclient.grpc.InferenceServerClient,
    model: str,
) -> Comparison:
    if isinstance(case, TimmCase):
        expected = np.load(checkpoint.with_suffix(".npy"), allow_pickle=False)
        served = _ask(client, model, tensors.IMAGE, jpeg_files())
    elif case.modality == "text":
        expected = reference.text_features(case, checkpoint, TEXTS)
        served = _ask(client, model, tensors.TEXT, [text.encode() for text in TEXTS])
    else:
        files = jpeg_files()
        expected = reference.image_features(case, checkpoint, files)
        served = _ask(client, model, tensors.IMAGE, files)
    if expected.shape != served.shape:
        difference = float("inf")
    else:
        difference = float(np.abs(expected - served).max())
    return Comparison(
        case=case,
        samples=len(expected),
        largest=float(np.abs(expected).max()),
        spread=float(np.ptp(expected, axis=0).max()),
        difference=difference,
    )


def _ask(
    client: tritonclient.grpc.InferenceServerClient,
    model: str,
    name: str,
    rows: Sequence[bytes],
) -> npt.NDArray[np.float32]:
    """Features of all rows, several requests at a time, so that they meet in batches."""

    def ask(row: bytes) -> npt.NDArray[np.float32]:
        tensor = tritonclient.grpc.InferInput(name, [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[row]], dtype=np.object_))
        features: npt.NDArray[np.float32] = client.infer(model, [tensor]).as_numpy("FEATURES")
        return features

    with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
        return np.concatenate(list(pool.map(ask, rows)))
