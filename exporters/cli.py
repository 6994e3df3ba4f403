"""The command line: train, evaluate, compare, export and retrain; examine a model repository.

The edge of the process: errors that the user can cure become one sentence and a remedy with exit
code 2; Ctrl-C ends with code 130 and leaves nothing half-written. Anything else is a defect and
shows its traceback. torch and its like are imported when a command runs, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from exporters.accelerators.cli import QuantisedOption
from exporters.accelerators.cli import app as accelerators_app
from exporters.compression_cli import app as compression_app
from exporters.compression_cli import print_warnings
from exporters.drift.cli import drift
from exporters.errors import ExporterError, NotTrainedError
from exporters.finetune_option import with_finetune
from exporters.recipe import load_recipe
from exporters.repository.native_target import Precision, native_target
from exporters.retraining.cli import retrain
from exporters.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.alignment import AlignedTowers
    from exporters.recipe import Recipe
    from exporters.repository.native_target import NativeTarget

EXIT_FINDINGS: Final = 1
EXIT_USER_ERROR: Final = 2
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT: what typer makes of Ctrl-C, and shells report

RecipeArgument = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="name of a shipped recipe, or path of a TOML file"),
]
RecipesArgument = Annotated[
    list[str],
    typer.Argument(metavar="RECIPE...", help="names of shipped recipes, or paths of TOML files"),
]
HeadsOption = Annotated[
    str | None, typer.Option("--heads", help="names of registered heads, with commas between")
]
FoldsOption = Annotated[
    int, typer.Option("--folds", min=2, max=50, help="parts that are held out in turn")
]
FinetuneOption = Annotated[
    str | None,
    typer.Option(
        "--finetune",
        metavar="N|all|text=N,image=N",
        help="fine-tune the last N layers of the encoders, or all",
        show_default="as the recipe's [finetune] says",
    ),
]
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", help="folder of data sets, features, heads and reports")
]
RepositoryOption = Annotated[
    Path, typer.Option("--model-repository", help="folder that Triton serves models from")
]


class Target(StrEnum):
    """What a variant can be exported for."""

    EMBEDDED = "embedded"
    CPU = "cpu"
    GPU = "gpu"
    TENSORRT = "tensorrt"


app = typer.Typer(
    name="exporters",
    help="Turns a recipe into a trained, proven and servable image+text classifier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(accelerators_app)
app.add_typer(compression_app)
app.command(epilog="Example: python -m exporters drift openmoji --capture captured --since 7d")(
    drift
)
app.command(
    epilog="Example: python -m exporters retrain openmoji --since 30d --capture captured "
    "--database sqlite:////var/lib/diptych/diptych.sqlite3"
)(retrain)


@app.command(epilog="Example: python -m exporters train openmoji")
def train(
    recipe: RecipeArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    finetune: FinetuneOption = None,
) -> None:
    """Fits the recipe's fusion head and reports how good it is.

    Encoders stay frozen, and their features are computed once, unless --finetune says otherwise.
    What has not changed is not done again, and a fine-tuning that was stopped goes on.
    """
    loaded = with_finetune(load_recipe(recipe), finetune)
    from exporters.evaluation import quality_table, write_report
    from exporters.training import train as train_variant

    variant = train_variant(loaded, Workspace(workspace))
    print(quality_table(write_report(variant)))
    print(f"\nReport: {variant.run_folder / 'report.md'}")


@app.command(epilog="Example: python -m exporters align openmoji-zero-shot")
def align(recipe: RecipeArgument, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Makes a dual tower of the recipe's two encoders, and reports what it does with new labels.

    Encoders stay frozen; projections into one space are trained by InfoNCE, or the checkpoint's own
    are taken. What has not changed is not done again.
    """
    loaded = load_recipe(recipe)
    from exporters.alignment import align as align_encoders

    _print_zero_shot_report(align_encoders(loaded, Workspace(workspace)))


@app.command(epilog="Example: python -m exporters evaluate openmoji")
def evaluate(
    recipe: RecipeArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    finetune: FinetuneOption = None,
) -> None:
    """Measures a trained recipe on its held-out examples and writes the report again."""
    loaded = with_finetune(load_recipe(recipe), finetune)
    if loaded.dual_tower is not None:
        from exporters.alignment import load_aligned

        towers = load_aligned(loaded, Workspace(workspace))
        if towers is None:
            raise NotTrainedError(recipe, workspace, "align")
        _print_zero_shot_report(towers)
        return
    from exporters.evaluation import quality_table, write_report
    from exporters.training import load_trained

    variant = load_trained(loaded, Workspace(workspace))
    if variant is None:
        raise NotTrainedError(recipe, workspace)
    print(quality_table(write_report(variant)))
    print(f"\nReport: {variant.run_folder / 'report.md'}")


@app.command(epilog="Example: python -m exporters compare openmoji --heads gated,concat_mlp")
def compare(
    recipes: RecipesArgument,
    heads: HeadsOption = None,
    folds: FoldsOption = 5,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
) -> None:
    """Fits several heads on the same folds; writes one table and one plot with intervals.

    With one recipe: all registered heads, or those of --heads. With several recipes over the same
    examples: each recipe's own head, or those of --heads on each. Finished fits are kept: after
    Ctrl-C, the same command goes on.
    """
    loaded = [load_recipe(recipe) for recipe in recipes]
    named = (name.strip() for name in (heads or "").split(","))
    names = list(dict.fromkeys(name for name in named if name))
    from exporters.comparison import compare as compare_heads
    from exporters.comparison import comparison_table, verdict, write_comparison

    comparison = compare_heads(loaded, names, folds, Workspace(workspace))
    report = write_comparison(comparison)
    print(f"{comparison_table(comparison)}\n\n{verdict(comparison)}\n\nReport: {report}")


