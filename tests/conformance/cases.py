"""What is compared: each family at its usual size or length and at another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import transformers

from tests.conformance.small_models import build_model
from tests.conformance.small_tokenizers import TOKENIZERS
from tests.conformance.timm_cases import TIMM_CASES, TimmCase

if TYPE_CHECKING:
    from pathlib import Path

THIRDS = 3


@dataclass(frozen=True)
class Case:
    """A family at one size.

    Attributes:
        model_type: the family.
        modality: which of its towers.
        size: what the table says of image size or text length.
        max_tokens: of a text.
        processor: class of the image processor, without its backend's suffix.
        processor_fields: what differs from the defaults of that class.
        image_size: what the model is built for, where the family fixes it.
        has_processor_config: the processor's config is written as `processor_config.json`.
    """

    model_type: str
    modality: Literal["text", "image"]
    size: str
    max_tokens: int = 0
    processor: str = ""
    processor_fields: dict[str, Any] = field(default_factory=dict)
    image_size: int | list[int] = 224
    has_processor_config: bool = False

    @property
    def name(self) -> str:
        """For test ids and folders."""
        return f"{self.model_type}-{self.modality}-{self.size.split(',')[0].replace(' ', '-')}"

    def save(self, folder: Path) -> None:
        """Writes model, tokenizer and processor as a local checkpoint."""
        transformers.utils.logging.disable_progress_bar()  # of a file of some kilobytes
        build_model(self.model_type, self.image_size).save_pretrained(folder)  # type: ignore[operator]
        if self.modality == "text":
            TOKENIZERS[self.model_type]().save_pretrained(folder)
        else:
            self.save_processor(folder)

    def save_processor(self, folder: Path) -> None:
        """Writes the image processor's config alone."""
        processor = getattr(transformers, f"{self.processor}Pil")(**self.processor_fields)
        if self.has_processor_config:
            tokenizer = TOKENIZERS[self.model_type]()
            transformers.CLIPProcessor(processor, tokenizer).save_pretrained(folder)
        else:
            processor.save_pretrained(folder)


def _texts(model_type: str, positions: int) -> tuple[Case, Case]:
    return tuple(  # type: ignore[return-value]
        Case(model_type, "text", f"{tokens} tokens", max_tokens=tokens)
        for tokens in (positions, 12)
    )


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


CASES = (
    *_texts("bert", 128),
    *_texts("distilbert", 128),
    *_texts("roberta", 128),
    *_texts("xlm-roberta", 128),
    *_texts("deberta-v2", 128),
    *_texts("mpnet", 128),
    *_texts("clip", 77),
    *_texts("siglip", 64),
    *_texts("blip", 128),
    Case("vit", "image", "224x224", processor="ViTImageProcessor"),
    Case(
        "vit",
        "image",
        "96x128",
        processor="ViTImageProcessor",
        processor_fields={"size": {"height": 96, "width": 128}, "resample": 3},
        image_size=[96, 128],
    ),
    Case("deit", "image", "224x224, of 256", processor="DeiTImageProcessor"),
    Case(
        "deit",
        "image",
        "96x96, of 110",
        processor="DeiTImageProcessor",
        processor_fields={"size": _square(110), "crop_size": _square(96)},
        image_size=96,
    ),
    Case(
        "dinov2",
        "image",
        "224x224, of edge 256",
        processor="BitImageProcessor",
        processor_fields={"size": {"shortest_edge": 256}, "crop_size": _square(224)},
    ),
    Case(
        "dinov2",
        "image",
        "98x126, of edge 140",
        processor="BitImageProcessor",
        processor_fields={
            "size": {"shortest_edge": 140},
            "crop_size": {"height": 98, "width": 126},
        },
    ),
    Case("swin", "image", "224x224", processor="ViTImageProcessor"),
    Case(
        "swin",
        "image",
        "96x96",
        processor="ViTImageProcessor",
        processor_fields={"size": _square(96), "resample": 0},
        image_size=96,
    ),
    Case(
        "convnext",
        "image",
        "224x224, crop_pct 0.875",
        processor="ConvNextImageProcessor",
        processor_fields={"size": {"shortest_edge": 224}},
    ),
    Case("convnext", "image", "384x384, stretched", processor="ConvNextImageProcessor"),
    Case(
        "resnet",
        "image",
        "224x224, crop_pct 0.95",
        processor="ConvNextImageProcessor",
        processor_fields={"size": {"shortest_edge": 224}, "crop_pct": 0.95},
    ),
    Case(
        "resnet",
        "image",
        "90x90, crop_pct 0.8",
        processor="ConvNextImageProcessor",
        processor_fields={"size": {"shortest_edge": 90}, "crop_pct": 0.8, "resample": 2},
    ),
    Case(
        "efficientnet",
        "image",
        "224x224, include_top",
        processor="EfficientNetImageProcessor",
        processor_fields={"size": _square(224)},
    ),
    Case(
        "efficientnet",
        "image",
        "90x90, of 100, rescale_offset",
        processor="EfficientNetImageProcessor",
        processor_fields={
            "size": _square(100),
            "do_center_crop": True,
            "crop_size": _square(90),
            "rescale_factor": 1 / 127.5,
            "rescale_offset": True,
            "include_top": False,
        },
        image_size=90,
    ),
    Case("clip", "image", "224x224, of edge 224", processor="CLIPImageProcessor"),
    Case(
        "clip",
        "image",
        "96x96, of edge 96, processor_config.json",
        processor="CLIPImageProcessor",
        processor_fields={"size": {"shortest_edge": 96}, "crop_size": _square(96)},
        image_size=96,
        has_processor_config=True,
    ),
    Case("siglip", "image", "224x224", processor="SiglipImageProcessor"),
    Case(
        "siglip",
        "image",
        "96x96",
        processor="SiglipImageProcessor",
        processor_fields={"size": _square(96)},
        image_size=96,
    ),
    Case("blip", "image", "384x384", processor="BlipImageProcessor", image_size=384),
    Case(
        "blip",
        "image",
        "96x96",
        processor="BlipImageProcessor",
        processor_fields={"size": _square(96)},
        image_size=96,
    ),
)
"""Those of transformers, a family's cases side by side."""

EVERY_CASE: tuple[Case | TimmCase, ...] = (*CASES, *TIMM_CASES)
"""All of them, those of timm too."""


def third(number: int) -> tuple[Case | TimmCase, ...]:
    """One third of the cases, a mix of text and image: every third family, with both its sizes.

    Args:
        number: 0, 1 or 2.
    """
    return tuple(case for index, case in enumerate(EVERY_CASE) if index // 2 % THIRDS == number)


def third_of_the_day() -> int:
    """The third that the suite runs today: all have their turn within three days (UTC)."""
    return datetime.now(UTC).toordinal() % THIRDS
