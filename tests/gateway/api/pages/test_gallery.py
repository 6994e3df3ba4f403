"""The gallery: what of a folder is shown, and to whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.api.pages.gallery import SAMPLE_FILE, find_image, read_gallery
from gateway.api.pages.routes import SamplesAnswer
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import StartGateway

pytestmark = pytest.mark.anyio

CAT = {"image": "cat.png", "text": "a cat", "label": "animal"}


def write_samples(folder: Path, variant: str = "demo", **fields: Any) -> Path:  # noqa: ANN401 - JSON
    """Writes a variant's `sample.json`, and an image for each sample that names one."""
    file = {**CAT, **fields}
    (folder / variant).mkdir(parents=True)
    (folder / variant / SAMPLE_FILE).write_text(json.dumps(file), encoding="utf-8")
    for each in (file, *file.get("further", ())):
        if "/" not in each["image"]:
            (folder / variant / each["image"]).write_bytes(f"bytes of {each['image']}".encode())
    return folder


def test_gallery_has_the_samples_of_each_variant(tmp_path: Path) -> None:
    further = [{"image": "hot dog.jpg", "text": "hot dog", "label": "food"}]
    write_samples(tmp_path, further=further)
    write_samples(tmp_path, "towers", labels=["animal", "food"])

    found = read_gallery(tmp_path)

    assert [(each.variant, each.text, each.labels) for each in found] == [
        ("demo", "a cat", ()),
        ("demo", "hot dog", ()),
        ("towers", "a cat", ("animal", "food")),
    ]


@pytest.mark.parametrize(
    "image", ["../secret.png", "/etc/cat.png", "cat.svg", "", "..", "gone.png"]
)
def test_gallery_leaves_out_what_is_no_picture_of_its_folder(tmp_path: Path, image: str) -> None:
    write_samples(tmp_path)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "demo" / "cat.svg").write_bytes(b"<svg/>")
    file = {**CAT, "further": [{**CAT, "image": image}]}
    (tmp_path / "demo" / SAMPLE_FILE).write_text(json.dumps(file), encoding="utf-8")

    assert [each.image.name for each in read_gallery(tmp_path)] == ["cat.png"]
    assert find_image(tmp_path, "demo", image) is None
    assert find_image(tmp_path, "..", "secret.png") is None


def test_gallery_without_a_readable_file_is_empty(tmp_path: Path) -> None:
    write_samples(tmp_path)
    (tmp_path / "demo" / SAMPLE_FILE).write_text("{}", encoding="utf-8")

    assert read_gallery(tmp_path) == []
    assert read_gallery(tmp_path / "none") == []


async def test_samples_are_answered_with_their_images(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    write_samples(tmp_path, further=[{"image": "è #?.webp", "text": "è", "label": "food"}])
    async with start_gateway(samples_folder=tmp_path) as gateway:
        answer = await gateway.http.get("/v1/samples")
        samples = SamplesAnswer.model_validate_json(answer.content).samples
        assert [each.label for each in samples] == ["animal", "food"]
        for sample, media_type in zip(samples, ("image/png", "image/webp"), strict=True):
            path = f"/v1/samples/{sample.variant}/{sample.image}"
            image = await gateway.http.get(path.replace("#", "%23").replace("?", "%3F"))
            assert image.content.decode() == f"bytes of {sample.image}"
            assert image.headers["content-type"] == media_type
            assert "sandbox" in image.headers["content-security-policy"]
        missing = await gateway.http.get("/v1/samples/demo/sample.json")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_samples_need_a_key_where_keys_are_needed(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    write_samples(tmp_path / "samples")
    keys = Keys(tmp_path)
    key = keys.add("shop")
    async with start_gateway(
        api_keys_file=keys.path, samples_folder=tmp_path / "samples"
    ) as gateway:
        for path in ("/v1/samples", "/v1/samples/demo/cat.png"):
            assert (await gateway.http.get(path)).status_code == 401
            assert (await gateway.http.get(path, headers={"X-Api-Key": key})).status_code == 200


async def test_samples_without_a_folder_are_none(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        assert (await gateway.http.get("/v1/samples")).json() == {"samples": []}
        assert (await gateway.http.get("/v1/samples/demo/cat.png")).status_code == 404
