"""Brown-out: under overload, a request with both inputs is answered from one of them.

After Klein et al., "Brownout: Building More Robust Cloud Applications" (ICSE 2014): optional
work is left out when there is no room for it. Only for callers who allow it, and only from an input
of which the variant's own report says that it is well calibrated and little less accurate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.admission.arrival import Reason
from gateway.contract.manifest import ModalitySet
from gateway.errors import AdmissionRefusedError
from gateway.placement import Degraded

if TYPE_CHECKING:
    from gateway.catalog import Variant
    from gateway.classification.values import ClassifyRequest

_RETRY_MS = 250


@dataclass(frozen=True, slots=True)
class BrownOutBounds:
    """What a variant's report must say of an input alone.

    Attributes:
        max_calibration_error: largest expected calibration error, 0 to 1.
        max_accuracy_loss: most that accuracy may be below that of both inputs together, 0 to 1.
    """

    max_calibration_error: float
    max_accuracy_loss: float

    def fallback(self, variant: Variant) -> ModalitySet | None:
        """Returns the most accurate input that is within the bounds, or None."""
        quality = {each: variant.ensembles[each].manifest.quality for each in ModalitySet}
        least_accuracy = quality[ModalitySet.BOTH].accuracy - self.max_accuracy_loss
        good_enough = [
            each
            for each in (ModalitySet.TEXT, ModalitySet.IMAGE)
            if quality[each].expected_calibration_error <= self.max_calibration_error
            and quality[each].accuracy >= least_accuracy
        ]
        return max(good_enough, key=lambda each: quality[each].accuracy, default=None)


def reduce_to_place(
    request: ClassifyRequest, variant: Variant, bounds: BrownOutBounds | None
) -> ClassifyRequest:
    """Leaves an input out of a request that got its place for that alone; others stay as they are.

    Raises:
        AdmissionRefusedError: it has one input only, or the report allows to leave none out.
    """
    placement = request.placement
    if placement is None or placement.degraded is not Degraded.BROWN_OUT:
        return request
    kept = bounds.fallback(variant) if bounds is not None else None
    if request.modalities is not ModalitySet.BOTH or kept is None:
        raise AdmissionRefusedError(Reason.CONCURRENCY, retry_after_ms=_RETRY_MS)
    if kept is ModalitySet.TEXT:
        return replace(request, image=None)
    return replace(request, text=None)
