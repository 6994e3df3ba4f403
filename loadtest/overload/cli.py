"""The command line of the overload bench.

Exit codes: 0 all targets are met; 1 one is missed or a server failed; 2 nothing was measured
because something is missing; 130 interrupted.
"""

from __future__ import annotations

import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.local.errors import LocalError, RepositoryError, TritonRuntimeError
from loadtest.bench import report
from loadtest.bench.corpus import make_corpus
from loadtest.bench.errors import BenchError, CorpusError, UnsupportedVariantError
from loadtest.bench.machine import this_machine
from loadtest.bench.narrator import Narrator
from loadtest.bench.subject import Subject
from loadtest.bench.variant import read_variant
from loadtest.overload.figures import judge
from loadtest.overload.run import MULTIPLES, Plan, overload, sustainable_rps

if TYPE_CHECKING:
    from types import FrameType

    from loadtest.bench.targets import Verdict

_OBSTACLES = (RepositoryError, TritonRuntimeError, CorpusError, UnsupportedVariantError)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m loadtest.overload --seconds 10 --output .bench/short.json")
def main(
    *,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of each overload, in seconds.")
    ] = 30.0,
    output: Annotated[
        Path, typer.Option(help="File for the figures; logs of the servers go beside it.")
    ] = Path(".bench/overload.json"),
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
    """Send 2, 4 and 10 times the sustainable rate, open loop; about three minutes.

    Latency counts from the time at which a request was due. The sustainable rate is found first.
    """
    console, errors = Console(), Console(stderr=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    plan = Plan.quick() if quick else Plan(overload_s=seconds)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        subject = _subject(model_repository, variant, output.parent / "logs")
        verdicts = _measure(subject, plan, Narrator(console), output, is_quick=quick)
    except (BenchError, LocalError) as error:
        errors.print(str(error), soft_wrap=True, markup=False, highlight=False)
        raise typer.Exit(2 if isinstance(error, _OBSTACLES) else 1) from error
    except KeyboardInterrupt:
        errors.print("Interrupted; every process is stopped, no figures were written.")
        raise typer.Exit(130) from None
    for verdict in verdicts:
        bound = "at least" if verdict.is_lower_bound else "below"
        console.print(
            f"{'met   ' if verdict.is_met else 'MISSED'}  {verdict.name}: "
            f"{verdict.figure:.2f} {verdict.unit} ({bound} {verdict.limit:g})",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"Figures: {output}", soft_wrap=True, highlight=False)
    if not all(verdict.is_met for verdict in verdicts):
        raise typer.Exit(1)


def _subject(repository: Path, name: str, log_folder: Path) -> Subject:
    variant = read_variant(repository, name)
    corpus = make_corpus(variant.tokeniser.load())
    return Subject(repository, variant, corpus, log_folder.absolute())


def _measure(
    subject: Subject, plan: Plan, narrator: Narrator, output: Path, *, is_quick: bool
) -> tuple[Verdict, ...]:
    variant = subject.variant
    with subject.stack() as stack:
        narrator.say(f"{variant.name}@{variant.digest[:12]} is up")
        server = subject.server(stack.address)
        sustained_rps = sustainable_rps(server, plan, narrator)
        loads = [overload(server, each, sustained_rps, plan, narrator) for each in MULTIPLES]
    verdicts = () if is_quick else judge(loads)
    figures = {
        "machine": asdict(this_machine()),
        "variant": f"{variant.name}@{variant.digest}",
        "seconds": plan.overload_s,
        "sustainable_rps": sustained_rps,
        "loads": [asdict(each) for each in loads],
    }
    report.write_json(output, figures, verdicts)
    return verdicts


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # kill and a closed terminal stop it as Ctrl-C does
