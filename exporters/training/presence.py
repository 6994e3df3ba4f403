"""What the training loss is put on where some rows of a batch lack a modality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.training.features import Features


def drop_modalities(rows: int, ratio: float) -> tuple[Tensor, Tensor]:
    """Draws which rows keep their text and which their image; no row loses both.

    One draw decides: the lowest `ratio` loses the text, the highest `ratio` the image.
    """
    draw = torch.rand(rows)
    return draw >= ratio, draw < 1 - ratio


def training_logits(
    head: FusionHead, features: Features, has_text: Tensor, has_image: Tensor
) -> tuple[Tensor, ...]:
    """Returns `FusionHead.fitted_logits` of features of which some count as absent.

    Of sequences, rows that have the same modalities go through the head together, as they do when
    it is served: what is absent is then not read and is one position long, and no gradient is
    computed of sequences that need none.

    Args:
        head: the fusion head, in training mode.
        features: of a batch.
        has_text: which rows have a text, shape (batch,), bool.
        has_image: which rows have an image, the same; no row lacks both.
    """
    if not head.is_over_sequences:
        return head.fitted_logits(*head.prepare(*features.seen_by(head), has_text, has_image))
    groups = (has_text & has_image, has_text & ~has_image, has_image & ~has_text)
    found, order = [], []
    for is_member, modalities in zip(groups, ModalitySet, strict=True):
        rows = is_member.nonzero().squeeze(1)
        if len(rows):
            found.append(_logits(head, features.take(rows), modalities))
            order.append(rows)
    places = torch.cat(order).argsort()
    return tuple(torch.cat(parts)[places] for parts in zip(*found, strict=True))


def _logits(head: FusionHead, features: Features, modalities: ModalitySet) -> tuple[Tensor, ...]:
    assert features.sequences is not None  # noqa: S101  # the head reads them
    rows = len(features)
    text, image = head.absent_text(rows), head.absent_image(rows)
    if modalities.has_text:
        text = head.standardise_text(features.sequences.text.read())
    if modalities.has_image:
        image = head.standardise_image(features.sequences.image.read())
    return head.fitted_logits(text, image)
