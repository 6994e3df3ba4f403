"""The same item by turns: straight to Triton over gRPC, and through the gateway over REST.

One client, one request at a time. Direct comes first in every other turn, so that neither always
finds what the other has warmed.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, Self

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.contract import tensors
from loadtest.bench.errors import RefusedError
from loadtest.bench.http_messages import multipart_request, parse_answer
from loadtest.bench.latencies import Percentiles
from loadtest.bench.window import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.bench.corpus import Example
    from loadtest.bench.http_messages import Answer

_LENGTH: Final = struct.Struct("<I")  # before each element of a BYTES tensor
_TIMEOUT_S: Final = 10.0
_RECEIVE_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class LatencyFigures:
    """What the way through the gateway adds.

    Attributes:
        direct: straight to Triton.
        through: through the gateway.
        added_p50_ms: median of the differences within a turn.
    """

    direct: Percentiles
    through: Percentiles
    added_p50_ms: float

    @classmethod
    def of(cls, turns: Sequence[tuple[float, float]]) -> Self:
        """Computes them from pairs of direct and through, in milliseconds."""
        return cls(
            direct=Percentiles.of(direct for direct, _ in turns),
            through=Percentiles.of(through for _, through in turns),
            added_p50_ms=median(through - direct for direct, through in turns),
        )


class DirectClient:
    """Calls one ensemble of a Triton.

    Args:
        address: `host:port` of its gRPC API.
        ensemble: that takes image and text.
    """

    def __init__(self, address: str, ensemble: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._infer = service_pb2_grpc.GRPCInferenceServiceStub(self._channel).ModelInfer
        self._ensemble = ensemble

    def ask(self, example: Example) -> None:
        """Classifies one item; raises `grpc.RpcError` when that fails."""
        request = service_pb2.ModelInferRequest(model_name=self._ensemble)
        contents = {tensors.IMAGE: example.photo, tensors.TEXT: example.sentence.encode()}
        for name, content in contents.items():
            request.inputs.add(name=name, datatype="BYTES", shape=(1, 1))  # batch, elements
            request.raw_input_contents.append(_LENGTH.pack(len(content)) + content)
        self._infer(request, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()


class GatewayClient:
    """One connection to the REST API.

    Args:
        address: host and port.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._host = f"{address[0]}:{address[1]}"
        self._socket = socket.create_connection(address, timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, example: Example) -> None:
        """Classifies one item.

        Raises:
            RefusedError: the answer is no classification.
        """
        self._socket.sendall(multipart_request(example, self._host))
        answer = self._receive()
        if answer is None or answer.status != 200 or answer.label is None:
            raise RefusedError(GATEWAY, [f"status {answer.status}" if answer else "nothing"])

    def _receive(self) -> Answer | None:
        received = b""
        while (answer := parse_answer(received)) is None:
            chunk = self._socket.recv(_RECEIVE_BYTES)
            if not chunk:
                return None
            received += chunk
        return answer

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()


def take_turns(
    direct: DirectClient, through: GatewayClient, examples: Sequence[Example], duration_s: float
) -> LatencyFigures:
    """Measures both by turns.

    Args:
        direct: straight to Triton.
        through: through the gateway.
        examples: sent in turn.
        duration_s: how long.
    """
    turns = []
    with closing(direct), closing(through):
        for example in examples:  # connections and caches; not counted
            direct.ask(example)
            through.ask(example)
        end_s = time.perf_counter() + duration_s
        number = 0
        while time.perf_counter() < end_s:
            example = examples[number % len(examples)]
            if number % 2:
                through_ms, direct_ms = _time_ms(through, example), _time_ms(direct, example)
            else:
                direct_ms, through_ms = _time_ms(direct, example), _time_ms(through, example)
            turns.append((direct_ms, through_ms))
            number += 1
    return LatencyFigures.of(turns)


def _time_ms(client: DirectClient | GatewayClient, example: Example) -> float:
    begun_s = time.perf_counter()
    client.ask(example)
    return (time.perf_counter() - begun_s) * 1000
