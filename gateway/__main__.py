"""`python -m gateway`: reads the settings, runs the servers, and says in one line what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import uvloop

from gateway.pod.parent import run_pod
from gateway.settings import describe_settings, load_settings
from gateway.start_errors import SettingsError, StartError
from gateway.telemetry.logs import configure_logs

_EPILOG = """\
settings (environment variable, default, meaning):
{settings}

examples:
  python -m gateway
  DIPTYCH_GATEWAY_TRITON_GRPC_URL=triton:8001 DIPTYCH_GATEWAY_HTTP_HOST=0.0.0.0 \\
    DIPTYCH_GATEWAY_API_KEYS_FILE=keys.toml python -m gateway     # see python -m gateway.keys
  DIPTYCH_GATEWAY_WORKERS=4 python -m gateway
  DIPTYCH_GATEWAY_HTTP_PORT=9080 DIPTYCH_GATEWAY_LOG_LEVEL=DEBUG python -m gateway
"""

GRPC_EXPERIMENTS = ",".join(
    f"-{each}"
    for each in (
        "event_engine_client",
        "event_engine_listener",
        "event_engine_for_all_other_endpoints",
    )
)
_EXIT_USAGE = 2
_EXIT_FAILURE = 1
_EXIT_INTERRUPTED = 130


def main() -> int:
    """Runs the gateway until a signal.

    Returns:
        0 after an orderly end, 1 when an address cannot be bound or the keys
        cannot be used, 2 when a setting is wrong, 130
        when a second signal cut the end short.
    """
    # Before numpy is loaded: its threads spin for the small products of drift and take 15 CPU ms a
    # request (`make bench-gateway`).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Before gRPC is loaded: its newer engine hands each call through four threads of its own, the
    # older one through none, for less CPU (decision 26).
    os.environ.setdefault("GRPC_EXPERIMENTS", GRPC_EXPERIMENTS)
    argparse.ArgumentParser(
        prog="python -m gateway",
        description="Diptych's gateway: REST and gRPC in front of Triton. "
        "All settings come from the environment.",
        epilog=_EPILOG.format(settings=describe_settings()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        print(f"{error}\nSee python -m gateway --help.", file=sys.stderr)
        return _EXIT_USAGE
    configure_logs(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if settings.workers == 1:
                # Loaded where it is used: the parent of workers serves nothing.
                from gateway.server import serve

                runner.run(serve(settings))
            elif not runner.run(run_pod(settings)):
                return _EXIT_INTERRUPTED
    except StartError as error:
        print(error, file=sys.stderr)
        return _EXIT_FAILURE
    except asyncio.CancelledError:
        return _EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
