"""Receipts to and from bytes: `receipt.proto`, in protobuf."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from gateway.contract.manifest import ModalitySet
from gateway.receipts import receipt_pb2
from gateway.receipts.receipt import DrawnArm, PredictedTask, Receipt
from gateway.routing.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LABELS_BYTES: Final = 512
"""Most bytes that all spelt-out labels of a receipt take; others are kept by their digest."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_SCORE_STEPS: Final = (1 << 14) - 1  # the largest number of two bytes in protobuf
_DEFAULT_LAYER: Final = "default"
# `name` of an enumeration is a function of Python's.
_MODALITIES: Final = {each: each.name for each in ModalitySet}
_REASONS: Final = {each: each.name for each in Reason}


def encode(receipt: Receipt) -> bytes:
    """Writes a receipt."""
    message = receipt_pb2.Receipt(
        issued_ms=(receipt.issued_at - _EPOCH) // _MS,
        nonce=receipt.nonce,
        variant=receipt.variant,
        digest=bytes.fromhex(receipt.digest),
        modalities=_MODALITIES[receipt.modalities],
        tasks=_encode_tasks(receipt.tasks),
        reason=_REASONS[receipt.reason],
    )
    if receipt.unit is not None:
        message.unit = bytes.fromhex(receipt.unit)
    if (draw := receipt.draw) is not None:
        message.draw.experiment = draw.experiment
        message.draw.revision = bytes.fromhex(draw.revision)
        message.draw.layer = "" if draw.layer == _DEFAULT_LAYER else draw.layer
        message.draw.arm = "" if draw.arm == receipt.variant else draw.arm
        message.draw.propensity = draw.propensity
        message.draw.is_sticky = draw.is_sticky
    return message.SerializeToString()


def _encode_tasks(tasks: Iterable[PredictedTask]) -> list[receipt_pb2.Task]:
    room = MAX_LABELS_BYTES
    encoded = []
    for task in tasks:
        message = receipt_pb2.Task(
            name=task.name,
            is_several=task.kind == "several",
            scores=[round(score * _SCORE_STEPS) for score in task.scores],
        )
        size = sum(len(label.encode()) + 2 for label in task.labels or ())
        if task.labels is None or size > room:
            message.labels_digest = task.digest
        else:
            message.labels.extend(task.labels)
            room -= size
        encoded.append(message)
    return encoded


def decode(payload: bytes) -> Receipt:
    """Reads what `encode` wrote, of this or an earlier release.

    Raises:
        ValueError: it is something else.
    """
    message = receipt_pb2.Receipt()
    message.ParseFromString(payload)  # protobuf's DecodeError is a ValueError
    draw = None
    if message.HasField("draw"):
        draw = DrawnArm(
            message.draw.experiment,
            message.draw.revision.hex(),
            message.draw.layer or _DEFAULT_LAYER,
            message.draw.arm or message.variant,
            message.draw.propensity,
            message.draw.is_sticky,
        )
    return Receipt(
        issued_at=_EPOCH + message.issued_ms * _MS,
        variant=message.variant,
        digest=message.digest.hex(),
        modalities=ModalitySet[receipt_pb2.Modalities.Name(message.modalities)],
        tasks=tuple(_decode_task(each) for each in message.tasks),
        reason=Reason[receipt_pb2.Reason.Name(message.reason)],
        draw=draw,
        unit=message.unit.hex() or None,
        nonce=message.nonce,
    )


def _decode_task(message: receipt_pb2.Task) -> PredictedTask:
    return PredictedTask(
        message.name,
        "several" if message.is_several else "one",
        None if message.labels_digest else tuple(message.labels),
        message.labels_digest or None,
        tuple(score / _SCORE_STEPS for score in message.scores),
    )
