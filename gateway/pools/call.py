"""What goes into the pools and what comes out: an item on its way to a server, and its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.contract.tensors import IMAGE_FEATURES, TEXT_FEATURES
from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.admission.deadline import Deadline
    from gateway.catalog import Variant
    from gateway.contract.manifest import ModalitySet
    from gateway.placement import Placement
    from gateway.triton.backend import Row


@value
class Call:
    """One item on its way to a server.

    Attributes:
        variant: name of the variant.
        modalities: its modality set.
        inputs: content of the BYTES tensors by name.
        deadline: when it must be answered.
        request_id: for Triton's log.
        placement: the pool that admission found room in; None: the first that is well.
        has_features: whether the features of its inputs are wanted too.
    """

    variant: str
    modalities: ModalitySet
    inputs: Mapping[str, bytes]
    deadline: Deadline
    request_id: str
    placement: Placement | None
    has_features: bool = False


@value
class Served:
    """What came back: the outputs by name, and who made them."""

    outputs: Mapping[str, Row]
    variant: Variant
    placement: Placement


def split_features(served: Served) -> tuple[Served, dict[str, Row]]:
    """Takes the features out of what came back; the first is the rest."""
    rows = {
        name: row for name, row in served.outputs.items() if name in {IMAGE_FEATURES, TEXT_FEATURES}
    }
    if not rows:
        return served, rows
    outputs = {name: row for name, row in served.outputs.items() if name not in rows}
    return Served(outputs, served.variant, served.placement), rows
