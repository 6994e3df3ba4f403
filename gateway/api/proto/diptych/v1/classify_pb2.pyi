from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Modality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODALITY_UNSPECIFIED: _ClassVar[Modality]
    MODALITY_IMAGE: _ClassVar[Modality]
    MODALITY_TEXT: _ClassVar[Modality]

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    SOURCE_COMPUTED: _ClassVar[Source]
    SOURCE_COALESCED: _ClassVar[Source]
    SOURCE_CACHED: _ClassVar[Source]
MODALITY_UNSPECIFIED: Modality
MODALITY_IMAGE: Modality
MODALITY_TEXT: Modality
SOURCE_UNSPECIFIED: Source
SOURCE_COMPUTED: Source
SOURCE_COALESCED: Source
SOURCE_CACHED: Source

class ClassifyRequest(_message.Message):
    __slots__ = ("image", "text", "top_k", "variant", "unit", "metadata", "image_url", "allow_degraded", "labels", "prompt_template", "label_set")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    ALLOW_DEGRADED_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SET_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    text: str
    top_k: int
    variant: str
    unit: str
    metadata: _containers.ScalarMap[str, str]
    image_url: str
    allow_degraded: bool
    labels: _containers.RepeatedScalarFieldContainer[str]
    prompt_template: _containers.RepeatedScalarFieldContainer[str]
    label_set: str
    def __init__(self, image: _Optional[bytes] = ..., text: _Optional[str] = ..., top_k: _Optional[int] = ..., variant: _Optional[str] = ..., unit: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., image_url: _Optional[str] = ..., allow_degraded: bool = ..., labels: _Optional[_Iterable[str]] = ..., prompt_template: _Optional[_Iterable[str]] = ..., label_set: _Optional[str] = ...) -> None: ...

class LabelScore(_message.Message):
    __slots__ = ("label", "score")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    label: str
    score: float
    def __init__(self, label: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("receive", "triton", "decode", "image_encoder", "tokenise", "text_encoder", "respond", "total", "labels")
    RECEIVE_FIELD_NUMBER: _ClassVar[int]
    TRITON_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ENCODER_FIELD_NUMBER: _ClassVar[int]
    TOKENISE_FIELD_NUMBER: _ClassVar[int]
    TEXT_ENCODER_FIELD_NUMBER: _ClassVar[int]
    RESPOND_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    receive: float
    triton: float
    decode: float
    image_encoder: float
    tokenise: float
    text_encoder: float
    respond: float
    total: float
    labels: float
    def __init__(self, receive: _Optional[float] = ..., triton: _Optional[float] = ..., decode: _Optional[float] = ..., image_encoder: _Optional[float] = ..., tokenise: _Optional[float] = ..., text_encoder: _Optional[float] = ..., respond: _Optional[float] = ..., total: _Optional[float] = ..., labels: _Optional[float] = ...) -> None: ...

class BatchSizes(_message.Message):
    __slots__ = ("image_encoder", "text_encoder")
    IMAGE_ENCODER_FIELD_NUMBER: _ClassVar[int]
    TEXT_ENCODER_FIELD_NUMBER: _ClassVar[int]
    image_encoder: int
    text_encoder: int
    def __init__(self, image_encoder: _Optional[int] = ..., text_encoder: _Optional[int] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("reason", "experiment", "arm", "gate", "is_sticky")
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    IS_STICKY_FIELD_NUMBER: _ClassVar[int]
    reason: str
    experiment: str
    arm: str
    gate: str
    is_sticky: bool
    def __init__(self, reason: _Optional[str] = ..., experiment: _Optional[str] = ..., arm: _Optional[str] = ..., gate: _Optional[str] = ..., is_sticky: bool = ...) -> None: ...

class TaskAnswer(_message.Message):
    __slots__ = ("label", "score", "labels", "top_k")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    label: str
    score: float
    labels: _containers.RepeatedCompositeFieldContainer[LabelScore]
    top_k: _containers.RepeatedCompositeFieldContainer[LabelScore]
    def __init__(self, label: _Optional[str] = ..., score: _Optional[float] = ..., labels: _Optional[_Iterable[_Union[LabelScore, _Mapping]]] = ..., top_k: _Optional[_Iterable[_Union[LabelScore, _Mapping]]] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("prediction_id", "variant", "digest", "modalities", "label", "score", "top_k", "timings_ms", "batch_sizes", "source", "pool", "degraded", "assignment", "tasks")
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: TaskAnswer
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[TaskAnswer, _Mapping]] = ...) -> None: ...
    PREDICTION_ID_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    prediction_id: str
    variant: str
    digest: str
    modalities: _containers.RepeatedScalarFieldContainer[Modality]
    label: str
    score: float
    top_k: _containers.RepeatedCompositeFieldContainer[LabelScore]
    timings_ms: Timings
    batch_sizes: BatchSizes
    source: Source
    pool: str
    degraded: str
    assignment: Assignment
    tasks: _containers.MessageMap[str, TaskAnswer]
    def __init__(self, prediction_id: _Optional[str] = ..., variant: _Optional[str] = ..., digest: _Optional[str] = ..., modalities: _Optional[_Iterable[_Union[Modality, str]]] = ..., label: _Optional[str] = ..., score: _Optional[float] = ..., top_k: _Optional[_Iterable[_Union[LabelScore, _Mapping]]] = ..., timings_ms: _Optional[_Union[Timings, _Mapping]] = ..., batch_sizes: _Optional[_Union[BatchSizes, _Mapping]] = ..., source: _Optional[_Union[Source, str]] = ..., pool: _Optional[str] = ..., degraded: _Optional[str] = ..., assignment: _Optional[_Union[Assignment, _Mapping]] = ..., tasks: _Optional[_Mapping[str, TaskAnswer]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("type", "title", "status", "detail", "instance", "code", "field", "limit", "actual", "retry_after_s", "retry_after_ms")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    field: str
    limit: int
    actual: int
    retry_after_s: int
    retry_after_ms: int
    def __init__(self, type: _Optional[str] = ..., title: _Optional[str] = ..., status: _Optional[int] = ..., detail: _Optional[str] = ..., instance: _Optional[str] = ..., code: _Optional[str] = ..., field: _Optional[str] = ..., limit: _Optional[int] = ..., actual: _Optional[int] = ..., retry_after_s: _Optional[int] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class ClassifyStreamRequest(_message.Message):
    __slots__ = ("client_id", "request")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    request: ClassifyRequest
    def __init__(self, client_id: _Optional[str] = ..., request: _Optional[_Union[ClassifyRequest, _Mapping]] = ...) -> None: ...

class ClassifyStreamResponse(_message.Message):
    __slots__ = ("client_id", "result", "problem")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    result: ClassifyResponse
    problem: Problem
    def __init__(self, client_id: _Optional[str] = ..., result: _Optional[_Union[ClassifyResponse, _Mapping]] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...
