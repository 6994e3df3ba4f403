"""The gRPC server: the classifier service, feedback, health and reflection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.api.proto.diptych.v1 import (
    classify_pb2,
    classify_pb2_grpc,
    feedback_pb2,
    feedback_pb2_grpc,
)
from gateway.start_errors import BindError

if TYPE_CHECKING:
    from gateway.api.connections import ConnectionLimits
    from gateway.api.envelope import EnvelopeLimits
    from gateway.api.grpc_feedback import FeedbackService
    from gateway.api.grpc_service import ClassifierService
    from gateway.readiness import Readiness

_ENVELOPE_BYTES: Final = 64 * 1024
_HEALTH_REFRESH_S: Final = 1.0
_MS: Final = 1000
_PING_EVERY_S: Final = 30.0
_PINGS_ALLOWED_EVERY_S: Final = 10.0
_MAX_CONNECTION_AGE_S: Final = 1800.0
_MAX_CALLS_PER_CONNECTION: Final = 1000
_SERVICE: Final = classify_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name
_FEEDBACK: Final = feedback_pb2.DESCRIPTOR.services_by_name["Feedback"].full_name


class GrpcServer:
    """Owns the server and mirrors readiness into the health service.

    Args:
        service: the classifier.
        feedback: takes labels.
        readiness: what the health service tells, under the service's name and under "".
        limits: give the largest message.
        has_siblings: whether other workers of this gateway listen on the same port.
        connections: what clients may hold; the same as over HTTP.
    """

    def __init__(
        self,
        service: ClassifierService,
        feedback: FeedbackService,
        readiness: Readiness,
        limits: EnvelopeLimits,
        connections: ConnectionLimits,
        *,
        has_siblings: bool,
    ) -> None:
        self._readiness = readiness
        self._health = health.aio.HealthServicer()
        max_message_bytes = (
            limits.max_image_bytes
            + limits.max_text_bytes
            + limits.labels.max_bytes
            + _ENVELOPE_BYTES
        )
        self._server: Any = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", max_message_bytes),
                # Strangers on one port would share its calls: a taken port is to be an error. Of
                # workers their parent keeps it; see `listening`.
                ("grpc.so_reuseport", int(has_siblings)),
                *_connection_options(connections),
            ]
        )
        classify_pb2_grpc.add_ClassifierServicer_to_server(service, self._server)
        feedback_pb2_grpc.add_FeedbackServicer_to_server(feedback, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (_SERVICE, _FEEDBACK, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
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
        states = health_pb2.HealthCheckResponse
        told = states.UNKNOWN
        while True:
            is_ready = not await self._readiness.reasons_against()
            state = states.SERVING if is_ready else states.NOT_SERVING
            if state != told:
                for name in ("", _SERVICE, _FEEDBACK):
                    await self._health.set(name, state)
                told = state
            await asyncio.sleep(_HEALTH_REFRESH_S)

    async def end_health(self) -> None:
        """Says not serving, for good."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Accepts no more calls and waits for those in flight, `grace_s` at most."""
        await self._server.stop(grace_s)


def _connection_options(limits: ConnectionLimits) -> list[tuple[str, int]]:
    """Returns what keeps clients that are slow, idle or gone from holding the server (gRPC A8, A9).

    A connection ends after half an hour, between calls or, for a stream that goes on, a receive
    timeout later: so calls spread over replicas that have come since. Clients connect again by
    themselves.
    """
    return [
        ("grpc.max_allowed_incoming_connections", limits.max_connections),
        ("grpc.max_concurrent_streams", _MAX_CALLS_PER_CONNECTION),
        # Above the first calls are refused at random, above the second always.
        ("grpc.max_metadata_size", limits.max_head_bytes),
        ("grpc.absolute_max_metadata_size", limits.max_head_bytes),
        ("grpc.server_handshake_timeout_ms", int(_MS * limits.head_timeout_s)),
        ("grpc.keepalive_time_ms", int(_MS * _PING_EVERY_S)),
        ("grpc.keepalive_timeout_ms", int(_MS * limits.head_timeout_s)),
        ("grpc.http2.min_ping_interval_without_data_ms", int(_MS * _PINGS_ALLOWED_EVERY_S)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_connection_idle_ms", int(_MS * limits.idle_timeout_s)),
        ("grpc.max_connection_age_ms", int(_MS * _MAX_CONNECTION_AGE_S)),
        ("grpc.max_connection_age_grace_ms", int(_MS * limits.body_timeout_s)),
    ]
