"""Frozen encoders: a recipe's checkpoint to a torch module, its preprocessing and its digest."""

from exporters.encoders.image import ImageEncoder, load_image_encoder
from exporters.encoders.text import TextEncoder, load_text_encoder

__all__ = ["ImageEncoder", "TextEncoder", "load_image_encoder", "load_text_encoder"]
