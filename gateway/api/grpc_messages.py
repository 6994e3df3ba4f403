"""Domain values to and from the messages of `classify.proto`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.api.envelope import Item
from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.reuse.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.api.problems import Problem
    from gateway.classification.live import RoutedAnswer
    from gateway.classification.values import RankedLabel, TaskAnswer
    from gateway.routing.router import Decision


_SOURCES: Final = {
    Source.COMPUTED: classify_pb2.SOURCE_COMPUTED,
    Source.COALESCED: classify_pb2.SOURCE_COALESCED,
    Source.CACHED: classify_pb2.SOURCE_CACHED,
}


def to_item(message: classify_pb2.ClassifyRequest) -> Item:
    """Reads what a caller sent."""
    return Item(
        image=message.image if message.HasField("image") else None,
        text=message.text if message.HasField("text") else None,
        top_k=message.top_k if message.HasField("top_k") else None,
        variant=message.variant if message.HasField("variant") else None,
        unit=message.unit if message.HasField("unit") else None,
        metadata=dict(message.metadata) if message.metadata else None,
        image_url=message.image_url if message.HasField("image_url") else None,
        # A repeated field that is empty was not sent.
        labels=list(message.labels) or None,
        prompt_template=list(message.prompt_template) or None,
        label_set=message.label_set if message.HasField("label_set") else None,
    )


def to_response(routed: RoutedAnswer) -> classify_pb2.ClassifyResponse:
    """Makes the message of one classification."""
    answer = routed.classification
    timings = answer.timings
    modalities = []
    if answer.modalities.has_image:
        modalities.append(classify_pb2.MODALITY_IMAGE)
    if answer.modalities.has_text:
        modalities.append(classify_pb2.MODALITY_TEXT)
    return classify_pb2.ClassifyResponse(
        prediction_id=routed.receipt.text,
        variant=answer.variant,
        digest=answer.digest,
        assignment=_assignment(routed.decision),
        modalities=modalities,
        label=answer.ranking[0].label,
        score=answer.ranking[0].score,
        top_k=_scores(answer.ranking),
        timings_ms=classify_pb2.Timings(
            receive=timings.receive_ms,
            labels=timings.labels_ms,
            triton=timings.triton_ms,
            decode=timings.decode_ms,
            image_encoder=timings.image_encoder_ms,
            tokenise=timings.tokenise_ms,
            text_encoder=timings.text_encoder_ms,
            respond=timings.respond_ms,
            total=timings.total_ms,
        ),
        batch_sizes=classify_pb2.BatchSizes(
            image_encoder=answer.image_batch_size, text_encoder=answer.text_batch_size
        ),
        source=_SOURCES[answer.source],
        pool=answer.placement.pool,
        degraded=answer.placement.degraded,
        tasks={each.name: _task(each) for each in answer.tasks},
    )


def _assignment(decision: Decision) -> classify_pb2.Assignment:
    draw = decision.draw
    return classify_pb2.Assignment(
        reason=decision.reason,
        experiment=draw.experiment if draw else None,
        arm=draw.arm if draw else None,
        gate=decision.gate,
        is_sticky=draw.is_sticky if draw else False,
    )


def _task(answer: TaskAnswer) -> classify_pb2.TaskAnswer:
    if answer.applying is not None:
        return classify_pb2.TaskAnswer(
            labels=_scores(answer.applying), top_k=_scores(answer.ranking)
        )
    best = answer.ranking[0]
    return classify_pb2.TaskAnswer(
        label=best.label, score=best.score, top_k=_scores(answer.ranking)
    )


def _scores(ranking: Iterable[RankedLabel]) -> list[classify_pb2.LabelScore]:
    return [classify_pb2.LabelScore(label=each.label, score=each.score) for each in ranking]


def to_problem_message(problem: Problem) -> classify_pb2.Problem:
    """Makes the message of a problem; its status is the gRPC status."""
    return classify_pb2.Problem(
        type=problem.kind.type_uri,
        title=problem.kind.title,
        status=problem.kind.grpc_status.value[0],
        detail=problem.detail,
        instance=problem.instance,
        code=problem.code,
        field=problem.field,
        limit=problem.limit,
        actual=problem.actual,
        retry_after_s=problem.retry_after_s,
        retry_after_ms=problem.retry_after_ms,
    )
