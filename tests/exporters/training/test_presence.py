"""Rows of a batch that lack a modality, in training as in serving."""

from __future__ import annotations

import torch

from exporters.heads import build_head, head_for
from exporters.recipe_sections import HeadRecipe
from exporters.tasks import single_task
from exporters.training import Features
from exporters.training.presence import training_logits
from exporters.training.sequences import HeldSequences, Sequences
from gateway.contract.manifest import ModalitySet

ROWS = 6
HAS_TEXT = torch.tensor([True, False, True, True, False, True])
HAS_IMAGE = torch.tensor([True, True, False, True, True, False])


def test_rows_over_sequences_are_answered_as_the_served_views_answer_them() -> None:
    torch.manual_seed(0)
    recipe = HeadRecipe(type="cross_attention", hidden_dim=16, dropout=0.0)
    head = build_head(recipe, text_dim=12, image_dim=20, tasks=single_task("abc"))
    text, image = torch.randn(ROWS, 5, 12), torch.randn(ROWS, 4, 20, requires_grad=True)
    sequences = Sequences(HeldSequences(text), HeldSequences(image))
    features = Features(text.mean(dim=1), image.mean(dim=1), sequences)

    [logits] = training_logits(head, features, HAS_TEXT, HAS_IMAGE)

    seen = {ModalitySet.BOTH: (text, image), ModalitySet.TEXT: (text,), ModalitySet.IMAGE: (image,)}
    for row in range(ROWS):
        sees = (bool(HAS_TEXT[row]), bool(HAS_IMAGE[row]))
        modalities = next(each for each in ModalitySet if (each.has_text, each.has_image) == sees)
        view = head_for(head, modalities)
        alone = view(*(each[row : row + 1] for each in seen[modalities]))
        # The same sums in batches of other sizes.
        torch.testing.assert_close(logits[row : row + 1], alone, atol=1e-5, rtol=1e-5)
    logits.sum().backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
    assert image.grad is not None
    learned = image.grad.abs().sum(dim=(1, 2)) > 0
    assert learned.equal(HAS_IMAGE)
