"""What runs here, as a table. Readiness is asked of the services themselves, at this moment."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from deploy.local.state import LauncherState


def table(state: LauncherState) -> tuple[Table, bool]:
    """Draws the services of a launcher.

    Returns:
        The table, and whether all services are ready.
    """
    drawing = Table("service", "process", "up for", "restarts", "ready", "ports")
    is_all_ready = bool(state.services)
    for service in state.services:
        is_service_ready = service.endpoint.is_ready()
        is_all_ready = is_all_ready and is_service_ready
        up_for = timedelta(seconds=round(time.time() - service.started_at_s))
        drawing.add_row(
            service.name,
            str(service.pid),
            str(up_for),
            str(service.restarts),
            "[green]yes[/]" if is_service_ready else "[red]no[/]",
            ", ".join(f"{kind} {port}" for kind, port in service.endpoint.ports.items()),
        )
    return drawing, is_all_ready
