from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Modalities(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOTH: _ClassVar[Modalities]
    IMAGE: _ClassVar[Modalities]
    TEXT: _ClassVar[Modalities]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NEWEST: _ClassVar[Reason]
    REQUESTED: _ClassVar[Reason]
    PROMOTED: _ClassVar[Reason]
    CONFIGURED: _ClassVar[Reason]
    ASSIGNED: _ClassVar[Reason]
    UNIT_OVERRIDE: _ClassVar[Reason]
    KEY_OVERRIDE: _ClassVar[Reason]
    ARM_GATED: _ClassVar[Reason]
BOTH: Modalities
IMAGE: Modalities
TEXT: Modalities
NEWEST: Reason
REQUESTED: Reason
PROMOTED: Reason
CONFIGURED: Reason
ASSIGNED: Reason
UNIT_OVERRIDE: Reason
KEY_OVERRIDE: Reason
ARM_GATED: Reason

class Task(_message.Message):
    __slots__ = ("name", "is_several", "labels", "labels_digest", "scores")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_SEVERAL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LABELS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    name: str
    is_several: bool
    labels: _containers.RepeatedScalarFieldContainer[str]
    labels_digest: bytes
    scores: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., is_several: bool = ..., labels: _Optional[_Iterable[str]] = ..., labels_digest: _Optional[bytes] = ..., scores: _Optional[_Iterable[int]] = ...) -> None: ...

class Draw(_message.Message):
    __slots__ = ("experiment", "revision", "layer", "arm", "propensity", "is_sticky")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    IS_STICKY_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    revision: bytes
    layer: str
    arm: str
    propensity: float
    is_sticky: bool
    def __init__(self, experiment: _Optional[str] = ..., revision: _Optional[bytes] = ..., layer: _Optional[str] = ..., arm: _Optional[str] = ..., propensity: _Optional[float] = ..., is_sticky: bool = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("issued_ms", "nonce", "variant", "digest", "modalities", "tasks", "reason", "draw", "unit")
    ISSUED_MS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRAW_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    issued_ms: int
    nonce: bytes
    variant: str
    digest: bytes
    modalities: Modalities
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    reason: Reason
    draw: Draw
    unit: bytes
    def __init__(self, issued_ms: _Optional[int] = ..., nonce: _Optional[bytes] = ..., variant: _Optional[str] = ..., digest: _Optional[bytes] = ..., modalities: _Optional[_Union[Modalities, str]] = ..., tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ..., reason: _Optional[_Union[Reason, str]] = ..., draw: _Optional[_Union[Draw, _Mapping]] = ..., unit: _Optional[bytes] = ...) -> None: ...
