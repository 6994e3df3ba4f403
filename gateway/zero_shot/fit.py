"""Whether labels and variant fit: a classifier has its own, a dual tower needs them given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.contract.manifest import VariantKind
from gateway.errors import InvalidInputError

if TYPE_CHECKING:
    from gateway.catalog import Variant
    from gateway.zero_shot.query import LabelQuery


def require_fit(query: LabelQuery | None, variant: Variant) -> None:
    """Refuses labels where there are labels already, and none where there are none.

    Raises:
        InvalidInputError: they do not fit.
    """
    if query is not None and variant.kind is VariantKind.CLASSIFIER:
        raise InvalidInputError(
            "labels_not_taken",
            f"The variant {variant.name} classifies into its own labels; leave labels and "
            "label_set out, or name a variant of kind dual_tower (see /v1/models).",
            field="labels",
        )
    if query is None and variant.kind is VariantKind.DUAL_TOWER:
        raise InvalidInputError(
            "labels_missing",
            f"The variant {variant.name} classifies into labels that the request gives; send "
            'labels, as in ["cat", "dog"], or the name of a label_set.',
            field="labels",
        )
