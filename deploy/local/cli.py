"""`python -m deploy.local`: start, look at and stop Triton and the gateway on this machine.

Exit codes: 0 done (for `status`: all ready), 1 it failed (for `status`: not all ready), 2 something
on this machine or in the settings stands in the way and nothing was started, 130 interrupted.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.local import launcher, shutdown
from deploy.local import status as status_table
from deploy.local.errors import (
    AlreadyRunningError,
    LocalError,
    PreflightError,
    ServiceExitedError,
    SettingsError,
)
from deploy.local.settings import Settings, load_settings
from deploy.local.state import StateFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    help="Starts, supervises and stops the bundled Triton and the gateway on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console()
_err = Console(stderr=True)


def _setting(field: str) -> typer.models.OptionInfo:
    """Makes an option of a setting, with its description and default."""
    info = Settings.model_fields[field]
    option: typer.models.OptionInfo = typer.Option(
        help=info.description, show_default=str(info.default)
    )
    return option


Workspace = Annotated[Path | None, _setting("workspace")]


@app.command(
    epilog="Examples: `python -m deploy.local up --sample`; "
    "`python -m deploy.local up --gateway-http-port 9080 --variant openmoji`. "
    "Every option is a setting too: DIPTYCH_LOCAL_GATEWAY_HTTP_PORT and so on."
)
def up(  # noqa: PLR0913  # typer: one parameter an option
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Classify one held-out example when all is ready.")
    ] = False,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            help="Variant to serve: `name` or `name@digest`; repeat for more.", show_default="all"
        ),
    ] = None,
    model_repository: Annotated[Path | None, _setting("model_repository")] = None,
    workspace: Workspace = None,
    host: Annotated[str | None, _setting("host")] = None,
    gateway_http_port: Annotated[int | None, _setting("gateway_http_port")] = None,
    gateway_grpc_port: Annotated[int | None, _setting("gateway_grpc_port")] = None,
    triton_http_port: Annotated[int | None, _setting("triton_http_port")] = None,
    triton_grpc_port: Annotated[int | None, _setting("triton_grpc_port")] = None,
    triton_metrics_port: Annotated[int | None, _setting("triton_metrics_port")] = None,
    trace: Annotated[
        bool,
        typer.Option("--trace", help="Send OpenTelemetry traces of the gateway and Triton."),
    ] = False,
) -> None:
    """Start both in the foreground, restart what dies, stop both on Ctrl-C."""
    with _told_in_one_sentence():
        settings = load_settings(
            os.environ,
            variants=tuple(variant) if variant else None,
            model_repository=model_repository,
            workspace=workspace,
            host=host,
            gateway_http_port=gateway_http_port,
            gateway_grpc_port=gateway_grpc_port,
            triton_http_port=triton_http_port,
            triton_grpc_port=triton_grpc_port,
            triton_metrics_port=triton_metrics_port,
            has_tracing=trace or None,
        )
        launcher.run(settings, _out, has_sample=sample)


@app.command(epilog="Example: `python -m deploy.local status && echo all is well`")
def status(workspace: Workspace = None) -> None:
    """Show what runs; exit code 0 only when all of it is ready."""
    with _told_in_one_sentence():
        folder = StateFolder(load_settings(os.environ, workspace=workspace).local_folder)
        state = folder.read()
        if state is None:
            _out.print("Nothing runs here: `make run` starts it.")
            raise typer.Exit(1)
        drawing, is_all_ready = status_table.table(state)
        _out.print(drawing)
        for service in state.services:
            _out.print(f"{service.name}: {service.log_path}", soft_wrap=True, highlight=False)
        raise typer.Exit(0 if is_all_ready else 1)


@app.command(epilog="Example: `python -m deploy.local down`")
def down(workspace: Workspace = None) -> None:
    """Stop what `up` started, from another terminal."""
    with _told_in_one_sentence():
        settings = load_settings(os.environ, workspace=workspace)
        folder = StateFolder(settings.local_folder)
        with _out.status("Stopping"):
            was_running = shutdown.stop(folder, settings.stop_grace_s)
        _out.print("Stopped." if was_running else "Nothing runs here.")


@contextmanager
def _told_in_one_sentence() -> Iterator[None]:
    """Turns an error into what a user reads and an exit code."""
    try:
        yield
    except LocalError as error:
        if isinstance(error, ServiceExitedError):
            for line in error.last_lines:
                _err.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
        _err.print(str(error), soft_wrap=True, markup=False, highlight=False)
        is_obstacle = isinstance(error, PreflightError | SettingsError | AlreadyRunningError)
        raise typer.Exit(2 if is_obstacle else 1) from error
    except KeyboardInterrupt:
        _err.print("Interrupted.")
        raise typer.Exit(130) from None
