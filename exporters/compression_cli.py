"""The command `compress`, and what commands that publish print; `exporters.cli` takes it up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exporters.recipe import load_recipe
from exporters.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.doctor import Finding

app = typer.Typer()


@app.command(
    epilog="Examples: python -m exporters compress openmoji --method int8 --refit-head; "
    "python -m exporters compress openmoji --method low-rank@text:energy=0.95 --method int8; "
    "python -m exporters compress openmoji --within 0.01"
)
def compress(  # noqa: PLR0913, PLR0917  # a command has as many as it has options
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="name or path of a recipe")],
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD[@text|image][:KEY=VALUE,...]",
            help="what to do; repeat for a sequence. exporters/README.md lists the methods",
        ),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="search for the fastest variant that loses at most so much accuracy, 0 to 1, "
            "with any set of modalities",
        ),
    ] = None,
    without_training: Annotated[
        bool,
        typer.Option("--without-training", help="let --within leave out what trains an encoder"),
    ] = False,
    refit_head: Annotated[
        bool, typer.Option("--refit-head", help="publish the head that is fitted again")
    ] = False,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="further images and texts, without labels, that --method trains and calibrates on",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="name of the variant", show_default="the recipe's, and the methods'"),
    ] = None,
    accept_batch_dependence: Annotated[
        bool,
        typer.Option(help="publish it even if its answers depend on what shares their batch"),
    ] = False,
    workspace: Annotated[Path, typer.Option(help="as of `train`")] = DEFAULT_WORKSPACE,
    model_repository: Annotated[Path, typer.Option(help="as of `export`")] = Path(
        "model_repository"
    ),
) -> None:
    """Makes a variant smaller and faster, says what that costs, proves and publishes it.

    Give --method, or --within to search. The variant is trained when needed and stays as it is; the
    compressed one is served under a name of its own. What was done before is kept: after Ctrl-C,
    the same command goes on.
    """
    if (method is None) == (within is None):
        raise typer.BadParameter("give --method or --within, and not both")
    if pairs is not None and within is not None:
        raise typer.BadParameter("--pairs goes with --method: a search has the training split")
    from exporters.compression import compress as compress_variant
    from exporters.compression import parse_steps
    from exporters.compression.report import cost_table, speed_table
    from exporters.publishing.compressed import publish_compressed
    from exporters.training import train as train_variant

    steps = parse_steps(method or ())
    place = Workspace(workspace)
    variant = train_variant(load_recipe(recipe), place)
    search = None
    if within is not None:
        from exporters.compression.search import search as search_variants

        search = search_variants(variant, within, place, has_training=not without_training)
        steps, refit_head = search.chosen.steps, search.chosen.has_refitted_head
        name = name or f"{variant.recipe.name}-within-{100 * within:g}".replace(".", "_")
    learned_from = None
    if pairs is not None:
        from exporters.compression.unlabelled import with_pairs

        learned_from = with_pairs(variant, pairs, place)
    compressed = compress_variant(
        variant,
        steps,
        place,
        name=name,
        is_head_refitted=refit_head,
        learned_from=learned_from,
    )
    print(f"{cost_table(compressed)}\n\n{speed_table(compressed)}\n")
    if search is not None:
        from exporters.compression.search_report import verdict, write_search_report

        print(f"{verdict(search, compressed)}\nSearch: {write_search_report(search, compressed)}")
    published = publish_compressed(
        compressed, model_repository, is_batch_dependence_accepted=accept_batch_dependence
    )
    for modalities, ensemble in published.ensembles.items():
        print(f"Published for {modalities}: {ensemble}")
    print_warnings(published.warnings)
    print(f"Graphs: {compressed.graphs_folder}")
    print(f"Report: {published.report}")


def print_warnings(findings: Sequence[Finding]) -> None:
    """Prints what the doctor says of new models."""
    for finding in findings:
        print(f"Warning ({finding.code}): {finding.model}: {finding.reason} {finding.remedy}")
