"""Traffic of the demo, as it is and shifted in one way at a time."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_BLUR_PX: Final = 6
_GERMAN: Final = (
    "lachendes Gesicht", "roter Apfel", "Haus mit Garten", "schlafende Katze", "Regenschirm",
    "grünes Blatt", "alte Uhr", "Fahrrad am Zaun", "Tasse Kaffee", "fliegender Vogel",
    "Schlüssel und Schloss", "trauriges Gesicht", "Zug im Bahnhof", "Berg im Schnee",
    "Mann mit Hut", "Frau am Schreibtisch", "Fisch im Wasser", "Brot und Käse", "Würfel",
    "Fußball", "Leuchtturm", "blauer Kreis", "Glühbirne", "Brief im Umschlag", "Sonnenblume",
    "Flugzeug", "Schildkröte", "offenes Buch", "Kirsche", "winkende Hand",
)  # fmt: skip


@dataclass(frozen=True)
class Traffic:
    """Requests: image files and texts, row by row."""

    images: Sequence[bytes]
    texts: Sequence[str]


def shifts(traffic: Traffic, generator: np.random.Generator) -> dict[str, Traffic]:
    """Returns the traffic as it is and shifted."""
    order = generator.permutation(len(traffic.texts))
    german = [str(each) for each in generator.choice(_GERMAN, size=len(traffic.texts))]
    return {
        "unchanged": traffic,
        "swapped pairs": replace(traffic, texts=[traffic.texts[row] for row in order]),
        "blurred images": replace(traffic, images=[_blur(each) for each in traffic.images]),
        "German texts": replace(traffic, texts=german),
    }


def _blur(image: bytes) -> bytes:
    file = io.BytesIO()
    blurred = (
        Image.open(io.BytesIO(image)).convert("RGB").filter(ImageFilter.GaussianBlur(_BLUR_PX))
    )
    blurred.save(file, "PNG")
    return file.getvalue()
