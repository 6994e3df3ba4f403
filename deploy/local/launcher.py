"""`up`: from settings to a running service, and back down again.

Puts the parts together in the foreground: claim the workspace, look for obstacles, start Triton and
the gateway, wait, classify the sample, then watch until asked to stop. Whatever ends it, both are
stopped before it returns.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploy.local import checkup, preflight, receipt_keys, sample
from deploy.local.gateway_server import GatewayServer
from deploy.local.state import LauncherState, ServiceState, StateFolder
from deploy.local.stop_signals import StopRequested, stop_signals
from deploy.local.supervisor import Backoff, Died, Incident, Recovered, Restarted, Supervisor
from deploy.local.triton_server import BundledTriton

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.local.published import Selection
    from deploy.local.settings import Settings

_STARTING_PAUSE_S = 0.05
_WATCHING_PAUSE_S = 0.2
_TRITON_HOST = "127.0.0.1"


def run(settings: Settings, console: Console, *, has_sample: bool) -> None:
    """Runs everything until a signal asks it to stop.

    Args:
        settings: the launcher's settings.
        console: where progress is told.
        has_sample: whether to classify the variant's sample once all is ready.

    Raises:
        AlreadyRunningError: this workspace has a launcher.
        PreflightError: this machine cannot run it, or the doctor found errors; nothing was started.
        ServiceError: Triton or the gateway did not become ready.
        SampleError: the sample was not answered.
    """
    folder = StateFolder(settings.local_folder)
    with folder.claim(), stop_signals() as signals:
        begun_at_s = time.time()
        selection = preflight.check(settings)
        for warning in checkup.examine(settings.model_repository, selection.models):
            _say(console, f"Warning: {warning}")
        supervisor = Supervisor(
            _services(settings, selection),
            Backoff(settings.backoff_first_s, settings.backoff_max_s),
        )

        def save_state() -> None:
            folder.write(_state(settings, selection, supervisor))

        try:
            supervisor.start()
            save_state()
            for watch in supervisor.watches:
                _say(console, f"Started {watch.service.name} (process {watch.service.pid})")
            with console.status("Waiting until both are ready"):
                supervisor.wait_ready(
                    settings.ready_timeout_s, lambda: signals.pause(_STARTING_PAUSE_S)
                )
            _announce(console, settings, selection, time.time() - begun_at_s)
            if has_sample:
                _try_sample(console, settings, next(iter(selection.digests)))
            _say(console, "Ctrl-C stops everything.")
            while True:
                signals.pause(_WATCHING_PAUSE_S)
                for incident in supervisor.tend():
                    save_state()
                    _say(console, f"{time.strftime('%H:%M:%S')} {_sentence(incident)}")
        except StopRequested:
            _say(console, "Stopping.")
        finally:
            supervisor.stop()
    _say(console, "Stopped.")


def _services(settings: Settings, selection: Selection) -> tuple[BundledTriton, GatewayServer]:
    logs = settings.local_folder / "logs"
    triton = BundledTriton(
        repository=settings.model_repository,
        models=selection.models,
        host=_TRITON_HOST,
        http_port=settings.triton_http_port,
        grpc_port=settings.triton_grpc_port,
        metrics_port=settings.triton_metrics_port,
        log_path=logs / "triton.log",
        runtime_folder=settings.triton_runtime_folder,
        trace_url=settings.triton_trace_url if settings.has_tracing else None,
    )
    gateway = GatewayServer(
        host=settings.host,
        probe_host=settings.reachable_host,
        http_port=settings.gateway_http_port,
        grpc_port=settings.gateway_grpc_port,
        triton_grpc_url=triton.grpc_url,
        database_url=f"sqlite:///{settings.local_folder.absolute() / 'diptych.sqlite3'}",
        receipt_keys_file=receipt_keys.ensure(
            settings.local_folder.absolute() / "receipt-keys.toml"
        ),
        samples_folder=settings.workspace.absolute() / "samples",
        log_path=logs / "gateway.log",
        stop_grace_s=settings.stop_grace_s,
        variables={"DIPTYCH_GATEWAY_HAS_TRACING": "true"} if settings.has_tracing else {},
    )
    return triton, gateway


def _state(settings: Settings, selection: Selection, supervisor: Supervisor) -> LauncherState:
    return LauncherState(
        gateway_url=settings.gateway_url,
        variants=selection.digests,
        services=tuple(
            ServiceState(
                name=watch.service.name,
                pid=watch.service.pid or 0,
                started_at_s=watch.started_at_s,
                restarts=watch.restarts,
                endpoint=watch.service.endpoint,
                log_path=watch.service.log_path,
            )
            for watch in supervisor.watches
        ),
    )


def _announce(console: Console, settings: Settings, selection: Selection, took_s: float) -> None:
    served = ", ".join(f"{name}@{digest[:12]}" for name, digest in selection.digests.items())
    host, url = settings.reachable_host, settings.gateway_url
    _say(console, f"Ready after {took_s:.1f} s, serving {served}")
    _say(console, f"  Page     {url}/")
    _say(console, f"  REST     {url}/v1/classify")
    _say(console, f"  API page {url}/docs")
    _say(console, f"  gRPC     {host}:{settings.gateway_grpc_port}")
    _say(
        console,
        f"  metrics  {url}/metrics and "
        f"http://{_TRITON_HOST}:{settings.triton_metrics_port}/metrics",
    )
    if settings.has_tracing:
        _say(console, "  traces   sent as the OTEL_* variables say; by default to localhost:4317")
        _say(console, f"           Triton's to {settings.triton_trace_url}")
    _say(console, f"  logs     {settings.local_folder / 'logs'}")


def _try_sample(console: Console, settings: Settings, variant: str) -> None:
    found = sample.find(settings.workspace, variant)
    if found is None:
        _say(console, f"There is no sample of {variant} to classify: `make export` leaves one.")
        return
    _say(console, f"A held-out example: {found.image_path.name} with “{found.text}”")
    answer = sample.classify(found, settings.gateway_url)
    console.print_json(data=answer)
    _say(console, f"It is in truth: {found.label}. Try it yourself:")
    _say(console, f"  {sample.curl_line(found, settings.gateway_url)}")


def _sentence(incident: Incident) -> str:
    match incident:
        case Died(service, exit_code, restart_in_s):
            ending = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
            return f"{service} ended with {ending}; starting it again in {restart_in_s:.1f} s"
        case Restarted(service, pid):
            return f"{service} was started again (process {pid})"
        case Recovered(service, after_s):
            return f"{service} is ready again, {after_s:.1f} s after its start"


def _say(console: Console, line: str) -> None:
    # Not wrapped, not styled: a line that is copied out of a terminal must still be right.
    console.print(line, soft_wrap=True, markup=False, highlight=False)
