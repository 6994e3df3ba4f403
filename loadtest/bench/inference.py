"""The work of a request without a server: decode, tokenise, encode and fuse with onnxruntime.

The same graphs and the same preprocessing code as behind Triton, and the session options that
proved best there. `roofline` runs it bare, `baseline` behind FastAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from exporters.preprocessing.images import decode_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadtest.bench.variant import ServedVariant

Features = npt.NDArray[np.float32]


class InProcessVariant:
    """A variant's models in this process. Threads may share it."""

    def __init__(self, variant: ServedVariant, intra_op_threads: int) -> None:
        """Opens the graphs.

        Args:
            variant: where they are.
            intra_op_threads: threads that share one operator.
        """
        self.labels = variant.labels
        self._preprocessing = variant.preprocessing
        self._tokeniser = variant.tokeniser.load()
        self._image = _open(variant.image_graph, intra_op_threads)
        self._text = _open(variant.text_graph, intra_op_threads)
        self._head = _open(variant.head_graph, intra_op_threads)

    def encode_photos(self, photos: Sequence[bytes], group_size: int = 1) -> Features:
        """Decodes photos and encodes them, `group_size` at a time: float32 (photos, dim)."""
        groups = []
        for start in range(0, len(photos), group_size):
            group = photos[start : start + group_size]
            pixels = np.stack([decode_image(photo, self._preprocessing) for photo in group])
            groups.append(self._image.run(None, {"pixels": pixels})[0])
        return _joined(groups)

    def encode_sentences(self, sentences: Sequence[str], group_size: int = 1) -> Features:
        """Tokenises sentences and encodes them likewise: float32 (sentences, dim)."""
        groups = []
        for start in range(0, len(sentences), group_size):
            ids, mask = self._tokeniser.encode_batch(sentences[start : start + group_size])
            feeds = {"input_ids": ids, "attention_mask": mask}
            groups.append(self._text.run(None, feeds)[0])
        return _joined(groups)

    def fuse(self, image_features: Features, text_features: Features) -> Features:
        """Features of both sides to logits: float32 (rows, labels)."""
        feeds = {"image_features": image_features, "text_features": text_features}
        logits: Features = self._head.run(None, feeds)[0]
        return logits

    def classify(self, photo: bytes, sentence: str) -> Features:
        """One request's work: logits, float32 (labels)."""
        logits: Features = self.fuse(
            self.encode_photos([photo]), self.encode_sentences([sentence])
        )[0]
        return logits


def _joined(groups: list[Features]) -> Features:
    return groups[0] if len(groups) == 1 else np.concatenate(groups)


def _open(graph: Path, intra_op_threads: int) -> Any:  # noqa: ANN401  # no types there
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the core from whoever has work: half the throughput here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
