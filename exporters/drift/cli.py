"""The command `drift`: captured traffic against a variant's reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from exporters.since import moment_of

EXIT_DRIFT: Final = 1


def drift(
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help="name of a published variant")],
    capture: Annotated[
        Path, typer.Option(help="folder that the gateway captures to (CAPTURE_FOLDER)")
    ],
    since: Annotated[
        str | None,
        typer.Option(help="leave out older answers: 7d, 12h or 2026-03-01", show_default="all"),
    ] = None,
    window: Annotated[int, typer.Option(min=100, max=10_000, help="answers of a window")] = 500,
    output: Annotated[
        Path | None,
        typer.Option(help="folder of the report", show_default=".diptych/drift/VARIANT"),
    ] = None,
    model_repository: Annotated[
        Path, typer.Option("--model-repository", help="folder that Triton serves models from")
    ] = Path("model_repository"),
) -> None:
    """Judges captured traffic by the reference that a variant was published with.

    Writes drift.md with pictures, and drift.json. Exit code 1 when the newest window shows drift.
    """
    from exporters.drift.published import read_published_reference
    from exporters.drift.report import write_drift_report

    report = write_drift_report(
        read_published_reference(model_repository, variant),
        capture,
        output or Path(".diptych") / "drift" / variant,
        since=moment_of(since),
        window_rows=window,
    )
    for each in report.windows:
        drifting = [found for found in each.findings if found.is_drifting]
        said = ", ".join(f"{found.kind} {found.ratio:.1f}" for found in drifting) or "as before"
        print(f"{each.until:%Y-%m-%d %H:%M}  {each.modalities:<5}  {each.rows:>5} rows  {said}")
    print(f"\nReport: {report.file}")
    if report.is_drifting:
        raise typer.Exit(EXIT_DRIFT)
