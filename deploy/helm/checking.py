"""All static checks of the chart, one after the other: what `make deploy-check` runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from deploy.helm.bundle import stale_copies
from deploy.helm.chart import CHART, HELMS, KUBERNETES, value_files
from deploy.helm.documents import readme_text, schema_text
from deploy.helm.finding import Finding
from deploy.helm.objects import Chart
from deploy.helm.rendering import Helm, RenderError, documents
from deploy.helm.rules import judge
from deploy.helm.scanning import judge_scans, read_accepted, scan
from deploy.helm.schemas import schema_faults
from deploy.helm.usage import unused_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = Callable[["Renderings"], Iterator[Finding]]


@dataclass(frozen=True)
class Rendering:
    """One way to render the chart, and what came out."""

    feature: str
    helm: str
    kubernetes: str
    text: str


class Renderings:
    """The chart rendered over all value files, with each Helm, for each Kubernetes."""

    def __init__(self) -> None:
        self.all: list[Rendering] = []
        self.failures: list[Finding] = []
        for feature, path in value_files().items():
            for name in HELMS:
                for kubernetes in KUBERNETES:
                    self._render(feature, path, Helm(name), kubernetes)

    def _render(self, feature: str, path: Path, helm: Helm, kubernetes: str) -> None:
        try:
            text = helm.template([path], kubernetes=kubernetes)
        except RenderError as error:
            self.failures.append(Finding("template", f"{feature}, {helm.tool}", error.reason))
            return
        self.all.append(Rendering(feature, helm.tool, kubernetes, text))

    def distinct(self) -> dict[str, Rendering]:
        """Returns each text that was rendered, once, with one way to it."""
        return {each.text: each for each in self.all}


def lint(_: Renderings) -> Iterator[Finding]:
    """Both Helms' own linters, strictly."""
    for name in HELMS:
        try:
            Helm(name).lint()
        except RenderError as error:
            yield Finding("lint", name, error.reason)


def templates(renderings: Renderings) -> Iterator[Finding]:
    """Every value file renders."""
    yield from renderings.failures


def schemas(renderings: Renderings) -> Iterator[Finding]:
    """Every object fits the strict schema of its kind, for each Kubernetes."""
    seen: set[tuple[str, str]] = set()
    for rendering in renderings.all:
        for document in documents(rendering.text):
            key = (repr(document), rendering.kubernetes)
            if key in seen:
                continue
            seen.add(key)
            for subject, what in schema_faults(document, rendering.kubernetes):
                yield Finding("schemas", f"{rendering.feature}: {subject}", what)


def rules(renderings: Renderings) -> Iterator[Finding]:
    """What schemas miss."""
    for rendering in renderings.distinct().values():
        for finding in judge(Chart(documents(rendering.text))):
            yield Finding(finding.check, f"{rendering.feature}: {finding.subject}", finding.what)


def values(_: Renderings) -> Iterator[Finding]:
    """Each value does something."""
    yield from unused_values()


def made_files(_: Renderings) -> Iterator[Finding]:
    """What is made from other files is as they are."""
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    stale = "it is older than values.yaml: run python -m deploy.helm document"
    if readme_text(readme) != readme:
        yield Finding("made-files", "README.md", stale)
    if schema_text() != (CHART / "values.schema.json").read_text(encoding="utf-8"):
        yield Finding("made-files", "values.schema.json", stale)
    for path in stale_copies():
        yield Finding("made-files", path, "it is no copy: run python -m deploy.helm document")


def scanners(renderings: Renderings) -> Iterator[Finding]:
    """Trivy and checkov find nothing but what is accepted with its reason."""
    with TemporaryDirectory(prefix="diptych-chart-") as folder:
        for number, rendering in enumerate(renderings.distinct().values()):
            if rendering.kubernetes == KUBERNETES[-1] and rendering.helm == HELMS[-1]:
                path = Path(folder, f"{number}-{rendering.feature}.yaml")
                path.write_text(rendering.text, encoding="utf-8")
        yield from judge_scans(scan(Path(folder)), read_accepted())


CHECKS: Final[dict[str, Check]] = {
    each.__name__: each for each in (lint, templates, schemas, rules, made_files, values, scanners)
}


def run_checks(say: Callable[[str], None]) -> list[Finding]:
    """Runs all checks.

    Args:
        say: is told what each of them took.

    Returns:
        All that they found.

    Raises:
        ToolError: a tool cannot be had.
        ScanError: a scanner did not run to its end.
    """
    start_s = time.monotonic()
    renderings = Renderings()
    taken_s = time.monotonic() - start_s
    ways = f"{len(value_files())} value files, {len(HELMS)} Helms, {len(KUBERNETES)} Kubernetes"
    say(f"{len(renderings.all)} renderings ({ways}) in {taken_s:.1f} s")
    found: list[Finding] = []
    for name, check in CHECKS.items():
        start_s = time.monotonic()
        new = list(dict.fromkeys(check(renderings)))
        say(f"{name:<11} {len(new) or 'no'} findings in {time.monotonic() - start_s:.1f} s")
        found += new
    return found
