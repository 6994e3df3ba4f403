"""The command line of the bench of feedback. For exit codes see `bench.command`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from loadtest.bench import report
from loadtest.bench.command import (
    OutputOption,
    QuickOption,
    conclude,
    new_app,
    told_by_exit_code,
)
from loadtest.bench.machine import this_machine
from loadtest.feedback_cost.run import judge, measure, running_gateway
from loadtest.feedback_cost.signing import Signer

app = new_app()

_RECEIPTS = 10_000
_QUICK_S = 0.5


@app.command(epilog="Example: python -m loadtest.feedback_cost --seconds 20")
def main(
    *,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=600.0, help="Length of each window, in seconds.")
    ] = 10.0,
    output: OutputOption = Path(".bench/feedback.json"),
    quick: QuickOption = False,
) -> None:
    """Measure what receipts cost, and labels that are committed a second; half a minute."""
    console = Console()
    with told_by_exit_code(output), TemporaryDirectory(prefix="diptych-feedback-") as name:
        keys_file = Path(name) / "receipts.toml"
        subprocess.run(
            [sys.executable, "-m", "gateway.receipts", "new", str(keys_file)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        signer = Signer(keys_file)
        cost = signer.measure(_RECEIPTS // 20 if quick else _RECEIPTS)
        console.print(
            f"A receipt of {cost.chars} characters: {cost.sign_us:.0f} µs to sign, "
            f"{cost.verify_us:.0f} µs to check",
            highlight=False,
        )
        with running_gateway(Path(name), keys_file) as port:
            windows = measure(signer, port, _QUICK_S if quick else seconds)
        for each in windows:
            console.print(
                f"{each.batch:>4} a request: {each.labels_rps:.0f} labels a second, "
                f"P50 {each.p50_ms:.0f} ms, P99 {each.p99_ms:.0f} ms",
                highlight=False,
            )
        verdicts = () if quick else judge(cost, windows)
        figures = {
            "machine": asdict(this_machine()),
            "receipt": asdict(cost),
            "windows": [asdict(each) for each in windows],
        }
        report.write_json(output, figures, verdicts)
    conclude(console, verdicts, output)
