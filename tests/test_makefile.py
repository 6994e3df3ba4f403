"""`make help` is complete, and CI calls what a person would type."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INTERNAL = {"machine"}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def test_help_lists_every_target_with_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))

    result = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    listed = set(re.findall(r"^  make (\S+) +\S", result.stdout, re.MULTILINE))
    assert listed == targets - INTERNAL


def test_every_target_can_be_planned() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)

    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=True)


def test_ci_calls_the_checks_and_the_tests_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
    assert re.findall(r"for target in (.*);", script) == ["check deploy-check test"]
