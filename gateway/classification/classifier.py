"""Classifies one item: REST and gRPC only translate.

It calls the ensemble of a variant that `live` chose, and measures the stages. It knows neither
transports nor models.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from gateway.classification.outputs import rank
from gateway.classification.sampling import DrawnFeatures
from gateway.classification.tasks import Reading, read_logits
from gateway.classification.values import Classification, Scores, StageTimings
from gateway.contract import tensors
from gateway.contract.zero_shot import label_logits
from gateway.errors import GatewayError, RequestError
from gateway.placement import Degraded, Placement
from gateway.pools.call import Call, split_features
from gateway.reuse.equality import Question
from gateway.reuse.source import Source
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import stage
from gateway.triton.outputs import ABSENT, Trace, read_row, read_trace
from gateway.zero_shot.embeddings import LabelAsker
from gateway.zero_shot.fit import require_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.catalog import Variant
    from gateway.classification.sampling import Sampler
    from gateway.classification.values import ClassifyRequest
    from gateway.contract.manifest import ModalitySet
    from gateway.pools.call import Served
    from gateway.pools.dispatch import Dispatcher
    from gateway.reuse.answers import ReusedAnswers
    from gateway.telemetry.metrics import Metrics
    from gateway.triton.backend import Row
    from gateway.zero_shot.embeddings import EmbeddedLabels, LabelEmbeddings, LabelWork

_MS: Final = 1000.0


class Classifier:
    """Classifies with the variant that it is given.

    Args:
        dispatcher: sends to the pools.
        metrics: outcomes, stages and batch sizes go there.
        reuse: answers equal requests by one computation.
        labels: embeds the labels of requests.
        sampler: draws the answers whose features are wanted.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        metrics: Metrics,
        reuse: ReusedAnswers[Served],
        labels: LabelEmbeddings,
        sampler: Sampler,
    ) -> None:
        self._sampler = sampler
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._reuse = reuse
        self.labels = labels

    async def classify(
        self,
        request: ClassifyRequest,
        variant: Variant,
        on_reused: Callable[[], None],
        label_work: LabelWork,
    ) -> Classification:
        """Classifies one item with one variant.

        Args:
            request: the item.
            variant: answers it.
            on_reused: called as soon as it is known that another's computation answers it.
            label_work: is told what the labels of the request cost.

        Raises:
            InvalidInputError: the image or text itself cannot be classified, or the labels that
                were given are not for this variant.
            UnavailableError: not now; says when to try again.
            DeadlineExceededError: the time of the request is spent.
            BackendError: Triton failed or broke the contract.
        """
        modalities = request.modalities
        outcome = "ok"
        try:
            with stage(
                names.CLASSIFY, {names.VARIANT: variant.name, names.MODALITIES: modalities}
            ) as span:
                answer = await self._classify(request, variant, on_reused, label_work)
                span.note(
                    {
                        names.DIGEST: answer.digest,
                        names.SOURCE: answer.source,
                        names.POOL: answer.placement.pool,
                        names.DEGRADED: answer.placement.degraded,
                    }
                )
            return answer
        except GatewayError as error:
            outcome = error.code
            if isinstance(error, RequestError):
                # Its code is a model step's own: an outcome is one of a fixed set.
                outcome = "input_fault"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._metrics.count_classification(variant.name, modalities, outcome)

    async def _classify(
        self,
        request: ClassifyRequest,
        variant: Variant,
        on_reused: Callable[[], None],
        label_work: LabelWork,
    ) -> Classification:
        modalities = request.modalities
        began_s = time.perf_counter()
        require_fit(request.labels, variant)
        embedded: EmbeddedLabels | None = None
        labels_ms: float | None = None
        if request.labels is not None:
            asker = LabelAsker(request.deadline, request.request_id, request.placement, label_work)
            with stage(names.LABELS):
                embedded = await self.labels.embed(request.labels, variant, asker)
            labels_ms = (time.perf_counter() - began_s) * _MS
        inputs: dict[str, bytes] = {}
        if request.image is not None:
            inputs[tensors.IMAGE] = request.image
        if request.text is not None:
            inputs[tensors.TEXT] = request.text.encode()

        ticket = self._sampler.draw(variant, modalities)
        call = Call(
            variant.name,
            modalities,
            inputs,
            request.deadline,
            request.request_id,
            request.placement,
            has_features=ticket is not None,
        )
        rows: dict[str, Row] = {}

        async def compute(_: float) -> Served:
            # Features belong to this request alone: they are not cached, nor given to who joins.
            served, found = split_features(await self._dispatcher.infer(call))
            rows.update(found)
            return served

        digests = "+".join(self._dispatcher.digests(variant.name))
        model = variant.ensembles[modalities].model
        key = await self._reuse.key(Question(request.caller, model, digests, inputs))
        called_s = time.perf_counter()
        with stage(names.TRITON):
            served, source = await self._reuse.answer(key, compute, request.deadline, on_reused)
        answered_s = time.perf_counter()
        is_own = source is Source.COMPUTED
        # A server answers with the digest that it has; the answer says which.
        outputs, variant = served.outputs, served.variant
        with stage(names.RESPOND):
            reading = await self._read(embedded, served, modalities, request.top_k)
            image, text = _read_traces(outputs, modalities) if is_own else (ABSENT, ABSENT)
        finished_s = time.perf_counter()
        timings = StageTimings(
            receive_ms=(called_s - request.deadline.arrived_s) * _MS - (labels_ms or 0.0),
            triton_ms=(answered_s - called_s) * _MS,
            decode_ms=image.preprocess_ms,
            image_encoder_ms=image.encode_ms,
            tokenise_ms=text.preprocess_ms,
            text_encoder_ms=text.encode_ms,
            respond_ms=(finished_s - answered_s) * _MS,
            total_ms=(finished_s - request.deadline.arrived_s) * _MS,
            labels_ms=labels_ms,
        )
        classification = Classification(
            variant=variant.name,
            digest=variant.digest,
            modalities=modalities,
            ranking=reading.ranking,
            scores=reading.scores,
            timings=timings,
            image_batch_size=image.batch_size,
            text_batch_size=text.batch_size,
            source=source,
            placement=_placement(request, served),
            tasks=reading.tasks,
            features=DrawnFeatures(ticket, rows) if ticket is not None and rows else None,
        )
        self._observe(classification)
        return classification

    async def _read(
        self, labels: EmbeddedLabels | None, served: Served, modalities: ModalitySet, top_k: int
    ) -> Reading:
        manifest = served.variant.ensembles[modalities].manifest
        tower = manifest.dual_tower
        if tower is None or labels is None:
            own = served.variant.labels
            row = read_row(served.outputs, tensors.LOGITS, len(own))
            return read_logits(row, manifest, top_k)
        embedding = read_row(served.outputs, tensors.EMBEDDING, tower.embedding_dim)
        if labels.digest != served.variant.digest:
            # The server that answered is a release ahead or behind: its space is another one.
            labels = await self.labels.embed(labels.query, served.variant, labels.asker)
        logits = label_logits(embedding, labels.directions, tower.logit_scale, tower.logit_bias)
        scores = Scores(logits, labels.query.labels, manifest.temperature, tower.activation)
        return Reading(scores, rank(scores, top_k))

    def _observe(self, answer: Classification) -> None:
        self._metrics.pools.count_answer(answer.placement)
        timings = answer.timings
        for name, spent_ms in (
            ("receive", timings.receive_ms),
            ("labels", timings.labels_ms),
            ("triton", timings.triton_ms if answer.source is Source.COMPUTED else None),
            ("decode", timings.decode_ms),
            ("image_encoder", timings.image_encoder_ms),
            ("tokenise", timings.tokenise_ms),
            ("text_encoder", timings.text_encoder_ms),
            ("respond", timings.respond_ms),
        ):
            if spent_ms is not None:
                self._metrics.observe_stage(name, spent_ms / _MS)
        if answer.image_batch_size is not None:
            self._metrics.observe_batch_size("image", answer.image_batch_size)
        if answer.text_batch_size is not None:
            self._metrics.observe_batch_size("text", answer.text_batch_size)


def _placement(request: ClassifyRequest, served: Served) -> Placement:
    asked = request.placement
    # That an input was left out weighs more than which pool answered.
    if asked is not None and asked.degraded is Degraded.BROWN_OUT:
        return Placement(served.placement.pool, Degraded.BROWN_OUT)
    return served.placement


def _read_traces(outputs: Mapping[str, Row], modalities: ModalitySet) -> tuple[Trace, Trace]:
    image = read_trace(outputs, tensors.IMAGE_TRACE) if modalities.has_image else ABSENT
    text = read_trace(outputs, tensors.TEXT_TRACE) if modalities.has_text else ABSENT
    return image, text
