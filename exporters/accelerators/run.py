"""The command `prove`: every target and precision on the GPU at hand, in one table."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.accelerators.device import find_gpu
from exporters.accelerators.proof import prove_on
from exporters.accelerators.runtimes import OnnxRuntime, TensorRtRuntime
from exporters.atomic import atomic_file
from exporters.conversion.tensorrt.library import find_tensorrt
from exporters.evaluation.report import markdown_table
from exporters.publishing.errors import ParityError
from exporters.publishing.precision import in_precision, require_quantised
from exporters.publishing.stage import convert
from exporters.repository.native_target import Precision
from exporters.training import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.accelerators.device import Gpu
    from exporters.accelerators.proof import DeviceProof
    from exporters.accelerators.runtimes import Runtime
    from exporters.recipe import Recipe
    from exporters.repository.native_target import NativeTarget
    from exporters.workspace import Workspace

_HEADER = (
    "target",
    "encoders",
    "modalities",
    "largest difference",
    "allowed",
    "label flips",
    "GPU memory, MiB",
    "images/s at 1, 8, 32",
    "texts/s at 1, 8, 32",
)


def prove_targets(
    recipe: Recipe,
    workspace: Workspace,
    targets: Sequence[NativeTarget],
    quantised: Path | None,
    folder: Path,
) -> tuple[str, Path]:
    """Proves targets one after the other and writes their table.

    Args:
        recipe: what to prove.
        workspace: where features and heads are kept.
        targets: what to prove it for.
        quantised: for precision int8, the folder of Q/DQ graphs.
        folder: where the table goes, named after the device.

    Returns:
        The table and its file.

    Raises:
        ParityError: an answer differs; the table is written all the same.
        ExporterError: there is no GPU, or something that is needed is missing.
    """
    gpu = find_gpu("A proof")
    if any(target.precision is Precision.INT8 for target in targets):
        require_quantised(quantised)
    variant = train(recipe, workspace)
    rows: list[tuple[str, ...]] = []
    proofs: list[DeviceProof] = []
    with tempfile.TemporaryDirectory(prefix="diptych-proof-") as scratch:
        graphs = convert(variant, Path(scratch))
        for target in targets:
            served = in_precision(variant, graphs, target.precision, quantised)
            proof = prove_on(_runtime(target, Path(scratch)), variant, served, target)
            proofs.append(proof)
            rows += _rows(target, proof, find_gpu("A proof").used_mib - gpu.used_mib)
    table = markdown_table(_HEADER, rows)
    written = folder / f"{_slug(gpu)}.md"
    with atomic_file(written) as path:
        path.write_text(f"# {recipe.name} on {gpu.name}\n\n{table}\n", encoding="utf-8")
    for proof in proofs:
        for modalities, parity in proof.parity.items():
            if not parity.has_passed:
                raise ParityError(
                    modalities,
                    parity.max_abs_difference,
                    parity.tolerance,
                    parity.label_flips,
                    written,
                )
    return table, written


def _runtime(target: NativeTarget, scratch: Path) -> Runtime:
    if target.backend == "tensorrt":
        return TensorRtRuntime(find_tensorrt(), scratch)
    return OnnxRuntime()


def _rows(target: NativeTarget, proof: DeviceProof, used_mib: int) -> list[tuple[str, ...]]:
    speed = {
        encoder: ", ".join(f"{rate:.0f}" for rate in by_batch.values())
        for encoder, by_batch in proof.rows_per_s.items()
    }
    return [
        (
            target.name,
            target.precision,
            modalities,
            f"{parity.max_abs_difference:.1e}",
            f"{parity.tolerance:.0e}",
            str(parity.label_flips),
            str(used_mib),
            speed["image"],
            speed["text"],
        )
        for modalities, parity in proof.parity.items()
    ]


def _slug(gpu: Gpu) -> str:
    return re.sub(r"[^a-z0-9]+", "-", gpu.name.lower()).strip("-")
