"""The gRPC server: the classifier service, health and reflection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.api.proto.diptych.v1 import classify_pb2, classify_pb2_grpc
from gateway.errors import BindError

if TYPE_CHECKING:
    from gateway.api.envelope import EnvelopeLimits
    from gateway.api.grpc_service import ClassifierService
    from gateway.readiness import Readiness

_ENVELOPE_BYTES: Final = 64 * 1024
_HEALTH_REFRESH_S: Final = 1.0
_SERVICE: Final = classify_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name


class GrpcServer:
    """Owns the server and mirrors readiness into the health service.

    Args:
        service: the classifier.
        readiness: what the health service tells, under the service's name and under "".
        limits: give the largest message.
        has_siblings: whether other workers of this gateway listen on the same port.
    """

    def __init__(
        self,
        service: ClassifierService,
        readiness: Readiness,
        limits: EnvelopeLimits,
        *,
        has_siblings: bool,
    ) -> None:
        self._readiness = readiness
        self._health = health.aio.HealthServicer()
        max_message_bytes = limits.max_image_bytes + limits.max_text_bytes + _ENVELOPE_BYTES
        self._server: Any = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", max_message_bytes),
                # Strangers on one port would share its calls: a taken port is to be an error. Of
                # workers their parent keeps it; see `listening`.
                ("grpc.so_reuseport", int(has_siblings)),
            ]
        )
        classify_pb2_grpc.add_ClassifierServicer_to_server(service, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    def bind(self, host: str, port: int) -> int:
        """Binds an address.

        Returns:
            The port, which differs from `port` when that is 0.

        Raises:
            BindError: the address is taken or not ours.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            return int(self._server.add_insecure_port(address))
        except RuntimeError as error:
            raise BindError("GRPC", address) from error

    async def start(self) -> None:
        """Starts to accept calls."""
        await self._server.start()

    async def mirror_readiness(self) -> None:
        """Tells the health service every second whether this process is ready; until cancelled."""
        while True:
            is_ready = not await self._readiness.reasons_against()
            states = health_pb2.HealthCheckResponse
            state = states.SERVING if is_ready else states.NOT_SERVING
            for name in ("", _SERVICE):
                await self._health.set(name, state)
            await asyncio.sleep(_HEALTH_REFRESH_S)

    async def end_health(self) -> None:
        """Says not serving, for good."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Accepts no more calls and waits for those in flight, `grace_s` at most."""
        await self._server.stop(grace_s)
