"""The commands `rehearse` and `prove`; `exporters.cli` takes them up."""

from __future__ import annotations

import tempfile
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
