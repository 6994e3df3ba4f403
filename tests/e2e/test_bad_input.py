"""Bad input through the whole stack: an answer that names the field and the limit, and no harm."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from PIL import Image

from gateway.api.proto.diptych.v1 import classify_pb2, classify_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Sample
    from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def image_file(image: Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


def photograph() -> bytes:
    return image_file(Image.effect_noise((320, 240), 80).convert("RGB"), "JPEG")


BAD_INPUTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "truncated": ({"image": photograph()[:4000]}, 422, "image"),
    "damaged": ({"image": photograph()[:600] + bytes(8000)}, 422, "image"),
    "text file": ({"image": b"just some text"}, 422, "image"),
    "pdf": ({"image": b"%PDF-1.7\n%binary"}, 422, "image"),
    "unlisted format": ({"image": image_file(Image.new("L", (8, 8)), "TIFF")}, 422, "image"),
    "too many pixels": (
        {"image": image_file(Image.new("1", (6000, 5000)), "PNG")},
        422,
        "image",
    ),
    "empty image": ({"image": b""}, 422, "image"),
    "empty text": ({"text": "   "}, 422, "text"),
    "long text": ({"text": "word " * 2000}, 413, "text"),
    "large image": ({"image": bytes(10 * 1024 * 1024 + 1)}, 413, "image"),
    "top_k zero": ({"text": "a cat", "top_k": "0"}, 400, "top_k"),
    "unknown variant": ({"text": "a cat", "variant": "nobody"}, 404, "variant"),
}


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        yield client


def form(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: ("upload", value) if name == "image" else (None, value)
        for name, value in fields.items()
    }


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_rest_refuses_bad_input_with_a_problem(http: httpx.Client, name: str) -> None:
    fields, status, field = BAD_INPUTS[name]

    answer = http.post("/v1/classify", files=form(fields))

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["field"] == field
    assert problem["status"] == answer.status_code
    assert problem["detail"]


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_grpc_refuses_bad_input_with_the_same_problem(stack: Stack, name: str) -> None:
    fields, status, field = BAD_INPUTS[name]
    values: dict[str, Any] = {
        key: int(value) if key == "top_k" else value for key, value in fields.items()
    }

    with grpc.insecure_channel(stack.grpc_target) as channel:
        classifier = classify_pb2_grpc.ClassifierStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            classifier.Classify(classify_pb2.ClassifyRequest(**values), timeout=30)

    expected = grpc.StatusCode.NOT_FOUND if status == 404 else grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.code() is expected
    metadata = dict(caught.value.trailing_metadata())
    assert json.loads(metadata["diptych-problem-bin"])["field"] == field


def test_limits_are_named(http: httpx.Client) -> None:
    problem = http.post("/v1/classify", files=form({"text": "word " * 2000})).json()
    assert (problem["limit"], problem["actual"]) == (4096, 10_000)

    pixels = http.post("/v1/classify", files=form(BAD_INPUTS["too many pixels"][0])).json()
    assert (pixels["limit"], pixels["actual"]) == (25_000_000, 30_000_000)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{not json", "application/json", 400),
        (b'{"txt": "a cat"}', "application/json", 400),
        (b'{"image": "%%%"}', "application/json", 400),
        (b"{}", "application/json", 400),
        (b"text=a+cat", "application/x-www-form-urlencoded", 415),
        (b"--b\r\nnonsense", "multipart/form-data; boundary=b", 400),
        (b"", "multipart/form-data", 400),
    ],
)
def test_malformed_envelope_is_refused(
    http: httpx.Client, content: bytes, content_type: str, status: int
) -> None:
    answer = http.post("/v1/classify", content=content, headers={"content-type": content_type})

    # Well-formed but senseless is 422, unreadable is 400: both tell the caller what to change.
    assert answer.status_code in ({400, 422} if status == 400 else {status})
    assert answer.headers["content-type"] == "application/problem+json"


def test_unusual_but_sound_images_are_classified(http: httpx.Client, sample: Sample) -> None:
    emoji = Image.open(io.BytesIO(sample.image)).convert("RGB")
    files = {
        "jpeg": image_file(emoji, "JPEG"),
        "webp": image_file(emoji, "WEBP"),
        "gif": image_file(emoji, "GIF"),
        "bmp": image_file(emoji, "BMP"),
        "cmyk": image_file(emoji.convert("CMYK"), "JPEG"),
        "palette": image_file(emoji.convert("P"), "PNG"),
        "grey": image_file(emoji.convert("L"), "PNG"),
        "alpha": image_file(emoji.convert("RGBA"), "PNG"),
    }

    answers = {
        name: http.post(
            "/v1/classify", files={"image": ("x", data), "text": (None, sample.text)}
        ).json()
        for name, data in files.items()
    }

    assert {answer["label"] for answer in answers.values()} == {sample.label}


def test_service_is_unharmed_after_all_of_it(http: httpx.Client, sample: Sample) -> None:
    for fields, _, _ in BAD_INPUTS.values():
        http.post("/v1/classify", files=form(fields))

    assert http.get("/readyz").status_code == 200
    assert http.post("/v1/classify", json={"text": sample.text}).status_code == 200
