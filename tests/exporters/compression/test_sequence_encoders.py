"""Encoders whose sequences a head reads: every method leaves them, near the original's."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
import torch

from exporters.compression import compress, parse_steps
from exporters.compression.compressed_encoder import prepare_encoder
from exporters.compression.encoder_side import sides_of
from exporters.compression.recovery import Lesson, recover
from exporters.compression.search import search
from exporters.compression.sessions import GraphSession
from exporters.compression.side import Side
from exporters.compression.step import steps_of
from exporters.compression.unlabelled import with_pairs
from exporters.recipe import load_recipe
from exporters.training import TrainedVariant, train
from tests.exporters.compression.test_unlabelled import write_pairs
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.compression.compressed_encoder import CompressedEncoder
    from exporters.compression.encoder_side import EncoderSide
    from exporters.workspace import Workspace


@pytest.fixture(scope="module")
def sequence_variant(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> TrainedVariant:
    file = write_small_recipe(
        tmp_path_factory.mktemp("recipe"), head="cross_attention", examples=150
    )
    return train(load_recipe(str(file)), workspace)


@pytest.fixture(scope="module")
def sides(sequence_variant: TrainedVariant) -> tuple[EncoderSide, EncoderSide]:
    return sides_of(sequence_variant)


def compressed(side: EncoderSide, text: str, workspace: Workspace) -> CompressedEncoder:
    return prepare_encoder(side, steps_of(parse_steps(text.split()), side.side), workspace)


def states_of(encoder: CompressedEncoder) -> torch.Tensor:
    assert encoder.sequences is not None
    return encoder.sequences.read()


def relative_error(said: torch.Tensor, original: torch.Tensor) -> float:
    return float((said - original).norm() / original.norm())


# What is changed little stays near; a mask or an order of positions that went wrong is off by 1.
@pytest.mark.parametrize(
    ("step", "allowed"),
    [
        ("int8:sensitivity=0", 0.2),
        ("int8-symmetric:sensitivity=0", 0.2),
        ("fp16", 0.01),
        ("prune-weights:keep=0.95,epochs=0", 0.2),
        ("low-rank:energy=0.9,epochs=0", 0.5),
        ("prune-structure:keep=0.9,epochs=0", 0.5),
        ("distil:keep=0.5,epochs=1", 0.9),
    ],
)
def test_method_leaves_sequences_of_the_same_shape_near_the_original(
    sides: tuple[EncoderSide, EncoderSide], workspace: Workspace, step: str, allowed: float
) -> None:
    for side in sides:
        encoder = compressed(side, step, workspace)
        original = side.taught(range(len(side.features)))

        assert states_of(encoder).shape == original.shape
        assert (states_of(encoder).abs().sum(-1) == 0).equal(original.abs().sum(-1) == 0)
        assert relative_error(states_of(encoder), original) < allowed
        assert not encoder.batch_dependence.is_dependent


def test_dynamic_int8_of_texts_depends_on_batch_mates_in_its_tokens(
    sides: tuple[EncoderSide, EncoderSide], workspace: Workspace
) -> None:
    dynamic = compressed(sides[0], "int8-dynamic", workspace)
    static = compressed(sides[0], "int8:sensitivity=0", workspace)

    company, alone = (each.batch_dependence.largest_difference for each in (dynamic, static))
    assert company > 100 * alone


def test_sequences_are_those_of_the_graph_run_alone(
    sides: tuple[EncoderSide, EncoderSide], workspace: Workspace
) -> None:
    for side in sides:
        encoder = compressed(side, "int8:sensitivity=0", workspace)
        session = GraphSession(encoder.graph)

        features, sequence = session.run(side.feeds([7]))

        np.testing.assert_array_equal(features[0], encoder.features[7].numpy())
        assert encoder.sequences is not None
        kept = encoder.sequences.take(torch.tensor([7])).read().numpy()
        np.testing.assert_array_equal(kept, sequence.astype(np.float16))


def test_original_keeps_no_second_copy_of_its_sequences(
    sides: tuple[EncoderSide, EncoderSide], workspace: Workspace
) -> None:
    original = compressed(sides[1], "", workspace)

    assert original.sequences is sides[1].sequences
    assert not (original.graph.parent / "sequences.npy").exists()
    outputs = onnxruntime.InferenceSession(original.graph).get_outputs()
    assert [each.name for each in outputs] == ["features", "sequence"]


def test_recovery_brings_every_position_nearer_to_the_original(
    sides: tuple[EncoderSide, EncoderSide],
) -> None:
    side = sides[0]
    module = with_noise(side)
    rows = side.calibration_rows(32)
    original = side.taught(rows)
    noisy = relative_error(side.encode(module, rows).sequence, original)

    recovery = recover(module, side, Lesson(epochs=3, temperature=2.0))

    assert relative_error(side.encode(module, rows).sequence, original) < noisy
    assert recovery.error_after < recovery.error_before


def with_noise(side: EncoderSide) -> torch.nn.Module:
    """The encoder with noise on its weights, which is what a recovery mends."""
    torch.manual_seed(0)
    module = copy.deepcopy(side.module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return module


def test_compression_judges_and_refits_a_head_over_sequences(
    sequence_variant: TrainedVariant, workspace: Workspace, tmp_path: Path
) -> None:
    further = with_pairs(
        sequence_variant, write_pairs(tmp_path, sequence_variant, new=40), workspace
    )
    steps = parse_steps(["distil@text:keep=0.5,epochs=1", "int8:sensitivity=0"])

    found = compress(
        sequence_variant, steps, workspace, is_head_refitted=True, learned_from=further
    )

    assert len(found.stages) == 3
    assert found.variant.has_sequences
    assert found.variant.features.sequences is not None
    tokens, cells = found.variant.features.sequences.read()
    assert len(tokens) == len(cells) == len(sequence_variant.table)
    assert {cost.examples for cost in found.costs.values()} == {len(sequence_variant.split.holdout)}


def test_search_finds_the_quickest_encoders_of_a_head_over_sequences(
    sequence_variant: TrainedVariant, workspace: Workspace
) -> None:
    few = {Side.TEXT: ((), ("int8:sensitivity=0",)), Side.IMAGE: ((),)}

    found = search(sequence_variant, 0.05, workspace, few)

    assert found.original.loss == 0
    assert found.chosen.is_within(0.05)
