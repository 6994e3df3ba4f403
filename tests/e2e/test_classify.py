"""The main job over REST and gRPC: one answer, whichever way it is asked for."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.api.proto.diptych.v1 import classify_pb2, classify_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Sample
    from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

MODALITIES = [("image", "text"), ("image",), ("text",)]


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        yield client


@pytest.fixture
def classifier(stack: Stack) -> Iterator[classify_pb2_grpc.ClassifierStub]:
    with grpc.insecure_channel(stack.grpc_target) as channel:
        yield classify_pb2_grpc.ClassifierStub(channel)


def multipart(sample: Sample, modalities: tuple[str, ...]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if "image" in modalities:
        parts["image"] = ("emoji.png", sample.image, "image/png")
    if "text" in modalities:
        parts["text"] = (None, sample.text)
    return parts


def json_body(sample: Sample, modalities: tuple[str, ...]) -> dict[str, Any]:
    body = {"image": base64.b64encode(sample.image).decode(), "text": sample.text}
    return {name: body[name] for name in modalities}


@pytest.mark.parametrize("modalities", MODALITIES)
def test_classify_gives_the_same_answer_over_every_api(
    http: httpx.Client,
    classifier: classify_pb2_grpc.ClassifierStub,
    sample: Sample,
    modalities: tuple[str, ...],
) -> None:
    by_form = http.post("/v1/classify", files=multipart(sample, modalities)).raise_for_status()
    by_json = http.post("/v1/classify", json=json_body(sample, modalities)).raise_for_status()
    fields: dict[str, Any] = {"image": sample.image, "text": sample.text}
    by_grpc = classifier.Classify(
        classify_pb2.ClassifyRequest(**{name: fields[name] for name in modalities}), timeout=30
    )

    answer = by_form.json()
    assert answer["variant"] == "openmoji"
    assert answer["modalities"] == list(modalities)
    assert answer["label"] == by_json.json()["label"] == by_grpc.label
    # Batch mates differ from call to call; fp32 sums in another order move the last digits.
    assert answer["score"] == pytest.approx(by_json.json()["score"], abs=1e-5)
    assert answer["score"] == pytest.approx(by_grpc.score, abs=1e-5)
    assert answer["timings_ms"]["triton"] > 0
    assert (answer["timings_ms"]["decode"] is not None) == ("image" in modalities)
    assert (answer["timings_ms"]["tokenise"] is not None) == ("text" in modalities)


def test_classify_with_both_names_the_label_of_the_sample(
    http: httpx.Client, sample: Sample
) -> None:
    answer = http.post("/v1/classify", files=multipart(sample, ("image", "text"))).json()

    assert answer["label"] == sample.label


def test_classify_with_top_k_ranks_all_labels(http: httpx.Client, sample: Sample) -> None:
    answer = http.post("/v1/classify", json={"text": sample.text, "top_k": 8}).json()
    scores = [entry["score"] for entry in answer["top_k"]]

    assert len(scores) == 8
    assert scores == sorted(scores, reverse=True)
    # Eight probabilities of one softmax, each rounded to a double.
    assert sum(scores) == pytest.approx(1.0, abs=1e-6)


def test_batch_with_a_broken_image_fails_that_item_alone(
    http: httpx.Client, sample: Sample
) -> None:
    whole = json_body(sample, ("image", "text"))
    broken = {"image": base64.b64encode(sample.image[: len(sample.image) // 2]).decode()}

    answer = http.post("/v1/classify:batch", json={"items": [whole, broken, whole]})

    assert answer.status_code == 200
    first, second, third = answer.json()["items"]
    assert first["result"]["label"] == third["result"]["label"] == sample.label
    assert second["problem"]["status"] == 422
    assert second["problem"]["field"] == "image"


def test_models_tells_what_serves(http: httpx.Client) -> None:
    (model,) = http.get("/v1/models").json()["models"]

    assert model["variant"] == "openmoji"
    assert len(model["labels"]) == 8
    assert set(model["modality_sets"]) == {"both", "text", "image"}
    assert re.fullmatch(r"[0-9a-f]{64}", model["digest"])
    assert 0.5 < model["quality"]["both"]["accuracy"] <= 1.0


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_operations_answer(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 200


def test_metrics_count_a_request_by_variant_and_modalities(
    http: httpx.Client, sample: Sample
) -> None:
    pattern = re.compile(
        r'^diptych_gateway_requests_total\{code="200",modalities="text",'
        r'route="/v1/classify",variant="openmoji"\} (\S+)$',
        re.MULTILINE,
    )

    def count() -> float:
        match = pattern.search(http.get("/metrics").text)
        return float(match.group(1)) if match else 0.0

    before = count()
    http.post("/v1/classify", json={"text": sample.text}).raise_for_status()

    assert count() == before + 1


def test_stream_answers_every_message_and_survives_a_bad_one(
    classifier: classify_pb2_grpc.ClassifierStub, sample: Sample
) -> None:
    def messages() -> Iterator[classify_pb2.ClassifyStreamRequest]:
        for number in range(12):
            request = classify_pb2.ClassifyRequest(text=sample.text)
            if number == 5:
                request = classify_pb2.ClassifyRequest(image=b"not an image")
            yield classify_pb2.ClassifyStreamRequest(client_id=str(number), request=request)

    answers = {
        answer.client_id: answer for answer in classifier.ClassifyStream(messages(), timeout=60)
    }

    assert set(answers) == {str(number) for number in range(12)}
    bad = answers.pop("5")
    assert bad.WhichOneof("outcome") == "problem"
    assert bad.problem.field == "image"
    assert all(answer.WhichOneof("outcome") == "result" for answer in answers.values())


def test_grpc_health_and_reflection_answer(stack: Stack) -> None:
    with grpc.insecure_channel(stack.grpc_target) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10
        )
        listing = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=10
        )
        names = {each.name for each in next(listing).list_services_response.service}

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert "diptych.v1.Classifier" in names
