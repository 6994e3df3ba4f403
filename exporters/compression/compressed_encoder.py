"""An encoder after some steps: its graph, its features, and what the steps had to say.

Each is kept in the workspace under a name made of all that it depends on, so that a search that was
interrupted goes on, and steps that two runs share are done once.
"""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import onnxruntime
import torch
from safetensors.torch import load_file, save_file

from exporters.atomic import atomic_file, atomic_folder
from exporters.compression import methods as methods_package
from exporters.compression.batch_dependence import BatchDependence, measure_batch_dependence
from exporters.compression.method import ModuleMethod
from exporters.compression.methods import METHODS
from exporters.compression.sessions import encode_all
from exporters.compression.side import Side
from exporters.digests import digest_of_json, digest_of_source
from exporters.training import Features
from exporters.training.sequence_files import open_sequences
from exporters.training.sequences import Sequences
from exporters.training.threads import available_cpus, torch_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exporters.compression.encoder_side import EncoderSide
    from exporters.compression.step import Step
    from exporters.training.sequences import SideSequences
    from exporters.workspace import Workspace

_GRAPH: Final = "model.onnx"
_FEATURES: Final = "features.safetensors"
_SEQUENCES: Final = "sequences.npy"
_NOTES: Final = "notes.json"
_CODE: Final = (
    "exporters.compression.encoder_side",
    "exporters.compression.batch_dependence",
    "exporters.compression.sessions",
    "exporters.conversion.graphs",
    "exporters.conversion.onnx_export",
    "exporters.encoders",
    "exporters.preprocessing",
    "exporters.training.sequence_files",
)


@dataclass(frozen=True)
class CompressedEncoder:
    """One encoder and what was done to it.

    Attributes:
        side: which encoder.
        steps: what was done, in order; nothing for the original.
        graph: the ONNX file.
        features: of all examples, each encoded alone, float32 (examples, dim).
        sequences: of all examples, each encoded alone; None where the head reads none.
        notes: sentences of each step.
        figures: figures of each step, JSON values.
        batch_dependence: what company does to its features.
    """

    side: Side
    steps: tuple[Step, ...]
    graph: Path
    features: torch.Tensor
    sequences: SideSequences | None
    notes: tuple[tuple[str, ...], ...]
    figures: tuple[dict[str, Any], ...]
    batch_dependence: BatchDependence

    @property
    def name(self) -> str:
        """Its steps as they are written, or what it is without any."""
        return " + ".join(step.on_its_side for step in self.steps) or "original"

    @property
    def precision(self) -> str:
        """What the graph computes with."""
        precisions = [METHODS[step.method].precision for step in self.steps]
        return next((each for each in reversed(precisions) if each), "fp32")

    @property
    def bytes(self) -> int:
        """Size of the graph's file."""
        return self.graph.stat().st_size

    def of_first(self, examples: int) -> CompressedEncoder:
        """The same with features and sequences of the first examples alone."""
        sequences = self.sequences and self.sequences.take(torch.arange(examples))
        return replace(self, features=self.features[:examples], sequences=sequences)


def features_of_both(encoders: Mapping[Side, CompressedEncoder]) -> Features:
    """What two encoders say of all examples."""
    text, image = encoders[Side.TEXT], encoders[Side.IMAGE]
    if text.sequences is None or image.sequences is None:
        return Features(text.features, image.features)
    return Features(text.features, image.features, Sequences(text.sequences, image.sequences))


def prepare_encoder(
    side: EncoderSide, steps: Sequence[Step], workspace: Workspace
) -> CompressedEncoder:
    """Applies steps to an encoder, or reads what the same steps came to before.

    Raises:
        InvalidStepError: the encoder has nothing that a step could change.
        ConversionError: the graph of a changed module is not the module.
        SequencesTooLargeError: sequences of all examples would take too much disk.
    """
    folder = workspace.compressed_encoder_folder(side.side, _key(side, steps))
    if not (folder / _NOTES).is_file():
        with atomic_folder(folder) as unfinished:
            _make(side, tuple(steps), unfinished, workspace)
    record = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
    return CompressedEncoder(
        side=side.side,
        steps=tuple(steps),
        graph=folder / _GRAPH,
        features=load_file(folder / _FEATURES)["features"],
        sequences=_sequences(side, tuple(steps), folder),
        notes=tuple(tuple(each["sentences"]) for each in record["steps"]),
        figures=tuple(each["figures"] for each in record["steps"]),
        batch_dependence=BatchDependence(**record["batch_dependence"]),
    )


