"""Graphs on a device against torch: the same answers, how much memory, how many rows a second.

Not a passport: that is of what Triton serves. It says, where a GPU is at hand, that the graphs and
engines that a native target would serve are right there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from exporters.conversion.graphs import (
    ATTENTION_MASK,
    IMAGE_FEATURES,
    IMAGE_SEQUENCE,
    INPUT_IDS,
    PIXELS,
    TEXT_FEATURES,
    TEXT_SEQUENCE,
)
from exporters.conversion.tensorrt.profiles import head_profiles, image_profiles, text_profiles
from exporters.evaluation.parity import Parity, compare, torch_logits
from exporters.preprocessing.images import decode_image
from exporters.preprocessing.texts import bucket_of
from exporters.progress import progress
from exporters.repository.native_models import bucket_lengths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from exporters.accelerators.runtimes import Run, Runtime
    from exporters.data import Example
    from exporters.publishing.stage import Graphs
    from exporters.repository.native_target import NativeTarget
    from exporters.training import TrainedVariant
    from gateway.contract.manifest import ModalitySet

# fp32 sums in another order; a half has 11 bits, which moved a probability of a small variant by
# 5e-3; of int8 the report of `compress` says what it costs, and here only the labels could.
TOLERANCES: Final = {"fp32": 1e-3, "fp16": 2e-2, "int8": 1.0}

_BATCHES: Final = (1, 8, 32)
_WARM_RUNS: Final = 5


@dataclass(frozen=True)
class DeviceProof:
    """What one target came to on a device.

    Attributes:
        parity: of each set of modalities.
        rows_per_s: of each encoder (`image`, `text`), by batch size; copies to and fro included.
    """

    parity: Mapping[ModalitySet, Parity]
    rows_per_s: Mapping[str, Mapping[int, float]]


def prove_on(
    runtime: Runtime,
    variant: TrainedVariant,
    graphs: Graphs,
    target: NativeTarget,
    *,
    samples: int = 256,
    measured_s: float = 2.0,
) -> DeviceProof:
    """Runs a variant's graphs and compares them with torch.

    Args:
        runtime: what opens the graphs.
        variant: what they were made from.
        graphs: in the target's precision.
        target: gives batches and precision.
        samples: held-out examples, at most.
        measured_s: how long each batch size of each encoder is measured, in seconds.

    Raises:
        ConversionError: a graph does not run there.
    """
    size = variant.image_encoder.preprocessing
    lengths = bucket_lengths(variant.text_encoder.tokenizer)
    image = runtime.open(graphs.image, image_profiles(size.height, size.width, target.image_batch))
    text = runtime.open(graphs.text, text_profiles(lengths, target.text_batch))
    examples = variant.holdout_examples[:samples]
    rows = _features(variant, examples, text, image, lengths)
    parity = {}
    for modalities, graph in graphs.heads.items():
        inputs = graphs.head_inputs[modalities]
        head = runtime.open(graph, head_profiles(inputs, target.head_batch, lengths))
        logits = [head({name: row[name] for name in inputs})[0] for row in rows]
        parity[modalities] = compare(
            torch_logits(variant, examples, modalities),
            np.concatenate(logits),
            variant.tasks,
            variant.calibrations[modalities],
            TOLERANCES[target.precision],
        )
    speed = {
        "image": _rows_per_s(image, _pixels(size.height, size.width), measured_s),
        "text": _rows_per_s(text, _tokens(lengths[0]), measured_s),
    }
    return DeviceProof(parity, speed)


def _features(
    variant: TrainedVariant,
    examples: Sequence[Example],
    text: Run,
    image: Run,
    lengths: Sequence[int],
) -> list[dict[str, NDArray[Any]]]:
    """What the head reads of each example, by the name it takes it by; padded as when served."""
    tokenizer = variant.text_encoder.tokenizer
    text_name, image_name = (
        (TEXT_SEQUENCE, IMAGE_SEQUENCE)
        if variant.has_sequences
        else (TEXT_FEATURES, IMAGE_FEATURES)
    )
    found = []
    with progress("Features on the device", len(examples)) as advance:
        for example in examples:
            [row] = tokenizer.tokenise([example.text])
            ids, mask = tokenizer.pad([row], bucket_of(len(row), lengths))
            pixels = decode_image(example.image.read_bytes(), variant.image_encoder.preprocessing)
            found.append(
                {  # of an encoder's outputs the head reads the last
                    text_name: text({INPUT_IDS: ids, ATTENTION_MASK: mask})[-1],
                    image_name: image({PIXELS: pixels[None]})[-1],
                }
            )
            advance()
    return found


def _rows_per_s(run: Run, row: Mapping[str, NDArray[Any]], measured_s: float) -> dict[int, float]:
    found = {}
    for batch in _BATCHES:
        feeds = {name: np.repeat(array, batch, axis=0) for name, array in row.items()}
        for _ in range(_WARM_RUNS):
            run(feeds)
        runs, started_s = 0, time.perf_counter()
        while (elapsed_s := time.perf_counter() - started_s) < measured_s:
            run(feeds)
            runs += 1
        found[batch] = runs * batch / elapsed_s
    return found


def _pixels(height: int, width: int) -> dict[str, NDArray[Any]]:
    noise = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    return {PIXELS: noise}


def _tokens(length: int) -> dict[str, NDArray[Any]]:
    ids = np.ones((1, length), np.int64)
    return {INPUT_IDS: ids, ATTENTION_MASK: ids}