@app.command(
    epilog="Examples: python -m exporters export openmoji --model-repository models; "
    "python -m exporters export openmoji --target cpu --target gpu --target tensorrt"
)
def export(  # noqa: PLR0913, PLR0917  # a command has as many as it has options
    recipe: RecipeArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model_repository: RepositoryOption = Path("model_repository"),
    target: Annotated[
        list[Target] | None,
        typer.Option(
            help="where it is to be served; repeat for more. The Triton bundled here can prove "
            "`embedded` alone: the others are written, unproved, to --target-folder",
            show_default="embedded",
        ),
    ] = None,
    target_folder: Annotated[
        Path | None,
        typer.Option(
            help="folder of a model repository for each unproved target",
            show_default="targets in the workspace",
        ),
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help="of the encoders of all unproved targets",
            show_default="fp32 on the CPU, else fp16",
        ),
    ] = None,
    quantised_graphs: QuantisedOption = None,
    finetune: FinetuneOption = None,
) -> None:
    """Trains when needed, converts to ONNX, proves parity through Triton, and publishes.

    A failed proof fails the export and leaves nothing published; so does an error that the doctor
    finds.
    """
    loaded, place = with_finetune(load_recipe(recipe), finetune), Workspace(workspace)
    targets = dict.fromkeys(target or [Target.EMBEDDED])
    if Target.EMBEDDED in targets:
        _export_embedded(loaded, place, model_repository)
    if names := [name for name in targets if name is not Target.EMBEDDED]:
        folder = target_folder or place.targets_folder
        natives = [native_target(name, precision) for name in names]
        _export_unproved(loaded, place, natives, folder, quantised_graphs)


@app.command(
    epilog="Examples: python -m exporters doctor; "
    "python -m exporters doctor --model-repository models --cores 8 --shared-memory-mib 64 --json"
)
def doctor(
    model_repository: RepositoryOption = Path("model_repository"),
    model: Annotated[
        list[str] | None,
        typer.Option(help="look at this model and its steps alone; repeat for more"),
    ] = None,
    cores: Annotated[
        int | None,
        typer.Option(min=1, help="cores of the machine that serves", show_default="this one's"),
    ] = None,
    shared_memory_mib: Annotated[
        int | None,
        typer.Option(min=0, help="its /dev/shm in MiB", show_default="this one's"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Reads a model repository and says what would go wrong in production.

    Exit code 1 when there is an error: Triton refuses a model, the gateway routes nothing to it, or
    what serves is not what was proved. Warnings alone exit with 0. The rules: exporters/README.md.
    """
    from exporters.doctor import Machine, Severity, examine, read_repository, report
    from exporters.doctor.machine import MIB, this_machine

    here = this_machine()
    shared_memory_bytes = (
        here.shared_memory_bytes if shared_memory_mib is None else shared_memory_mib * MIB
    )
    repository = read_repository(model_repository, model or ())
    findings = examine(repository, Machine(cores or here.cores, shared_memory_bytes))
    render = report.as_json if as_json else report.as_text
    print(render(findings, len(repository.models) + len(repository.unreadable)))
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(EXIT_FINDINGS)


def _print_zero_shot_report(towers: AlignedTowers) -> None:
    from exporters.evaluation.report import REPORT
    from exporters.evaluation.zero_shot_report import write_zero_shot_report, zero_shot_table

    print(zero_shot_table(write_zero_shot_report(towers)))
    print(f"\nReport: {towers.run_folder / REPORT}")


def _export_embedded(recipe: Recipe, workspace: Workspace, model_repository: Path) -> None:
    from exporters.publishing import export as export_variant

    published = export_variant(recipe, workspace, model_repository)
    state = "Published" if published.is_new else "Already published"
    for modalities, ensemble in published.ensembles.items():
        print(f"{state} for {modalities}: {ensemble}")
    print_warnings(published.warnings)
    print(f"Report: {published.report}")


def _export_unproved(
    recipe: Recipe,
    workspace: Workspace,
    targets: Sequence[NativeTarget],
    folder: Path,
    quantised: Path | None,
) -> None:
    from exporters.publishing.engines import engine_table
    from exporters.publishing.native import export_native

    for written in export_native(recipe, workspace, targets, folder, quantised=quantised):
        for modalities, ensemble in written.ensembles.items():
            print(f"Written for {written.target}, NOT PROVED, for {modalities}: {ensemble}")
        print_warnings(written.warnings)
        if written.engines:
            print(engine_table(written.engines))
        print(f"Model repository of {written.target}: {written.repository}")


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    try:
        app()
    except ExporterError as error:
        sys.stderr.write(f"Error: {error}\n{error.remedy}\n")
        sys.exit(EXIT_USER_ERROR)
    except SystemExit as ending:
        if ending.code == EXIT_INTERRUPTED:
            sys.stderr.write("Interrupted; nothing is half-written. Run it again to go on.\n")
        raise
