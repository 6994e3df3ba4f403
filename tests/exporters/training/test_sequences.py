from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch

from exporters.errors import EncoderError, SequencesTooLargeError
from exporters.preprocessing.images import decode_image
from exporters.recipe import load_recipe
from exporters.training import TrainingInputs, load_features, load_inputs, sequence_files
from exporters.training.sequences import JoinedSequences
from exporters.workspace import Workspace
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.encoders.encoded import Encoded
    from exporters.recipe import Recipe
    from exporters.training.sequences import Sequences


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return load_recipe(str(write_small_recipe(tmp_path_factory.mktemp("recipe"))))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def inputs(recipe: Recipe, workspace: Workspace) -> TrainingInputs:
    return load_inputs(recipe, workspace)


def sequences_of(inputs: TrainingInputs, workspace: Workspace) -> Sequences:
    features = load_features(
        inputs.table, inputs.text_encoder, inputs.image_encoder, workspace, has_sequences=True
    )
    assert features.sequences is not None
    return features.sequences


@pytest.fixture(scope="module")
def found(inputs: TrainingInputs, workspace: Workspace) -> Sequences:
    return sequences_of(inputs, workspace)


def test_sequences_are_what_the_encoders_say_of_each_example(
    found: Sequences, inputs: TrainingInputs
) -> None:
    rows = torch.tensor([7, 3, 0])
    text, image = found.take(rows).read()

    for place, row in enumerate(rows.tolist()):
        example = inputs.table.examples[row]
        ids, mask = inputs.text_encoder.tokenizer.encode_batch([example.text])
        pixels = decode_image(example.image.read_bytes(), inputs.image_encoder.preprocessing)
        with torch.inference_mode():
            tokens = inputs.text_encoder.module.encode(
                torch.from_numpy(ids), torch.from_numpy(mask)
            ).sequence[0]
            cells = inputs.image_encoder.module.encode(torch.from_numpy(pixels)[None]).sequence[0]
        # Half precision has 11 bits.
        torch.testing.assert_close(text[place, : len(tokens)], tokens, atol=1e-3, rtol=1e-3)
        assert text[place, len(tokens) :].abs().sum() == 0
        torch.testing.assert_close(image[place], cells, atol=1e-3, rtol=1e-3)


def test_texts_are_cut_to_the_longest_that_is_read(
    found: Sequences, inputs: TrainingInputs
) -> None:
    lengths = [len(ids) for ids in inputs.text_encoder.tokenizer.tokenise(inputs.table.texts)]
    short = torch.tensor([lengths.index(min(lengths))])

    assert found.take(short).read()[0].shape[1] == min(lengths)
    assert found.read()[0].shape[1] == max(lengths)


def test_sequences_are_read_from_the_cache_the_second_time(
    found: Sequences, inputs: TrainingInputs, workspace: Workspace
) -> None:
    encoder = replace(inputs.image_encoder, module=None)  # type: ignore[arg-type] # is not asked

    again = sequences_of(replace(inputs, image_encoder=encoder), workspace)

    assert torch.equal(again.read()[1], found.read()[1])


def test_one_pass_of_an_encoder_gives_features_and_sequences(
    inputs: TrainingInputs, tmp_path: Path
) -> None:
    encoder, rows = inputs.image_encoder, []

    class Counted(torch.nn.Module):
        def encode(self, pixels: torch.Tensor) -> Encoded:
            rows.append(len(pixels))
            return encoder.module.encode(pixels)

    counted = replace(inputs, image_encoder=replace(encoder, module=Counted()))  # type: ignore[arg-type]
    sequences_of(counted, Workspace(tmp_path))

    assert sum(rows) == len(inputs.table)


def test_joined_sequences_read_from_both_tables(found: Sequences) -> None:
    count = len(found.text)
    joined = JoinedSequences.of(found.text.take(torch.arange(5, count)), found.text)

    taken = joined.take(torch.tensor([count, 2, count - 5 + 3, 0]))

    assert torch.equal(taken.read(), found.text.take(torch.tensor([5, 7, 3, 5])).read())
    assert len(joined) == 2 * count - 5


def test_sequences_that_would_fill_the_disk_are_refused_before_they_are_computed(
    inputs: TrainingInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence_files, "_LARGEST_GIB", 1e-5)

    with pytest.raises(SequencesTooLargeError, match=r"420 examples.*GiB") as caught:
        sequences_of(inputs, Workspace(tmp_path))

    assert "max_tokens" in caught.value.remedy
    assert not list(tmp_path.rglob("*.npy"))


def test_sequences_that_the_disk_has_no_room_for_are_refused(
    inputs: TrainingInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=1000))

    with pytest.raises(SequencesTooLargeError, match="free on the disk") as caught:
        sequences_of(inputs, Workspace(tmp_path))

    assert caught.value.remedy.startswith("Make room")
    assert not list(tmp_path.rglob("*.npy"))


def test_states_that_half_precision_cannot_hold_are_refused(
    inputs: TrainingInputs, tmp_path: Path
) -> None:
    encoder = inputs.text_encoder

    class Loud(torch.nn.Module):
        def encode(self, ids: torch.Tensor, mask: torch.Tensor) -> Encoded:
            encoded = encoder.module.encode(ids, mask)
            return encoded._replace(sequence=encoded.sequence * 1e6)

    with pytest.raises(EncoderError, match="half precision"):
        sequences_of(
            replace(inputs, text_encoder=replace(encoder, module=Loud())),  # type: ignore[arg-type]
            Workspace(tmp_path),
        )

    assert not list(tmp_path.rglob("*.npy"))
