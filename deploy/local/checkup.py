"""Asks the exporters' doctor what would go wrong with the models that were chosen.

The rules know the digests, settings and graphs of the exporters, which this package does not
import: `python -m exporters doctor --json` is run as a process, and what it prints is all that is
known of it here. An environment that only serves may not have the exporters; then there is nothing
to ask.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import TYPE_CHECKING

from deploy.local.errors import PreflightError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TIMEOUT_S = 60.0  # it reads every file of a model once; the demo takes one second
_HAS_ANSWERED = (0, 1)  # no error, or some


def examine(repository: Path, models: Iterable[str]) -> list[str]:
    """Examines the chosen ensembles and their steps.

    Args:
        repository: the model repository.
        models: names of the ensembles.

    Returns:
        The warnings, and why there is no answer when there is none; one sentence each.

    Raises:
        PreflightError: there are errors; it carries all of them.
    """
    if importlib.util.find_spec("exporters") is None:
        return []
    try:
        doctor = subprocess.run(
            [sys.executable, "-m", "exporters", "doctor", *_arguments(repository, models)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return [f"The doctor gave no answer within {_TIMEOUT_S:.0f} s."]
    if doctor.returncode not in _HAS_ANSWERED:
        last_line = doctor.stderr.strip().rpartition("\n")[2]
        return [f"The doctor could not examine the models: {last_line}"]
    findings = json.loads(doctor.stdout)["findings"]
    lines = {
        severity: [
            f"{each['model']}: {each['reason']} {each['remedy']} ({each['code']})"
            for each in findings
            if each["severity"] == severity
        ]
        for severity in ("error", "warning")
    }
    if lines["error"]:
        raise PreflightError(lines["error"])
    return lines["warning"]


def _arguments(repository: Path, models: Iterable[str]) -> Iterator[str]:
    yield from ("--json", "--model-repository", str(repository))
    for model in models:
        yield from ("--model", model)
