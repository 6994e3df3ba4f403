"""What a fine-tuned variant keeps in its run folder besides head and record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safetensors.torch import load_file, save_file

from exporters.training.finetuning.baseline import FrozenBaseline, write_baseline
from exporters.training.finetuning.batches import IMAGE, TEXT

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_FILES: Final = {TEXT: "text_encoder.safetensors", IMAGE: "image_encoder.safetensors"}


@dataclass(frozen=True)
class FineTuningFiles:
    """Weights and baseline of a fine-tuned variant.

    Attributes:
        encoders: changed parameters, by side (TEXT, IMAGE) and name.
        baseline: what the frozen variant was right about.
    """

    encoders: dict[str, dict[str, Tensor]]
    baseline: FrozenBaseline

    def write(self, folder: Path) -> None:
        """Writes them into a run folder that is being made."""
        for side, tensors in self.encoders.items():
            save_file(tensors, folder / _FILES[side])
        write_baseline(self.baseline, folder)


def read_tuned_weights(run_folder: Path) -> dict[str, dict[str, Tensor]]:
    """Reads the changed parameters; empty where both encoders are as their checkpoints are."""
    paths = {side: run_folder / name for side, name in _FILES.items()}
    return {side: load_file(path) for side, path in paths.items() if path.is_file()}
