"""The chart's copies of `deploy/observability`'s rules and dashboards: Helm packs no links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.helm.chart import CHART

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OBSERVABILITY: Final = CHART.parents[1] / "observability"
_COPIED: Final = (("rules", "*.yaml"), ("dashboards", "*.json"))


def write_copies() -> list[Path]:
    """Makes the chart's copies as their originals are.

    Returns:
        The files that were written or removed.
    """
    changed = []
    for source, target in _pairs():
        if source is None:
            target.unlink()
        elif not _is_equal(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = target.with_suffix(".new")
            scratch.write_bytes(source.read_bytes())
            scratch.replace(target)
        else:
            continue
        changed.append(target)
    return changed


def stale_copies() -> list[str]:
    """Returns the copies that differ from their originals, are missing, or have none."""
    pairs = _pairs()
    return [
        str(target.relative_to(CHART))
        for source, target in pairs
        if source is None or not _is_equal(source, target)
    ]


def _pairs() -> Iterator[tuple[Path | None, Path]]:
    for kind, pattern in _COPIED:
        sources = {path.name: path for path in sorted((OBSERVABILITY / kind).glob(pattern))}
        copies = {path.name for path in (CHART / "files" / kind).glob(pattern)}
        for name in sorted(set(sources) | copies):
            yield sources.get(name), CHART / "files" / kind / name


def _is_equal(source: Path, target: Path) -> bool:
    return target.exists() and source.read_bytes() == target.read_bytes()
