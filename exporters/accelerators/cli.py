"""The commands `rehearse` and `prove`; `exporters.cli` takes them up."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exporters.recipe import load_recipe
from exporters.repository.native_target import Precision, native_target
from exporters.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from exporters.conversion.tensorrt.engine import EngineReport

QuantisedOption = Annotated[
    Path | None,
    typer.Option(help="folder of Q/DQ graphs text.onnx and image.onnx, for precision int8"),
]

app = typer.Typer()


@app.command(epilog="Example: python -m exporters rehearse openmoji --precision fp32")
def rehearse(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="name or path of a recipe")],
    workspace: Annotated[Path, typer.Option(help="as of `export`")] = DEFAULT_WORKSPACE,
    precision: Annotated[
        list[Precision] | None,
        typer.Option(help="of the encoders; repeat for more", show_default="fp32 and fp16"),
    ] = None,
    quantised_graphs: QuantisedOption = None,
) -> None:
    """Builds the engines of target `tensorrt` without a GPU, with TensorRT for RTX.

    Shows that the graphs parse, that the profiles fit, and which precision each layer is typed in.
    Nothing that it builds is kept: Triton loads no engine of TensorRT for RTX.
    """
    loaded, place = load_recipe(recipe), Workspace(workspace)
    from exporters.conversion.tensorrt.library import find_rehearsal
    from exporters.publishing.engines import engine_table, write_engine_reports
    from exporters.publishing.native import export_native

    reports: list[EngineReport] = []
    for each in dict.fromkeys(precision or [Precision.FP32, Precision.FP16]):
        target = native_target("tensorrt", each)
        with tempfile.TemporaryDirectory(prefix="diptych-rehearsal-") as scratch:
            [written] = export_native(
                loaded,
                place,
                [target],
                Path(scratch),
                quantised=quantised_graphs,
                find_library=find_rehearsal,
            )
        print(f"{each} encoders, {written.engines[0].builder}, no GPU:")
        print(engine_table(written.engines))
        reports += written.engines
    record = place.targets_folder / "tensorrt-rehearsal.json"
    write_engine_reports(reports, record)
    print(f"All engines were built; none was run, and none is kept. Report: {record}")


class ProvedTarget(StrEnum):
    """Targets that run on a GPU."""

    GPU = "gpu"
    TENSORRT = "tensorrt"


@app.command(epilog="Example: python -m exporters prove openmoji --target gpu --target tensorrt")
def prove(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="name or path of a recipe")],
    target: Annotated[list[ProvedTarget], typer.Option(help="repeat for more")],
    workspace: Annotated[Path, typer.Option(help="as of `export`")] = DEFAULT_WORKSPACE,
    precision: Annotated[
        list[Precision] | None,
        typer.Option(help="of the encoders; repeat for more", show_default="fp32 and fp16"),
    ] = None,
    quantised_graphs: QuantisedOption = None,
    report: Annotated[
        Path, typer.Option(help="folder that a table named after the device goes to")
    ] = Path(".bench"),
) -> None:
    """Where a GPU is at hand: parity with torch, memory and throughput of what it would serve.

    Exit code 2 where there is no GPU, where a library is missing, or when an answer differs. It
    stamps no passport: that is of what Triton serves.
    """
    loaded, place = load_recipe(recipe), Workspace(workspace)
    from exporters.accelerators.device import find_gpu

    find_gpu("A proof")  # before anything that takes time
    from exporters.accelerators.run import prove_targets

    targets = [
        native_target(name.value, each)
        for name in dict.fromkeys(target)
        for each in dict.fromkeys(precision or [Precision.FP32, Precision.FP16])
    ]
    table, written = prove_targets(loaded, place, targets, quantised_graphs, report)
    print(f"{table}\n\nReport: {written}")
