"""`python -m loadtest.drift`: shifts the demo's held-out examples, and judges them as a gateway.

Writes the table and `.bench/drift.json`. Exit codes: 0 every shift is raised, and blamed on nothing
else; 1 one is not; 2 the demo cannot be had; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.atomic import atomic_file
from exporters.drift.reference import fit_reference
from exporters.drift.sources import data_of_variant
from exporters.errors import ExporterError
from exporters.preprocessing.images import decode_image
from exporters.progress import progress
from exporters.recipe import load_recipe
from exporters.tasks import slices_of, task_probabilities
from exporters.training import logits_of, train
from exporters.training.features import Features
from exporters.workspace import DEFAULT_WORKSPACE, Workspace
from gateway.contract.drift.reference import ONLY_TASK
from gateway.contract.drift.window import DriftKind, DriftTests
from gateway.contract.manifest import ModalitySet
from loadtest.drift.shifts import Traffic, shifts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from exporters.training import TrainedVariant

_FILE: Final = Path(".bench") / "drift.json"
_FALSE_ALARM: Final = 1e-4
_SEED: Final = 41


@dataclass(frozen=True)
class Expected:
    """What a shift must raise, and what it must not."""

    raised: frozenset[DriftKind]
    silent: frozenset[DriftKind]


_IMAGE: Final = frozenset({DriftKind.IMAGE_EMBEDDING, DriftKind.IMAGE_PROPERTIES})
_TEXT: Final = frozenset({DriftKind.TEXT_EMBEDDING, DriftKind.TEXT_PROPERTIES})
_EXPECTED: Final = {
    "unchanged": Expected(frozenset(), frozenset(DriftKind)),
    "swapped pairs": Expected(frozenset({DriftKind.AGREEMENT}), _IMAGE | _TEXT),
    "blurred images": Expected(frozenset({DriftKind.IMAGE_EMBEDDING}), _TEXT),
    "German texts": Expected(_TEXT, _IMAGE),
}


def encode(variant: TrainedVariant, traffic: Traffic, name: str) -> Features:
    """Encodes traffic as the served ensemble does."""
    texts, images = [], []
    image_encoder, tokenizer = variant.image_encoder, variant.text_encoder.tokenizer
    with torch.inference_mode(), progress(f"Encoding: {name}", len(traffic.texts)) as advance:
        for image, text in zip(traffic.images, traffic.texts, strict=True):
            ids, mask = tokenizer.encode_batch([text])
            encoded = variant.text_encoder.module(torch.from_numpy(ids), torch.from_numpy(mask))
            pixels = torch.from_numpy(decode_image(image, image_encoder.preprocessing))
            texts.append(encoded)
            images.append(image_encoder.module(pixels[None]))
            advance()
    return Features(torch.cat(texts), torch.cat(images))


def judge(
    variant: TrainedVariant, tests: DriftTests, traffic: Traffic, name: str
) -> dict[DriftKind, float]:
    """Returns the ratio of each kind for a window of traffic."""
    features = encode(variant, traffic, name)
    task, place = variant.tasks[0], slices_of(variant.tasks)[0]
    logits = logits_of(variant.head, features, ModalitySet.BOTH).numpy()[:, place]
    temperature = variant.calibrations[ModalitySet.BOTH][0].temperature
    probabilities = task_probabilities(logits, task, temperature)
    items = [
        tests.watch(
            (features.image[row].numpy(), features.text[row].numpy()),
            (traffic.images[row], traffic.texts[row]),
            {
                ONLY_TASK: (
                    task.labels[int(probabilities[row].argmax())],
                    float(probabilities[row].max()),
                )
            },
        )
        for row in range(len(features))
    ]
    findings = tests.judge(items, ModalitySet.BOTH, _FALSE_ALARM)
    return {each.kind: each.ratio for each in findings}


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.drift",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    try:
        return run()
    except ExporterError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def run() -> int:
    """Runs the bench; returns 1 when a shift is missed or blamed on the wrong input."""
    variant = train(load_recipe("openmoji"), Workspace(DEFAULT_WORKSPACE))
    generator = np.random.default_rng(_SEED)
    data = data_of_variant(variant)
    kept, sent = _halves(data.groups[data.others], generator)
    answers = {
        task: {
            modalities: replace(
                each,
                labels=[each.labels[row] for row in kept],
                confidence=np.asarray(each.confidence)[kept],
            )
            for modalities, each in said.items()
        }
        for task, said in data.answers.items()
    }
    tests = DriftTests(fit_reference(replace(data, others=data.others[kept], answers=answers)))
    examples = [data.examples[row] for row in data.others[sent]]
    traffic = Traffic(
        [each.image.read_bytes() for each in examples], [each.text for each in examples]
    )
    ratios = {
        name: judge(variant, tests, shifted, name)
        for name, shifted in shifts(traffic, generator).items()
    }
    faults = [fault for name, found in ratios.items() for fault in _faults(name, found)]
    _show(ratios, len(kept), len(sent))
    _FILE.parent.mkdir(exist_ok=True)
    with atomic_file(_FILE) as path:
        figures = {"rows": {"reference": len(kept), "window": len(sent)}, "ratios": ratios}
        path.write_text(json.dumps({**figures, "faults": faults}, indent=2) + "\n")
    for fault in faults:
        print(f"MISSED: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _halves(
    groups: NDArray[np.int64], generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    names = generator.permutation(np.unique(groups))
    is_kept = np.isin(groups, names[: len(names) // 2])
    return np.flatnonzero(is_kept), np.flatnonzero(~is_kept)


def _faults(name: str, ratios: dict[DriftKind, float]) -> list[str]:
    expected = _EXPECTED[name]
    missed = [
        f"{name}: {kind} at {ratios[kind]:.2f} is not raised"
        for kind in expected.raised
        if ratios[kind] <= 1.0
    ]
    blamed = [
        f"{name}: {kind} at {ratios[kind]:.2f} is raised"
        for kind in expected.silent
        if ratios[kind] > 1.0
    ]
    return missed + blamed


def _show(ratios: dict[str, dict[DriftKind, float]], reference_rows: int, rows: int) -> None:
    print(f"\nRatios of a window of {rows} rows, reference of {reference_rows}; above 1 is drift\n")
    kinds = list(DriftKind)
    print("| shift | " + " | ".join(each.replace("_", " ") for each in kinds) + " |")
    print("| --- " * (len(kinds) + 1) + "|")
    for name, found in ratios.items():
        cells = [
            f"**{found[kind]:.2f}**" if found[kind] > 1 else f"{found[kind]:.2f}" for kind in kinds
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    sys.exit(main())
