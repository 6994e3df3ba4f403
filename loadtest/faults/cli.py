"""The command line of the fault bench. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from loadtest.bench import report
from loadtest.bench.command import (
    OutputOption,
    QuickOption,
    conclude,
    log_folder,
    new_app,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.bench.narrator import Narrator
from loadtest.faults.arena import Arena
from loadtest.faults.faults import FAULTS
from loadtest.faults.figures import judge
from loadtest.faults.run import Plan, run_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.faults.faults import Fault
    from loadtest.faults.figures import FaultFigures

app = new_app()


@app.command(epilog="Example: python -m loadtest.faults --only 'black hole,triton killed'")
def main(
    *,
    only: Annotated[
        str, typer.Option(help="Faults by comma; all without it. A wrong name lists them.")
    ] = "",
    output: OutputOption = Path(".bench/faults.json"),
    quick: QuickOption = False,
) -> None:
    """Do one fault after the other to three Tritons and a gateway under load; about five minutes.

    Open loop; latency counts from the time at which a request was due. The model is a stand-in that
    takes 10 ms for an input; all else is real.
    """
    console = Console()
    faults = _chosen(only)
    with told_by_exit_code(output), TemporaryDirectory(prefix="diptych-faults-") as folder:
        figures, left_out = _run(
            Arena(Path(folder), log_folder(output)),
            faults,
            Plan.short() if quick else Plan(),
            Narrator(console),
        )
        verdicts = () if quick else judge(figures)
        console.print(_table(figures))
        for fault in left_out:
            console.print(f"NOT DONE  {fault.name}: no /dev/shm of its own can be mounted here")
        written = {
            "machine": asdict(this_machine()),
            "faults": [asdict(each) for each in figures],
            "not_done": [each.name for each in left_out],
        }
        report.write_json(output, written, verdicts)
    conclude(console, verdicts, output)


def _chosen(only: str) -> list[Fault]:
    names = [name for part in only.split(",") if (name := part.strip())]
    by_name = {each.name: each for each in FAULTS}
    if unknown := [name for name in names if name not in by_name]:
        raise typer.BadParameter(
            f"{', '.join(unknown)}: not one of {', '.join(by_name)}", param_hint="--only"
        )
    return [by_name[name] for name in names] or list(FAULTS)


def _run(
    arena: Arena, faults: Sequence[Fault], plan: Plan, narrator: Narrator
) -> tuple[list[FaultFigures], list[Fault]]:
    figures, left_out = [], []
    with arena:
        narrator.say(f"{len(arena.tritons)} Tritons are up; {plan.rate_rps:g} requests a second")
        for fault in faults:
            if fault.needs_shared_memory and not arena.has_own_shared_memory:
                left_out.append(fault)
                continue
            for host in arena.revive():
                narrator.say(f"the Triton on {host} had ended by itself: started again")
            each = run_fault(arena, fault, plan)
            figures.append(each)
            narrator.say(
                f"{each.name}: {each.answered_ratio:.0%} answered during {each.fault_s:.1f} s, "
                f"{each.dishonest} of {each.requests} without an honest answer in time, recovery "
                f"{each.recovery_s:.2f} s, {dict(each.statuses)}"
            )
    return figures, left_out


def _table(figures: Sequence[FaultFigures]) -> Table:
    table = Table(title="Faults under load")
    table.add_column("fault")
    for heading in ("answered meanwhile", "no honest answer", "latest ms", "recovery s", "replies"):
        table.add_column(heading, justify="right")
    for each in figures:
        table.add_row(
            each.name,
            f"{each.answered_ratio:.0%}",
            str(each.dishonest),
            f"{each.worst_ms:.0f}",
            f"{each.recovery_s:.2f}",
            " ".join(f"{status}:{count}" for status, count in each.statuses.items()),
        )
    return table
