"""The README's examples, run as they stand there; only addresses are those of the test's stack."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.readme_examples import example

if TYPE_CHECKING:
    from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("language", "mark"), [("sh", "curl"), ("python", "rest"), ("python", "grpc")]
)
def test_readme_example_prints_the_label(stack: Stack, language: str, mark: str) -> None:
    code = example(language, mark)
    code = code.replace("127.0.0.1:8080", stack.url.removeprefix("http://"))
    code = code.replace("127.0.0.1:8081", stack.grpc_target)
    command = ["bash", "-c", code] if language == "sh" else [sys.executable, "-c", code]

    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert result.returncode == 0, result.stderr
    assert "Animals & Nature" in result.stdout  # as the README says of its hedgehog


def test_readme_example_of_feedback_is_recorded_once(stack: Stack) -> None:
    code = example("python", "feedback")
    code = code.replace("127.0.0.1:8080", stack.url.removeprefix("http://"))

    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[:2] == ["Animals & Nature recorded", "unchanged"]