def _sequences(side: EncoderSide, steps: tuple[Step, ...], folder: Path) -> SideSequences | None:
    if side.sequences is None or not steps:
        return side.sequences  # those of the original are in the cache of its features
    return open_sequences(folder / _SEQUENCES, is_ragged=side.side is Side.TEXT)


def _key(side: EncoderSide, steps: Sequence[Step]) -> str:
    variant = side.variant
    return digest_of_json(
        {
            "encoder": side.digest,
            "has_sequences": side.sequences is not None,
            "data": variant.data_digest,
            "split": {part: rows.tolist() for part, rows in vars(variant.split).items()},
            "steps": [[step.method, step.values] for step in steps],
            # A module is changed by what its training reads, the head among it.
            "run": variant.run_folder.name if any(map(_is_on_module, steps)) else "",
            "code": digest_of_source([*_CODE, *_code_of(steps)]),
            "versions": [onnxruntime.__version__, torch.__version__],
        }
    )


def _code_of(steps: Sequence[Step]) -> list[str]:
    """The modules or packages that hold the steps' methods, and the training of module steps."""
    functions = [
        method.change if isinstance(method, ModuleMethod) else method.write
        for method in (METHODS[step.method] for step in steps)
    ]
    depth = len(methods_package.__name__.split(".")) + 1
    code = {".".join(function.__module__.split(".")[:depth]) for function in functions}
    if any(map(_is_on_module, steps)):
        code.update(("exporters.compression.recovery", "exporters.compression.used_layers"))
        code.add(f"{methods_package.__name__}.structure")  # which distillation uses too
    return sorted(code)


def _is_on_module(step: Step) -> bool:
    return not METHODS[step.method].is_on_graph


def _make(side: EncoderSide, steps: tuple[Step, ...], folder: Path, workspace: Workspace) -> None:
    graph = folder / _GRAPH
    what = f"{side.side}, {' + '.join(step.on_its_side for step in steps) or 'original'}"
    notes: list[dict[str, Any]] = []
    if not steps:
        side.export(side.module, graph)
    elif _is_on_module(steps[-1]):
        notes = _change_module(side, steps, graph)
    else:
        before = prepare_encoder(side, steps[:-1], workspace)
        method = METHODS[steps[-1].method]
        said = method.write(before.graph, graph, side, steps[-1].values)  # type: ignore[union-attr]
        notes = [
            {"sentences": sentences, "figures": figures}
            for sentences, figures in zip(before.notes, before.figures, strict=True)
        ]
        notes.append(asdict(said))
    features = side.features.clone()
    if steps:
        features = encode_all(graph, side, what, folder / _SEQUENCES)
    save_file({"features": features.contiguous()}, folder / _FEATURES)
    record = {
        "steps": notes,
        "batch_dependence": asdict(measure_batch_dependence(graph, side)),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (folder / _NOTES).write_text(text + "\n", encoding="utf-8")


def _change_module(side: EncoderSide, steps: Sequence[Step], graph: Path) -> list[dict[str, Any]]:
    module = copy.deepcopy(side.module)
    notes = []
    with torch_threads(available_cpus()), torch.random.fork_rng(devices=[]):
        torch.manual_seed(side.variant.recipe.seed)
        for step in steps:
            method = METHODS[step.method]
            assert isinstance(method, ModuleMethod)  # noqa: S101  # parse_steps put modules first
            notes.append(asdict(method.change(module, side, step.values)))
    side.export(module.eval(), graph)
    return notes


def copy_graphs(text: CompressedEncoder, image: CompressedEncoder, folder: Path) -> None:
    """Leaves both graphs in a folder as `text.onnx` and `image.onnx`, for other targets."""
    for encoder, name in ((text, "text.onnx"), (image, "image.onnx")):
        with atomic_file(folder / name) as path:
            shutil.copyfile(encoder.graph, path)
