"""`python -m deploy.observability`: writes the dashboards' JSON."""

from __future__ import annotations

import argparse
from pathlib import Path

from deploy.observability.boards import BOARDS
from deploy.observability.grafana_json import to_json

FOLDER = Path(__file__).parent / "dashboards"


def main() -> None:
    """Writes one file a dashboard, each whole or not at all."""
    argparse.ArgumentParser(prog="python -m deploy.observability", description=__doc__).parse_args()
    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        target = FOLDER / f"{board.name}.json"
        fresh = target.with_suffix(".tmp")
        fresh.write_text(to_json(board), encoding="utf-8")
        fresh.replace(target)
        print(target)


if __name__ == "__main__":
    main()
