"""Small random models of timm, saved as timm saves them, and what timm says of images.

What needs timm runs in a process that has it: `python -m tests.conformance.timm_side`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class TimmCase:
    """An architecture of timm at one size.

    Attributes:
        architecture: of timm's registry.
        size: what the table says of it and of the image size.
        pretrained_cfg: what differs from the architecture's own: size, crop, resampling.
        model_args: of the architecture, which make it small.
    """

    architecture: str
    size: str
    pretrained_cfg: dict[str, Any] = field(default_factory=dict)
    model_args: dict[str, Any] = field(default_factory=dict)
    model_type: Literal["timm"] = "timm"
    modality: Literal["image"] = "image"

    @property
    def name(self) -> str:
        """For test ids and folders."""
        return f"timm-{self.size.split(',')[0].replace(' ', '-')}"

    def save(self, folder: Path) -> None:
        """Writes `config.json` and `model.safetensors`, as `push_to_hf_hub` does."""
        import timm
        import torch
        from timm.models import save_for_hf

        from tests.conformance.small_models import settle, stir

        torch.manual_seed(len(self.name))
        overlay = {"num_classes": 7, **self.pretrained_cfg}
        model = timm.create_model(
            self.architecture, pretrained_cfg_overlay=overlay, num_classes=7, **self.model_args
        )
        stir(model)
        _, height, width = model.pretrained_cfg["input_size"]
        settle(model, [height, width])
        save_for_hf(model.eval(), folder, safe_serialization=True)

    def reference(self, folder: Path, files: Sequence[bytes]) -> npt.NDArray[np.float32]:
        """The feature of each image file as timm gives it, float32 (files, dim)."""
        import timm
        import torch
        from PIL import Image
        from timm.data import create_transform, resolve_data_config

        model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
        transform = create_transform(**resolve_data_config(pretrained_cfg=model.pretrained_cfg))
        rows = []
        for file in files:
            image = Image.open(io.BytesIO(file)).convert("RGB")
            with torch.inference_mode():
                rows.append(model(transform(image)[None]))
        features: npt.NDArray[np.float32] = torch.cat(rows).numpy()
        return features


TIMM_CASES: Final = (
    TimmCase("test_resnet", "test_resnet 160x160, crop_pct 0.95"),
    TimmCase(
        "resnet18",
        "resnet18 90x90, crop_pct 0.875",
        {"input_size": (3, 90, 90), "crop_pct": 0.875, "interpolation": "bilinear"},
        {"channels": (8, 16, 32, 64)},
    ),
    TimmCase("test_convnext", "test_convnext 160x160, crop_pct 0.95"),
    TimmCase(
        "convnext_atto",
        "convnext_atto 97x97, squashed",
        {"input_size": (3, 97, 97), "crop_pct": 0.9, "crop_mode": "squash"},
        {"depths": (1, 1, 2, 1), "dims": (8, 16, 32, 64)},
    ),
    TimmCase("test_efficientnet", "test_efficientnet 160x160, crop_pct 0.95"),
    TimmCase(
        "test_efficientnet_gn",
        "test_efficientnet_gn 96x128, squashed",
        {"input_size": (3, 96, 128), "crop_mode": "squash"},
    ),
    TimmCase("test_vit", "test_vit 160x160, crop_pct 0.95"),
    TimmCase(
        "vit_tiny_patch16_224",
        "vit_tiny_patch16_224 96x96, crop_pct 0.9",
        {"input_size": (3, 96, 96)},
        {"embed_dim": 32, "depth": 2, "num_heads": 2},
    ),
)
"""All of them, an architecture's kind side by side."""
