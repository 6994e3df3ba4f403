"""What transformers says of the samples: its own model, tokenizer and image processor.

Nothing of the exporters is used here. Models run with transformers' default attention, and each
sample alone.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import torch
import transformers
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from tests.conformance.cases import Case


def text_features(case: Case, folder: Path, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """The feature of each text, float32 (texts, dim)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = _model(case, folder)
    rows = []
    for text in texts:
        batch = tokenizer([text], truncation=True, max_length=case.max_tokens)
        if case.model_type == "siglip":  # "make sure to set padding='max_length'", says its page
            batch = tokenizer.pad(batch, padding="max_length", max_length=64)
        with torch.inference_mode():
            rows.append(_text_feature(case, model, batch.convert_to_tensors("pt")))
    return torch.cat(rows).numpy()


def image_features(case: Case, folder: Path, files: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """The feature of each image file, float32 (files, dim)."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = _model(case, folder)
    rows = []
    for file in files:
        image = Image.open(io.BytesIO(file)).convert("RGB")
        pixels = processor(images=image, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            rows.append(_image_feature(case, model, pixels))
    return torch.cat(rows).numpy()


def _model(case: Case, folder: Path) -> Any:  # noqa: ANN401
    is_blip = case.model_type == "blip"
    kind = transformers.BlipForImageTextRetrieval if is_blip else transformers.AutoModel
    return kind.from_pretrained(folder).eval()


def _text_feature(case: Case, model: Any, batch: Any) -> torch.Tensor:  # noqa: ANN401
    if case.model_type in {"clip", "siglip"}:
        return _tensor(model.get_text_features(**batch))
    if case.model_type == "blip":
        mask = batch["attention_mask"]
        states = model.text_encoder(input_ids=batch["input_ids"], attention_mask=mask)
        return _tensor(model.text_proj(states.last_hidden_state[:, 0]))
    return _tensor(model(**batch).last_hidden_state.mean(dim=1))  # one text: no padding to mask


def _image_feature(case: Case, model: Any, pixels: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
    if case.model_type in {"clip", "siglip"}:
        return _tensor(model.get_image_features(pixel_values=pixels))
    if case.model_type == "blip":
        states = model.vision_model(pixel_values=pixels).last_hidden_state
        return _tensor(model.vision_proj(states[:, 0]))
    output = model(pixel_values=pixels)
    if case.model_type in {"vit", "deit"}:
        return _tensor(output.last_hidden_state[:, 0])
    return _tensor(output.pooler_output.flatten(1))


def _tensor(value: Any) -> torch.Tensor:  # noqa: ANN401
    """The `get_*_features` of transformers 5 give an output object, those of 4 a tensor."""
    tensor: torch.Tensor = value if isinstance(value, torch.Tensor) else value.pooler_output
    return tensor
