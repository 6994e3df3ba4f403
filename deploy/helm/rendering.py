"""Renders the chart with a real Helm."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import yaml

from deploy.helm.chart import API_GROUPS, CHART
from deploy.tools import install, program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RELEASE: Final = "demo"
NAMESPACE: Final = "serving"
_TIMEOUT_S: Final = 60.0

Document = dict[str, Any]
"""One Kubernetes object."""


class RenderError(Exception):
    """Helm refused to render.

    Attributes:
        helm: which Helm.
        reason: its words.
    """

    def __init__(self, helm: str, reason: str) -> None:
        super().__init__(f"{helm}: {reason}")
        self.helm = helm
        self.reason = reason


@dataclass(frozen=True)
class Helm:
    """One of the Helms of `deploy.tools`.

    Attributes:
        tool: its key there.
    """

    tool: str

    def template(
        self, values: Sequence[Path] = (), *, sets: Sequence[str] = (), kubernetes: str = "1.35"
    ) -> str:
        """Renders the chart to YAML, test hooks included.

        Args:
            values: value files; the last one wins.
            sets: `key=value` or `key=json` in JSON, which win over them.
            kubernetes: version that it is rendered for.

        Raises:
            RenderError: the values are refused, or a template fails.
        """
        options = [f"--kube-version={kubernetes}.0", f"--namespace={NAMESPACE}"]
        options += [f"--api-versions={group}" for group in API_GROUPS]
        options += [f"--values={path}" for path in values]
        options += [f"--set-json={each}" for each in sets]
        return self._run("template", RELEASE, str(CHART), *options)

    def notes(self, values: Sequence[Path] = (), *, sets: Sequence[str] = ()) -> str:
        """Returns what Helm would say after an installation.

        Raises:
            RenderError: as for `template`.
        """
        options = [f"--namespace={NAMESPACE}", "--dry-run=client"]
        options += [f"--values={path}" for path in values]
        options += [f"--set-json={each}" for each in sets]
        printed = self._run("install", RELEASE, str(CHART), *options)
        return printed.partition("\nNOTES:\n")[2]

    def lint(self, values: Sequence[Path] = ()) -> str:
        """Lints strictly. It passes templates that fail: `template` is the gate.

        Raises:
            RenderError: what it finds.
        """
        return self._run("lint", "--strict", str(CHART), *(f"--values={path}" for path in values))

    def package(self, folder: Path) -> Path:
        """Packs the chart.

        Returns:
            The archive.

        Raises:
            RenderError: it cannot be packed.
        """
        self._run("package", str(CHART), f"--destination={folder}")
        (archive,) = folder.glob("*.tgz")
        return archive

    def _run(self, *arguments: str) -> str:
        result = subprocess.run(
            [str(self._path), *arguments],
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if result.returncode:
            raise RenderError(self.tool, (result.stderr or result.stdout).strip())
        return result.stdout

    @cached_property
    def _path(self) -> Path:
        return program(self.tool)

    @cached_property
    def _environment(self) -> dict[str, str]:
        # A person's own repositories, plugins and cluster have no part in this.
        scratch = install.FOLDER / "helm-home"
        kinds = ("CONFIG", "CACHE", "DATA")
        return {
            **{f"HELM_{kind}_HOME": str(scratch / kind.lower()) for kind in kinds},
            "KUBECONFIG": str(scratch / "none"),
        }


def documents(rendered: str) -> list[Document]:
    """Returns the objects of what Helm rendered."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [each for each in yaml.load_all(rendered, Loader=loader) if each]
