"""Real images and sentences to send, and the requests that are made of them."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import BaseModel, ValidationError

from loadtest.bench.photos import jpeg_photos
from loadtest.bench.sentences import english_sentences
from loadtest.traffic.errors import CorpusFolderError
from loadtest.traffic.scenario import Modalities

if TYPE_CHECKING:
    from collections.abc import Sequence

PHOTOS: Final = 32
SENTENCES: Final = 64

_BOUNDARY: Final = "diptych-load-7c1e5a90b2"
_TYPES: Final = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"RIFF": "image/webp"}


@dataclass(frozen=True)
class Item:
    """What is to be classified; at least one of both is there."""

    image: bytes | None
    text: str | None


class Chance(Protocol):
    """Draws; `random.Random` is one."""

    def choice(self, values: Sequence[Any], /) -> Any:  # noqa: ANN401  # as the library has it
        """Returns one of the values."""


@dataclass(frozen=True)
class Corpus:
    """Images and texts; any image may go with any text."""

    images: tuple[bytes, ...]
    texts: tuple[str, ...]

    def draw(self, modalities: Modalities, chance: Chance) -> Item:
        """Draws what a request holds."""
        image = None if modalities is Modalities.TEXT else chance.choice(self.images)
        text = None if modalities is Modalities.IMAGE else chance.choice(self.texts)
        return Item(image, text)


class _Example(BaseModel):
    image: str
    text: str


class _Samples(_Example):
    further: list[_Example] = []


class _Words:
    """Counts words: what the target's tokeniser makes of them is its own affair."""

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns a list of as many numbers as each text has words."""
        return [[0] * len(text.split()) for text in texts]


def photos_and_sentences() -> Corpus:
    """Makes the photos and sentences of the benches, the same each time.

    Raises:
        CorpusError: packages that carry photos are not installed.
    """
    photos = jpeg_photos(PHOTOS, seed=0)
    return Corpus(tuple(photos), tuple(english_sentences(SENTENCES, 0, _Words())))


def held_out_samples(folder: Path) -> Corpus:
    """Reads the held-out examples that the exporters leave of a variant.

    Raises:
        CorpusFolderError: there are none, or they cannot be read.
    """
    try:
        samples = _Samples.model_validate_json((folder / "sample.json").read_bytes())
        examples = (samples, *samples.further)
        images = [(folder / Path(each.image).name).read_bytes() for each in examples]
    except OSError as error:
        raise CorpusFolderError(folder, error.strerror or str(error)) from error
    except ValidationError as error:
        raise CorpusFolderError(folder, error.errors()[0]["msg"]) from error
    texts = [each.text for each in examples]
    return Corpus(tuple(dict.fromkeys(images)), tuple(dict.fromkeys(texts)))


def seeded(seed: str) -> random.Random:
    """Returns a source of draws of its own."""
    return random.Random(seed)  # noqa: S311  # reproducible, nothing secret


@dataclass(frozen=True)
class RestRequest:
    """A request of the REST API.

    Attributes:
        path: where it goes.
        content_type: of its body.
        body: as it is sent.
    """

    path: str
    content_type: str
    body: bytes


def multipart_request(item: Item) -> RestRequest:
    """Builds a form (RFC 7578)."""
    parts = []
    if item.image is not None:
        kind = next((v for k, v in _TYPES.items() if item.image.startswith(k)), "image/gif")
        parts += [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n'
            f"Content-Type: {kind}\r\n\r\n".encode(),
            item.image,
            b"\r\n",
        ]
    if item.text is not None:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
        parts.append(f"{head}{item.text}\r\n".encode())
    parts.append(f"--{_BOUNDARY}--\r\n".encode())
    return RestRequest(
        "/v1/classify", f"multipart/form-data; boundary={_BOUNDARY}", b"".join(parts)
    )


def json_request(item: Item) -> RestRequest:
    """Builds a JSON body."""
    return RestRequest("/v1/classify", "application/json", json.dumps(_fields(item)).encode())


def batch_request(items: Sequence[Item]) -> RestRequest:
    """Builds a JSON body of several items."""
    body = json.dumps({"items": [_fields(item) for item in items]}).encode()
    return RestRequest("/v1/classify:batch", "application/json", body)


def _fields(item: Item) -> dict[str, str]:
    fields = {}
    if item.image is not None:
        fields["image"] = base64.b64encode(item.image).decode("ascii")
    if item.text is not None:
        fields["text"] = item.text
    return fields
