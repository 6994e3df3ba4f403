"""Zero-shot classification as callers see it, before a server that speaks Triton's protocol."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import TYPE_CHECKING, Any

import pytest

from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.api.schemas import ClassifyAnswer, ModelsAnswer
from tests.gateway.conftest import RunningGateway, StartGateway, eventually
from tests.gateway.manifests import make_dual_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

LABELS = ["red cat", "blue dog", "green bird"]


@pytest.fixture
async def gateway(start_gateway: StartGateway, triton: FakeTriton) -> AsyncIterator[RunningGateway]:
    triton.repository.update(make_dual_repository())
    async with start_gateway(max_labels=8, max_label_chars=40) as running:
        yield running


async def classify(gateway: RunningGateway, **body: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    return await gateway.http.post("/v1/classify", json=body)


async def prompts_by_source(gateway: RunningGateway) -> dict[str, float]:
    text = (await gateway.http.get("/metrics")).text
    found = re.findall(r'label_prompts_total\{source="(\w+)",variant="towers"\} (\S+)', text)
    return {source: float(count) for source, count in found}


async def test_labels_of_a_request_are_ranked_by_their_likeness(gateway: RunningGateway) -> None:
    response = await classify(gateway, text="a blue dog", labels=LABELS)

    answer = ClassifyAnswer.model_validate(response.json())
    assert (answer.variant, answer.label) == ("towers", "blue dog")
    assert {each.label for each in answer.top_k} == set(LABELS)
    # float64 sums of three terms
    assert sum(each.score for each in answer.top_k) == pytest.approx(1.0, abs=1e-9)
    assert answer.timings_ms.labels is not None


async def test_image_and_text_go_to_the_ensemble_of_both(gateway: RunningGateway) -> None:
    image = base64.b64encode(b"green bird").decode()
    response = await classify(gateway, image=image, text="bird", labels=LABELS, variant="towers")
    assert response.json()["label"] == "green bird"
    assert response.json()["modalities"] == ["image", "text"]


async def test_same_labels_again_are_embedded_once(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    for text in ("cat", "dog"):
        assert (await classify(gateway, text=text, labels=LABELS)).status_code == 200

    assert len(triton.requests) == len(LABELS) + 2
    assert await prompts_by_source(gateway) == {"computed": 3, "cached": 3}


async def test_labels_that_are_being_embedded_are_waited_for(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    labels = ["wait", "blue dog"]
    asked = [asyncio.create_task(classify(gateway, text=t, labels=labels)) for t in ("a", "b")]
    await eventually(lambda: triton.running == 1)
    async with asyncio.timeout(5):
        while (await prompts_by_source(gateway)).get("joined", 0) < 1:  # noqa: ASYNC110 - in a server
            await asyncio.sleep(0.01)
    triton.release.set()

    assert [(await each).status_code for each in asked] == [200, 200]
    assert sum(b"wait" in each.raw_input_contents[0] for each in triton.requests) == 1


async def test_request_that_leaves_does_not_end_an_embedding_that_another_waits_for(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    body = {"text": "a", "labels": ["wait", "blue dog"]}
    impatient = asyncio.create_task(
        gateway.http.post("/v1/classify", json=body, headers={"Diptych-Deadline-Ms": "300"})
    )
    await eventually(lambda: triton.running == 1)
    patient = asyncio.create_task(classify(gateway, **body))

    refused = (await impatient).json()
    assert refused["code"] == "deadline_exceeded"
    assert "1 of 2 new labels" in refused["detail"]
    assert triton.cancelled == 0
    triton.release.set()
    assert (await patient).status_code == 200


async def test_templates_are_averaged_and_part_of_the_key(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    templates = ["a photo of a {label}", "a drawing of a {label}"]
    first = await classify(gateway, text="dog", labels=LABELS, prompt_template=templates)
    assert first.json()["label"] == "blue dog"
    assert len(triton.requests) == 1 + len(LABELS) * 2

    await classify(gateway, text="bird", labels=LABELS, prompt_template=templates[0])
    assert len(triton.requests) == 1 + len(LABELS) * 2 + 1


async def test_form_takes_labels_part_by_part(gateway: RunningGateway) -> None:
    response = await gateway.http.post(
        "/v1/classify",
        files=[
            ("image", ("x.png", b"red cat")),
            *(("labels", (None, label)) for label in LABELS),
            ("prompt_template", (None, "a {label}")),
        ],
    )
    assert response.json()["label"] == "red cat"


async def test_grpc_takes_labels(gateway: RunningGateway) -> None:
    answer = await gateway.grpc.Classify(
        classify_pb2.ClassifyRequest(text="bird", labels=LABELS, prompt_template=["a {label}"])
    )
    assert answer.label == "green bird"
    assert answer.timings_ms.HasField("labels")


async def test_batch_items_have_labels_of_their_own(gateway: RunningGateway) -> None:
    items = [
        {"text": "dog", "labels": LABELS},
        {"text": "dog", "labels": ["one", "one"]},
        {"text": "dog"},
    ]
    response = await gateway.http.post("/v1/classify:batch", json={"items": items})
    first, second, third = response.json()["items"]
    assert first["result"]["label"] == "blue dog"
    assert second["problem"]["code"] == "label_repeated"
    assert third["result"]["variant"] == "demo"


async def test_request_without_labels_goes_to_a_classifier_though_a_dual_tower_is_newer(
    gateway: RunningGateway,
) -> None:
    assert (await classify(gateway, text="dog")).json()["variant"] == "demo"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"labels": LABELS, "variant": "demo"}, 422, "labels_not_taken"),
        ({"variant": "towers"}, 422, "labels_missing"),
        ({"labels": ["one"]}, 400, "labels_too_few"),
        ({"labels": [str(n) for n in range(9)]}, 413, "labels_too_many"),
        ({"labels": LABELS, "label_set": "pets"}, 400, "labels_ambiguous"),
        ({"prompt_template": "a {label}"}, 400, "labels_missing_for_template"),
        ({"labels": LABELS, "prompt_template": "a label"}, 400, "prompt_template_invalid"),
        ({"label_set": "pets"}, 404, "label_set_unknown"),
        ({"labels": "cat"}, 400, "field_invalid"),
    ],
)
async def test_labels_that_do_not_fit_are_refused(
    gateway: RunningGateway, triton: FakeTriton, body: dict[str, Any], status: int, code: str
) -> None:
    response = await classify(gateway, text="dog", **body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["field"]
    assert not triton.requests


async def test_models_say_what_takes_labels(gateway: RunningGateway) -> None:
    answer = ModelsAnswer.model_validate((await gateway.http.get("/v1/models")).json())
    kinds = {each.variant: each.kind for each in answer.models}
    assert kinds == {"demo": "classifier", "towers": "dual_tower"}
    towers = next(each for each in answer.models if each.variant == "towers")
    assert towers.zero_shot is not None
    assert towers.zero_shot.prompt_template == ["{label}"]
    assert not towers.is_default
