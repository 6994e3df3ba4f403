"""The bundled Triton as one object: start it on a model repository, wait for it, stop it.

Used by the launcher, by the exporters' parity proof and by the end-to-end tests, so it imports the
standard library and siblings that do the same, and nothing else.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from deploy.local import triton_runtime
from deploy.local.service import Endpoint, Launch, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # not a temporary file: Linux's shared memory
"""Where the python backend keeps one region a model process."""

_EXIT_MARGIN_S = 5.0
_FIRST_FREE_PORT = 10_000
_TRACED_AS = "triton"


@dataclass(kw_only=True)
class BundledTriton(Service):
    """The `tritonserver` of `nvidia-pytriton`, serving some models of one repository.

        http_port, grpc_port, metrics_port = free_ports(3)
        with BundledTriton(repository=..., models=["demo-both-0123456789ab"], ...) as triton:
            client = tritonclient.grpc.InferenceServerClient(triton.grpc_url)

    Triton loads a named ensemble together with the models that it is made of. A model that does
    not load ends the server: half a repository is never served.

    Attributes:
        repository: the model repository.
        models: names to load; nothing else is loaded.
        http_port: of the KServe HTTP API, health included.
        grpc_port: of the KServe gRPC API.
        metrics_port: of the Prometheus metrics.
        host: the address of all three. Loopback, unless all who can reach it are trusted: loading
            a model is running code.
        runtime_folder: where the backend folder is laid out; by default beside the log.
        trace_url: of a collector (OTLP over HTTP) that gets spans of the requests which come within
            a trace, and of no others; None: none.
    """

    name: ClassVar[str] = "triton"

    repository: Path
    models: Sequence[str]
    http_port: int
    grpc_port: int
    metrics_port: int
    host: str = "127.0.0.1"
    runtime_folder: Path | None = None
    trace_url: str | None = None

    @property
    def http_url(self) -> str:
        """`host:port`, as tritonclient.http wants it."""
        return f"{self.host}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        """`host:port`, as tritonclient.grpc wants it."""
        return f"{self.host}:{self.grpc_port}"

    @property
    def endpoint(self) -> Endpoint:
        """Ready when the server and all its models are."""
        ports = {"HTTP": self.http_port, "gRPC": self.grpc_port, "metrics": self.metrics_port}
        return Endpoint(ports, self.host, self.http_port, "/v2/health/ready")

    def launch(self) -> Launch:
        """Lays out the runtime and builds the command line.

        Raises:
            TritonRuntimeError: the bundled Triton cannot run under this Python.
        """
        folder = self.runtime_folder or self.log_path.parent / "triton-runtime"
        runtime = triton_runtime.assemble(folder.resolve())
        # The server counts from SIGTERM; it is given the time to end by itself.
        exit_timeout_s = max(1, int(self.stop_grace_s - _EXIT_MARGIN_S))
        command = (
            str(runtime.server),
            f"--model-repository={self.repository.resolve()}",
            "--model-control-mode=explicit",
            *(f"--load-model={name}" for name in self.models),
            "--disable-auto-complete-config",
            "--exit-on-error=true",
            f"--exit-timeout-secs={exit_timeout_s}",
            f"--backend-directory={runtime.backend_folder}",
            f"--backend-config=python,shm-region-prefix-name={self._shared_memory_prefix}",
            f"--http-address={self.host}",
            f"--http-port={self.http_port}",
            f"--grpc-address={self.host}",
            f"--grpc-port={self.grpc_port}",
            "--allow-metrics=true",
            "--allow-gpu-metrics=false",
            f"--metrics-address={self.host}",
            f"--metrics-port={self.metrics_port}",
            "--log-format=ISO8601",
            *self._trace_options(),
        )
        return Launch(command, {**os.environ, **runtime.environment})

    def _trace_options(self) -> tuple[str, ...]:
        if self.trace_url is None:
            return ()
        return (
            "--trace-config=mode=opentelemetry",
            # No trace of its own: those that come with a request are continued at any rate.
            "--trace-config=rate=0",
            "--trace-config=level=TIMESTAMPS",
            f"--trace-config=opentelemetry,url={self.trace_url}",
            f"--trace-config=opentelemetry,resource=service.name={_TRACED_AS}",
        )

    def stop(self) -> None:
        """Stops the server and its model processes, and frees their shared memory.

        A server that was killed leaves its regions (16 MiB a model, after some use) behind, and
        /dev/shm is small in a container: a crash loop would fill it.
        """
        super().stop()
        for region in SHARED_MEMORY.glob(f"{self._shared_memory_prefix}*"):
            region.unlink(missing_ok=True)

    @property
    def _shared_memory_prefix(self) -> str:
        # Address and port have one owner: what carries them is this server's or its predecessor's.
        return f"diptych-{self.host}-{self.grpc_port}-"


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Finds distinct TCP ports that are free now; Triton knows no port 0.

    They lie below those that the kernel takes for outgoing connections. A client that tries again
    and again to reach a port of that range, while nobody listens there, can be given that very port
    for its own end, and then the server cannot have it back.

    Another server may take one before it is used: for tests and short-lived servers.
    """
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    candidates = range(_FIRST_FREE_PORT, max(int(outgoing.split()[0]), 2 * _FIRST_FREE_PORT))
    ports: list[int] = []
    with ExitStack() as open_sockets:
        while len(ports) < count:
            port = secrets.choice(candidates)
            each = open_sockets.enter_context(socket.socket())
            with suppress(OSError):  # taken: another one then
                each.bind((host, port))
                ports.append(port)
    return ports
