"""The command line: train, evaluate, compare and export recipes.

The edge of the process: errors that the user can cure become one sentence and a remedy with exit
code 2; Ctrl-C ends with code 130 and leaves nothing half-written. Anything else is a defect and
shows its traceback. torch and its like are imported when a command runs, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from exporters.errors import ExporterError, NotTrainedError
from exporters.recipe import load_recipe
from exporters.workspace import DEFAULT_WORKSPACE, Workspace

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
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", help="folder of data sets, features, heads and reports")
]
RepositoryOption = Annotated[
    Path, typer.Option("--model-repository", help="folder that Triton serves models from")
]

app = typer.Typer(
    name="exporters",
    help="Turns a recipe into a trained, proven and servable image+text classifier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command(epilog="Example: python -m exporters train openmoji")
def train(recipe: RecipeArgument, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Fits the recipe's fusion head and reports how good it is.

    Encoders stay frozen; their features are computed once. What has not changed is not done again.
    """
    loaded = load_recipe(recipe)
    from exporters.evaluation import quality_table, write_report
    from exporters.training import train as train_variant

    variant = train_variant(loaded, Workspace(workspace))
    print(quality_table(write_report(variant)))
    print(f"\nReport: {variant.run_folder / 'report.md'}")


@app.command(epilog="Example: python -m exporters evaluate openmoji")
def evaluate(recipe: RecipeArgument, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Measures a trained recipe on its held-out examples and writes the report again."""
    loaded = load_recipe(recipe)
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


@app.command(epilog="Example: python -m exporters export openmoji --model-repository models")
def export(
    recipe: RecipeArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model_repository: RepositoryOption = Path("model_repository"),
) -> None:
    """Trains when needed, converts to ONNX, proves parity through Triton, and publishes.

    A failed proof fails the export and leaves nothing published.
    """
    loaded = load_recipe(recipe)
    from exporters.publishing import export as export_variant

    published = export_variant(loaded, Workspace(workspace), model_repository)
    state = "Published" if published.is_new else "Already published"
    for modalities, ensemble in published.ensembles.items():
        print(f"{state} for {modalities}: {ensemble}")
    print(f"Report: {published.report}")


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
