"""A small table of drawn shapes: enough to train, prove and serve a variant in seconds."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = ("red", "green", "blue")
SHAPES = ("square", "circle")


def save_small_table(folder: Path, examples: int = 420, seed: int = 0) -> Path:
    """Writes images of coloured shapes and a CSV table; the label is the colour and the shape.

    The text names the shape and the image shows the colour well, so that both are needed.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    table = folder / "shapes.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "text", "label"])
        for number in range(examples):
            colour = COLOURS[number % len(COLOURS)]
            shape = SHAPES[number // len(COLOURS) % len(SHAPES)]
            image = Image.fromarray(rng.integers(150, 256, (64, 80, 3), dtype=np.uint8))
            left, top = (int(value) for value in rng.integers(4, 24, 2))
            box = (left, top, left + 30, top + 30)
            draw = ImageDraw.Draw(image)
            (draw.rectangle if shape == "square" else draw.ellipse)(box, fill=colour)
            name = f"images/{number:03d}.{'jpg' if number % 2 else 'png'}"
            image.save(folder / name)
            words = rng.permutation(["a", "small", "the", "white", "ground", "on"])
            text = " ".join([*words[: rng.integers(1, 6)], shape, str(number)])
            rows.writerow([name, text, f"{colour} {shape}"])
    return table
