"""Three Tritons and a gateway that faults can be done to.

The Tritons listen on loopback addresses of their own; the third is reached through a relay. Each
has a /dev/shm of its own, in a mount namespace, so that a full one is full for it alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from deploy.local.gateway_server import GatewayServer
from deploy.local.service import Launch
from deploy.local.triton_server import BundledTriton, free_ports
from loadtest.bench.load import Server
from loadtest.faults import paced_variant
from loadtest.faults.corpus import make_requests
from loadtest.faults.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

GATEWAY_HOST: Final = "127.0.0.1"
_TRITON_HOSTS: Final = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
_READY_TIMEOUT_S: Final = 60.0
_SHARED_MEMORY_MIB: Final = 96
_MOUNT: Final = f'mount -t tmpfs -o size={_SHARED_MEMORY_MIB}m tmpfs /dev/shm && exec "$@"'


@dataclass(kw_only=True)
class PacedTriton(BundledTriton):
    """A Triton whose model's pace can be set.

    Attributes:
        has_own_shared_memory: whether its /dev/shm is its own.
    """

    has_own_shared_memory: bool = field(default=False)

    def launch(self) -> Launch:
        """As ever, in a mount namespace where the kernel allows one."""
        launch = super().launch()
        if not self.has_own_shared_memory:
            return launch
        caged = ("unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", *launch.command)
        return Launch(caged, launch.environment)

    @property
    def shared_memory(self) -> Path:
        """Its /dev/shm, as this process reaches it."""
        return Path(f"/proc/{self.pid}/root/dev/shm")

    def set_pace(self, pace_ms: float) -> None:
        """Says how long its model takes for one input, in milliseconds."""
        paced_variant.set_pace(self.repository, pace_ms)


class Arena:
    """The servers, running from entry to exit; a gateway is started for each fault.

    Args:
        folder: where models and files of the gateway go.
        log_folder: where all servers write their logs.
    """

    def __init__(self, folder: Path, log_folder: Path) -> None:
        self.folder = folder
        self.log_folder = log_folder
        self.has_own_shared_memory = can_mount_shared_memory()
        self.tritons = [self._make_triton(host) for host in _TRITON_HOSTS]
        last = self.tritons[-1]
        (relay_port,) = free_ports(1, last.host)
        self.relay = Relay((last.host, relay_port), (last.host, last.grpc_port))
        self._endpoints = [each.grpc_url for each in self.tritons[:-1]]
        self._endpoints.append(f"{last.host}:{relay_port}")
        self.gateway: GatewayServer | None = None
        self._running = ExitStack()

    @property
    def keys_file(self) -> Path:
        """The gateway's file of API keys."""
        return self.folder / "keys.toml"

    @property
    def experiments_file(self) -> Path:
        """The gateway's file of experiments."""
        return self.folder / "experiments.toml"

    @property
    def kept_folder(self) -> Path:
        """Where a fault keeps what it will need to undo itself."""
        return self.folder / "kept"

    @property
    def database_file(self) -> Path:
        """The gateway's database."""
        return self.folder / "database" / "gateway.sqlite"

    @property
    def clock_file(self) -> Path:
        """By how much the clock of a gateway is off that was started for that."""
        return self.folder / "clock"

    @property
    def gateway_log(self) -> Path:
        """What the gateway of the present fault logs."""
        return self.log_folder / "gateway.log"

    def __enter__(self) -> Self:
        """Starts the Tritons at once and waits until they are ready.

        Raises:
            ServiceError: one ended instead, or is not ready in a minute.
        """
        with ExitStack() as starting:
            for each in self.tritons:
                starting.callback(each.stop)
                each.start()
            for each in self.tritons:
                each.wait_ready(_READY_TIMEOUT_S)
            starting.enter_context(self.relay)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops all."""
        self._running.close()

    @contextmanager
    def serving(self, variables: Mapping[str, str]) -> Iterator[Server]:
        """Runs a fresh gateway; what it logs is kept.

        Args:
            variables: of its environment, beside the usual ones.
        """
        self.write_config_files()
        for each in (self.database_file.parent, self.kept_folder):
            each.mkdir(exist_ok=True)
        http, grpc = free_ports(2, GATEWAY_HOST)
        self.gateway = GatewayServer(
            host=GATEWAY_HOST,
            probe_host=GATEWAY_HOST,
            http_port=http,
            grpc_port=grpc,
            triton_grpc_url=self._endpoints[0],
            variables={
                "DIPTYCH_GATEWAY_TRITON_CPU_ENDPOINTS": ",".join(self._endpoints),
                "DIPTYCH_GATEWAY_HAS_COALESCING": "false",
                "DIPTYCH_GATEWAY_API_KEYS_FILE": str(self.keys_file),
                "DIPTYCH_GATEWAY_EXPERIMENTS_FILE": str(self.experiments_file),
                "DIPTYCH_GATEWAY_DATABASE_URL": f"sqlite:///{self.database_file}",
                **variables,
            },
            log_path=self.gateway_log,
        )
        self.gateway_log.unlink(missing_ok=True)
        with self.gateway:
            address = (GATEWAY_HOST, http)
            yield Server(address, make_requests(address), frozenset(paced_variant.LABELS))

    def write_config_files(self) -> None:
        """Writes what the gateway follows without a restart: everybody may classify."""
        self.keys_file.write_text('anonymous_scopes = ["classify"]\n', encoding="ascii")
        self.experiments_file.write_text("# no experiments\n", encoding="ascii")

    def revive(self) -> list[str]:
        """Starts again what has ended by itself, as the launcher does.

        Returns:
            The addresses of those Tritons.
        """
        ended = [each for each in self.tritons if each.exit_code() is not None]
        for each in ended:
            self.restart(each)
        return [each.host for each in ended]

    def restart(self, triton: PacedTriton) -> None:
        """Starts a Triton again and waits until it is ready, as the launcher does."""
        triton.start()
        triton.wait_ready(_READY_TIMEOUT_S)

    def _make_triton(self, host: str) -> PacedTriton:
        repository = self.folder / f"models-{host}"
        models = paced_variant.publish(repository)
        http, grpc, metrics = free_ports(3, host)
        return PacedTriton(
            repository=repository,
            models=models,
            http_port=http,
            grpc_port=grpc,
            metrics_port=metrics,
            host=host,
            log_path=self.log_folder / f"triton-{host}.log",
            # One folder for all: its links are the same.
            runtime_folder=self.folder / "triton-runtime",
            stop_grace_s=6.0,
            has_own_shared_memory=self.has_own_shared_memory,
        )


def can_mount_shared_memory() -> bool:
    """Whether this user may give a process a /dev/shm of its own."""
    if shutil.which("unshare") is None:
        return False
    command = ("unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", "true")
    result = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    return result.returncode == 0
