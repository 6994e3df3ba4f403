from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from exporters.heads import FusionHead, build_head, head_for
from exporters.heads.mean_attention import MeanAttention
from exporters.heads.sequences import attention_bias, mean_weights
from exporters.recipe_sections import HeadRecipe
from exporters.tasks import single_task
from gateway.contract.manifest import ModalitySet

TEXT_DIM, CELL_DIM = 12, 20


@pytest.fixture
def head() -> FusionHead:
    torch.manual_seed(0)
    recipe = HeadRecipe(type="cross_attention", hidden_dim=16)
    head = build_head(recipe, text_dim=TEXT_DIM, image_dim=CELL_DIM, tasks=single_task("abc"))
    head.fit_standardisation(torch.randn(30, 5, TEXT_DIM) * 3 + 1, torch.randn(30, 4, CELL_DIM))
    return head.eval()


@pytest.mark.parametrize("padding", [1, 7])
def test_padding_does_not_change_an_answer(head: FusionHead, padding: int) -> None:
    text, image = torch.randn(3, 5, TEXT_DIM), torch.randn(3, 4, CELL_DIM)
    longer = functional.pad(text, (0, 0, 0, padding))

    for modalities, inputs, padded in (
        (ModalitySet.BOTH, (text, image), (longer, image)),
        (ModalitySet.TEXT, (text,), (longer,)),
    ):
        view = head_for(head, modalities)
        # The same sums over more zeros: the last bits may differ.
        torch.testing.assert_close(view(*padded), view(*inputs), atol=1e-6, rtol=1e-6)


def test_text_is_heard_token_by_token(head: FusionHead) -> None:
    text, image = torch.randn(1, 5, TEXT_DIM), torch.randn(1, 4, CELL_DIM)
    other = text.clone()
    other[0, 4] += 1.0

    assert (head(other, image) - head(text, image)).abs().max() > 1e-4


def test_row_without_any_position_gives_numbers(head: FusionHead) -> None:
    empty = torch.zeros(2, 5, TEXT_DIM)

    assert head(empty, torch.zeros(2, 4, CELL_DIM)).isfinite().all()


def test_standardisation_counts_positions_and_not_padding() -> None:
    text = torch.randn(200, 5, TEXT_DIM) * 4 + 2
    text[:, 3:] = 0.0
    head = build_head(
        HeadRecipe(type="cross_attention"),
        text_dim=TEXT_DIM,
        image_dim=CELL_DIM,
        tasks=single_task("abc"),
    )
    head.fit_standardisation(text, torch.randn(200, 4, CELL_DIM))

    standardised = head.standardise_text(text)
    torch.testing.assert_close(
        standardised[:, :3].mean(dim=(0, 1)), torch.zeros(TEXT_DIM), atol=1e-5, rtol=0
    )
    assert standardised[:, 3:].abs().sum() == 0


def test_mean_of_what_positions_see_is_torchs_attention_averaged() -> None:
    torch.manual_seed(1)
    look = MeanAttention(16)
    states, others = torch.randn(3, 5, 16), torch.randn(3, 4, 16)
    looking, seen = torch.ones(3, 5, dtype=torch.bool), torch.ones(3, 4, dtype=torch.bool)
    looking[0, 3:], seen[1, 2:] = False, False
    torchs = nn.MultiheadAttention(16, look.looks, batch_first=True)
    with torch.no_grad():
        layers = (look.query, look.key, look.value)
        torchs.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
        torchs.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
        torchs.out_proj.load_state_dict(look.out.state_dict())

    found = look(states, mean_weights(looking, states.dtype), others, attention_bias(seen))

    expected, _ = torchs(states, others, others, key_padding_mask=~seen)
    for row in range(3):
        # The same sums in another order.
        torch.testing.assert_close(
            found[row, 0], expected[row, looking[row]].mean(dim=0), atol=1e-5, rtol=1e-5
        )
