"""The command line of the bench.

Exit codes: 0 all targets are met; 1 one is missed, an answer was wrong or a server failed; 2
nothing was measured because something is missing; 130 interrupted.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from deploy.local.errors import LocalError, RepositoryError, ServiceExitedError, TritonRuntimeError
from loadtest.bench import report
from loadtest.bench.errors import BenchError, CorpusError, OutputError, UnsupportedVariantError
from loadtest.bench.narrator import Narrator
from loadtest.bench.plan import Plan
from loadtest.bench.run import run
from loadtest.bench.targets import judge

if TYPE_CHECKING:
    from types import FrameType

EXIT_MISSED: Final = 1
EXIT_OBSTACLE: Final = 2
EXIT_INTERRUPTED: Final = 130

_OBSTACLES: Final = (
    RepositoryError,
    TritonRuntimeError,
    CorpusError,
    OutputError,
    UnsupportedVariantError,
)

_TABLE_WIDTH: Final = 120  # in a log, where there is no terminal that has one

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m loadtest.bench --seconds 6 --output .bench/slow.json")
def bench(
    *,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=60.0, help="Length of a window, in seconds.")
    ] = 4.0,
    output: Annotated[
        Path, typer.Option(help="File for the figures; logs of the servers go beside it.")
    ] = Path(".bench/main.json"),
    model_repository: Annotated[
        Path, typer.Option(help="Folder that the exporters publish into.")
    ] = Path("model_repository"),
    variant: Annotated[
        str, typer.Option(help="Variant to measure: `name` or `name@digest`.")
    ] = "openmoji",
    quick: Annotated[
        bool, typer.Option("--quick", help="Try every part in short windows; judge no target.")
    ] = False,
) -> None:
    """Measure the service on this machine against its targets; about four minutes.

    Throughput and latency through the gateway at 1, 8 and 16 clients, in turns with the same work
    in-process and with a plain FastAPI service; CPU by process, memory, start.
    """
    console, errors = Console(), Console(stderr=True)
    if not console.is_terminal:
        console.width = max(console.width, _TABLE_WIDTH)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    plan = Plan.quick() if quick else Plan.full(seconds)
    try:
        _prepare(output)
        log_folder = (output.parent / "logs").absolute()
        figures = run(model_repository, variant, plan, log_folder, Narrator(console))
        verdicts = () if quick else judge(figures)
        report.write(output, figures, verdicts)
    except (BenchError, LocalError) as error:
        if isinstance(error, ServiceExitedError):
            for line in error.last_lines:
                errors.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
        errors.print(str(error), soft_wrap=True, markup=False, highlight=False)
        code = EXIT_OBSTACLE if isinstance(error, _OBSTACLES) else EXIT_MISSED
        raise typer.Exit(code) from error
    except KeyboardInterrupt:
        errors.print("Interrupted; every process is stopped, no figures were written.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    report.show(console, figures, verdicts)
    console.print(f"Figures: {output}", soft_wrap=True, highlight=False)
    if figures.failures or not all(verdict.is_met for verdict in verdicts):
        raise typer.Exit(EXIT_MISSED)


def _prepare(output: Path) -> None:
    """Finds out before anything is measured whether the figures can be written."""
    if output.is_dir():
        raise OutputError(output, "it is a folder")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(output, error.strerror or str(error)) from error


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # kill and a closed terminal stop it as Ctrl-C does
