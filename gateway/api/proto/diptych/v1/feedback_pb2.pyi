from gateway.api.proto.diptych.v1 import classify_pb2 as _classify_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LabelList(_message.Message):
    __slots__ = ("labels",)
    LABELS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, labels: _Optional[_Iterable[str]] = ...) -> None: ...

class TaskVerdict(_message.Message):
    __slots__ = ("label", "labels", "is_unsure")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    IS_UNSURE_FIELD_NUMBER: _ClassVar[int]
    label: str
    labels: LabelList
    is_unsure: bool
    def __init__(self, label: _Optional[str] = ..., labels: _Optional[_Union[LabelList, _Mapping]] = ..., is_unsure: bool = ...) -> None: ...

class FeedbackItem(_message.Message):
    __slots__ = ("prediction_id", "verdict", "tasks", "labelled_at_ms", "sampling_probability")
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: TaskVerdict
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[TaskVerdict, _Mapping]] = ...) -> None: ...
    PREDICTION_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    LABELLED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    prediction_id: str
    verdict: TaskVerdict
    tasks: _containers.MessageMap[str, TaskVerdict]
    labelled_at_ms: int
    sampling_probability: float
    def __init__(self, prediction_id: _Optional[str] = ..., verdict: _Optional[_Union[TaskVerdict, _Mapping]] = ..., tasks: _Optional[_Mapping[str, TaskVerdict]] = ..., labelled_at_ms: _Optional[int] = ..., sampling_probability: _Optional[float] = ...) -> None: ...

class GiveFeedbackRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[FeedbackItem]
    def __init__(self, items: _Optional[_Iterable[_Union[FeedbackItem, _Mapping]]] = ...) -> None: ...

class FeedbackResult(_message.Message):
    __slots__ = ("status", "variant", "predicted_at_ms")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    status: str
    variant: str
    predicted_at_ms: int
    def __init__(self, status: _Optional[str] = ..., variant: _Optional[str] = ..., predicted_at_ms: _Optional[int] = ...) -> None: ...

class FeedbackOutcome(_message.Message):
    __slots__ = ("result", "problem")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    result: FeedbackResult
    problem: _classify_pb2.Problem
    def __init__(self, result: _Optional[_Union[FeedbackResult, _Mapping]] = ..., problem: _Optional[_Union[_classify_pb2.Problem, _Mapping]] = ...) -> None: ...

class GiveFeedbackResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[FeedbackOutcome]
    def __init__(self, items: _Optional[_Iterable[_Union[FeedbackOutcome, _Mapping]]] = ...) -> None: ...
