"""Calls of `diptych.v1.Classifier` with messages that the service itself describes by reflection.

As the REST judge reads `/openapi.json`, so no generated code of the gateway is needed here, and the
message that comes back is parsed by the schema of the service that sent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from loadtest.traffic.address import GRPC_TLS
from loadtest.traffic.errors import TargetError
from loadtest.traffic.replies import RIGHT, Judgement, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.traffic.corpus import Item

API_KEY: Final = "x-api-key"
_METHOD: Final = "/diptych.v1.Classifier/Classify"
_REFUSED: Final = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED})


@dataclass(frozen=True)
class GrpcClassifier:
    """One channel to the service, and its messages."""

    channel: Any
    request: type[Message]
    call: Callable[..., Message]
    metadata: tuple[tuple[str, str], ...]

    @classmethod
    def open(cls, target: str, api_key: str | None) -> GrpcClassifier:
        """Connects, and asks for the messages.

        Raises:
            TargetError: nobody answers there, or nobody who classifies.
        """
        channel = _channel(target)
        try:
            pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            request, response = (
                message_factory.GetMessageClass(pool.FindMessageTypeByName(f"diptych.v1.{name}"))
                for name in ("ClassifyRequest", "ClassifyResponse")
            )
        except (KeyError, TypeError, grpc.RpcError) as error:
            channel.close()
            why = error.code().name if isinstance(error, grpc.Call) else type(error).__name__
            reason = f"gRPC reflection gives no diptych.v1.ClassifyRequest: {why}"
            raise TargetError(target, reason) from error
        call = channel.unary_unary(_METHOD, request.SerializeToString, response.FromString)
        return cls(channel, request, call, ((API_KEY, api_key),) if api_key else ())

    def encode(self, item: Item) -> Message:
        """Builds the message of an item."""
        fields: dict[str, Any] = {"image": item.image, "text": item.text}
        return self.request(**{name: value for name, value in fields.items() if value is not None})

    def classify(self, message: Message, timeout_s: float) -> Judgement:
        """Sends it and says what came back."""
        try:
            answer: Any = self.call(message, timeout=timeout_s, metadata=self.metadata)
        except grpc.RpcError as error:
            status = error.code()
            if status is grpc.StatusCode.DEADLINE_EXCEEDED:
                return Judgement(Outcome.MISSING, status.name)
            outcome = Outcome.REFUSED if status in _REFUSED else Outcome.FAILED
            return Judgement(outcome, status.name)
        except DecodeError:
            return Judgement(Outcome.INVALID, "no ClassifyResponse")
        if not (answer.label and answer.prediction_id and 0 <= answer.score <= 1):
            return Judgement(Outcome.INVALID, "no label, score or prediction id")
        return RIGHT

    def close(self) -> None:
        """Closes the channel; calls that are under way end."""
        self.channel.close()


def _channel(target: str) -> Any:  # noqa: ANN401  # grpc is not typed
    if target.startswith(GRPC_TLS):
        credentials = grpc.ssl_channel_credentials()
        return grpc.secure_channel(target.removeprefix(GRPC_TLS), credentials)
    return grpc.insecure_channel(target)
