"""What the command lines of all benches share: options, exit codes, interruption, verdicts.

Exit codes: 0 all targets are met; 1 one is missed, an answer was wrong or a server failed; 2
nothing was measured because something is missing; 130 interrupted.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from deploy.local.errors import LocalError, RepositoryError, ServiceExitedError, TritonRuntimeError
from loadtest.bench.corpus import make_corpus
from loadtest.bench.errors import (
    BenchError,
    CorpusError,
    ObstacleError,
    OutputError,
    UnsupportedVariantError,
)
from loadtest.bench.subject import Subject
from loadtest.bench.variant import read_variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from loadtest.bench.targets import Verdict

EXIT_MISSED: Final = 1
EXIT_OBSTACLE: Final = 2
EXIT_INTERRUPTED: Final = 130

_OBSTACLES: Final = (
    RepositoryError,
    TritonRuntimeError,
    CorpusError,
    OutputError,
    UnsupportedVariantError,
    ObstacleError,
)

OutputOption = Annotated[
    Path, typer.Option(help="File for the figures; logs of the servers go beside it.")
]
RepositoryOption = Annotated[Path, typer.Option(help="Folder that the exporters publish into.")]
VariantOption = Annotated[str, typer.Option(help="Variant to measure: `name` or `name@digest`.")]
QuickOption = Annotated[
    bool, typer.Option("--quick", help="Try every part in short windows; judge no target.")
]

DEFAULT_REPOSITORY: Final = Path("model_repository")
DEFAULT_VARIANT: Final = "openmoji"


def new_app() -> typer.Typer:
    """Makes the command line of a bench."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        # Otherwise `[target]` is read as a style, and lines of docstrings are not joined.
        rich_markup_mode="markdown",
    )


@contextmanager
def told_by_exit_code(output: Path) -> Iterator[None]:
    """Runs a bench: makes room for its figures, and turns what stops it into an exit code.

    Args:
        output: the file for the figures; its folder is made before anything is measured.
    """
    errors = Console(stderr=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _prepare(output)
        yield
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


def read_subject(repository: Path, variant_name: str, output: Path) -> Subject:
    """Reads what is to be measured; its servers log beside the figures.

    Raises:
        BenchError, LocalError: the variant or the requests for it cannot be had.
    """
    variant = read_variant(repository, variant_name)
    corpus = make_corpus(variant.tokeniser.load())
    return Subject(repository, variant, corpus, log_folder(output))


def log_folder(output: Path) -> Path:
    """Where servers log while they are measured."""
    return (output.parent / "logs").absolute()


def conclude(console: Console, verdicts: Sequence[Verdict], output: Path) -> None:
    """Says how each target was met, a line each, and ends with 1 when one was missed."""
    for verdict in verdicts:
        bound = "at least" if verdict.is_lower_bound else "below"
        console.print(
            f"{'met   ' if verdict.is_met else 'MISSED'}  {verdict.name}: "
            f"{verdict.shown} ({bound} {verdict.limit:g})",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"Figures: {output}", soft_wrap=True, highlight=False)
    if not all(verdict.is_met for verdict in verdicts):
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
