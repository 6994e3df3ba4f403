"""The gateway's exact list of packages is enough for it to start; one that lacks any is refused.

The lists of the other images take minutes: `make images-check`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.docker.errors import InstallError
from deploy.docker.rehearsal import install, rehearse

ROOT = Path(__file__).parents[3]


def files_of(package: Path) -> set[str]:
    """Code and what it reads; documents stay at home."""
    read = {".py", ".html", ".css", ".js", ".proto"}
    return {str(each.relative_to(package)) for each in package.rglob("*") if each.suffix in read}


@pytest.mark.e2e
def test_gateway_starts_from_its_packages_alone(tmp_path: Path) -> None:
    rehearse("gateway", ROOT, tmp_path)

    installed = next((tmp_path / "environment").glob("lib/python*/site-packages/gateway"))
    assert files_of(installed) == files_of(ROOT / "gateway")


def test_install_without_a_package_that_another_needs_is_refused(tmp_path: Path) -> None:
    lists = tmp_path / "repository" / "deploy" / "docker"
    lists.mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "docker" / "triton.Dockerfile", lists)
    all_of_it = (ROOT / "deploy" / "docker" / "gateway-packages.txt").read_text(encoding="utf-8")
    starlette = next(line for line in all_of_it.splitlines() if line.startswith("starlette=="))
    (lists / "triton-packages.txt").write_text(f"{starlette}\n", encoding="utf-8")
    (tmp_path / "work").mkdir()

    with pytest.raises(InstallError, match=r"starlette .* requires"):
        install("triton", tmp_path / "repository", tmp_path / "work")
