"""Classifies with the variant that routing decides on, and counts for each arm what came of it.

REST and gRPC call this; `classifier` does the work.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.classification.brown_out import reduce_to_place
from gateway.contract.manifest import VariantKind
from gateway.errors import GatewayError, RequestError, VariantUnavailableError
from gateway.value import value
from gateway.zero_shot.fit import require_fit
from gateway.zero_shot.query import LabelQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.classification.arms import ArmObserver
    from gateway.classification.brown_out import BrownOutBounds
    from gateway.classification.classifier import Classifier
    from gateway.classification.receipting import ReceiptIssuer
    from gateway.classification.sampling import Sampler
    from gateway.classification.shadow import Shadows
    from gateway.classification.values import Classification, ClassifyRequest
    from gateway.receipts.receipt import SignedReceipt
    from gateway.routing.router import Decision, Router
    from gateway.zero_shot.embeddings import LabelWork
    from gateway.zero_shot.label_sets import LabelSets


@value
class RoutedAnswer:
    """An answer, why its variant gave it, and what proves that it was given.

    Attributes:
        classification: the answer.
        decision: why its variant.
        receipt: of it; its text is the `prediction_id`.
    """

    classification: Classification
    decision: Decision
    receipt: SignedReceipt


class LiveClassifier:
    """The use case.

    Args:
        router: decides.
        classifier: classifies.
        label_sets: finds labels by the name of their set.
        arms: hear what came of each.
        brown_out: when an input may be left out under overload; None: never.
        shadows: see each answered request.
        receipts: signs each answer.
        sampler: looks at those that it drew.
    """

    def __init__(  # noqa: PLR0913 - one of each collaborator
        self,
        router: Router,
        classifier: Classifier,
        label_sets: LabelSets,
        arms: ArmObserver,
        brown_out: BrownOutBounds | None,
        shadows: Shadows,
        *,
        receipts: ReceiptIssuer,
        sampler: Sampler,
    ) -> None:
        self._router = router
        self._classifier = classifier
        self._label_sets = label_sets
        self._arms = arms
        self._brown_out = brown_out
        self._shadows = shadows
        self._receipts = receipts
        self._sampler = sampler

    async def with_labels(self, request: ClassifyRequest) -> ClassifyRequest:
        """Puts the labels into a request that names a set of them.

        Raises:
            UnknownLabelSetError: there is none of that name.
            StorageUnavailableError: label sets cannot be read now.
        """
        if request.label_set is None:
            return request
        found = await self._label_sets.get(request.label_set)
        templates = request.templates or found.query.templates
        return replace(request, labels=LabelQuery(found.query.labels, templates))

    def decide(self, request: ClassifyRequest) -> Decision:
        """Decides which variant answers.

        Raises:
            UnknownVariantError: the request names a variant that does not exist.
            VariantUnavailableError: what should answer is not served now.
            InvalidInputError: it takes no labels, or needs some.
        """
        kind = VariantKind.CLASSIFIER if request.labels is None else VariantKind.DUAL_TOWER
        decision = self._router.decide(request.variant, request.subject, kind)
        require_fit(request.labels, decision.variant)
        return decision

    def new_prompts(self, request: ClassifyRequest, decision: Decision) -> int:
        """Returns how many labels of a request, within prompts, are still to be embedded."""
        if request.labels is None:
            return 0
        return self._classifier.labels.fresh(request.labels, decision.variant)

    def reduce(self, request: ClassifyRequest, decision: Decision) -> ClassifyRequest:
        """Leaves out of a request what it got no place for. See `brown_out.reduce_to_place`."""
        return reduce_to_place(request, decision.variant, self._brown_out)

    async def classify(
        self,
        request: ClassifyRequest,
        decision: Decision,
        on_reused: Callable[[], None],
        label_work: LabelWork,
    ) -> RoutedAnswer:
        """Classifies one item. Raises as `Classifier.classify` does.

        An arm that Triton turns out not to serve gets no more traffic until the catalog is read
        again, and the control answers in its place: nothing was computed yet, and nothing is lost.

        Args:
            request: the item.
            decision: which variant answers.
            on_reused: see `Classifier.classify`.
            label_work: the same.
        """
        try:
            routed = await self._classify(request, decision, on_reused, label_work)
        except VariantUnavailableError:
            instead = self._router.gate(decision)
            if instead is None:
                raise
            routed = await self._classify(request, instead, on_reused, label_work)
        comparisons = self._shadows.offer(request, routed.classification)
        self._sampler.offer(request, routed.classification, routed.receipt, comparisons)
        return routed

    async def _classify(
        self,
        request: ClassifyRequest,
        decision: Decision,
        on_reused: Callable[[], None],
        label_work: LabelWork,
    ) -> RoutedAnswer:
        outcome = "ok"
        seconds: float | None = None
        try:
            answer = await self._classifier.classify(
                request, decision.variant, on_reused, label_work
            )
            seconds = answer.timings.total_ms / 1000
        except GatewayError as error:
            outcome = "input_fault" if isinstance(error, RequestError) else error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._arms.observe(decision, outcome, seconds)
        return RoutedAnswer(answer, decision, self._receipts.issue(request, answer, decision))
