"""The command line of the balance bench. For exit codes see `loadtest.bench.command`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from loadtest.balance import own_network
from loadtest.balance.figures import judge
from loadtest.balance.run import Plan, run_balance
from loadtest.balance.servers import running
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

app = new_app()


@app.command(epilog="Example: python -m loadtest.balance --output .bench/balance.json")
def main(
    *,
    output: OutputOption = Path(".bench/balance.json"),
    quick: QuickOption = False,
) -> None:
    """Ask three Tritons behind one name, kill one under load, bring it back; two minutes.

    In a network of its own: the name is looked up at a real DNS server, by the C library. Open
    loop. The model is a stand-in that takes 10 ms for an input; all else is real.
    """
    console = Console()
    with told_by_exit_code(output):
        if not own_network.is_inside():
            own_network.enter("loadtest.balance", sys.argv[1:])
        narrator = Narrator(console)
        plan = Plan.short() if quick else Plan()
        with (
            TemporaryDirectory(prefix="diptych-balance-") as folder,
            running(Path(folder), log_folder(output), plan.variables()) as servers,
        ):
            narrator.say(f"three Tritons are up; {plan.rate_rps:g} requests a second")
            balance = run_balance(servers, plan, narrator)
        verdicts = () if quick else judge(balance)
        figures = {"machine": asdict(this_machine()), "plan": asdict(plan), **asdict(balance)}
        report.write_json(output, figures, verdicts)
    conclude(console, verdicts, output)
