"""What a caller gets from a variant with tasks, over REST and gRPC, and of one without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.api.schemas import ClassifyAnswer, ModelsAnswer
from gateway.contract.manifest import EnsembleManifest, ModalitySet, TaskManifest
from tests.gateway.conftest import run_gateway, run_triton
from tests.gateway.manifests import LABELS, make_manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import RunningGateway

pytestmark = pytest.mark.anyio

# The fake Triton answers with the logits 0, 1, 2, 3, 4 in the order of all labels.
THRESHOLDS = (0.9, 0.9, 0.99)


def manifest_of(modalities: ModalitySet) -> EnsembleManifest:
    plain = make_manifest(modalities, temperature=1.0)
    tasks = (
        TaskManifest(
            name="kind", kind="one", labels=("cat", "dog"), temperature=1.0, quality=plain.quality
        ),
        TaskManifest(
            name="tags",
            kind="several",
            labels=("tame", "loud", "wild"),
            temperature=1.0,
            thresholds=THRESHOLDS,
            quality=plain.quality,
        ),
    )
    labels = tuple(label for task in tasks for label in task.labels)
    return EnsembleManifest.model_validate(
        {**plain.model_dump(), "schema_version": 2, "labels": labels, "tasks": tasks}
    )


@pytest.fixture(scope="module")
async def tasks_gateway() -> AsyncIterator[RunningGateway]:
    async with run_triton() as triton:
        triton.repository = {
            f"demo-{each}": manifest_of(each).model_dump_json() for each in ModalitySet
        }
        async with run_gateway(triton) as running:
            yield running


async def test_rest_answers_every_task_and_repeats_the_first(tasks_gateway: RunningGateway) -> None:
    response = await tasks_gateway.http.post("/v1/classify", json={"text": "a", "top_k": 2})

    answer = response.json()
    ClassifyAnswer.model_validate(answer)
    kind, tags = answer["tasks"]["kind"], answer["tasks"]["tags"]
    assert list(answer["tasks"]) == ["kind", "tags"]
    assert (kind["label"], [each["label"] for each in kind["top_k"]]) == ("dog", ["dog", "cat"])
    assert {name: answer[name] for name in kind} == kind
    # The probabilities of the tags are 0.881, 0.953 and 0.982.
    assert [each["label"] for each in tags["labels"]] == ["loud"]
    assert [each["label"] for each in tags["top_k"]] == ["wild", "loud"]


async def test_grpc_answers_as_rest_does(tasks_gateway: RunningGateway) -> None:
    by_rest = (await tasks_gateway.http.post("/v1/classify", json={"text": "a"})).json()

    by_grpc = await tasks_gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"))

    kind, tags = by_grpc.tasks["kind"], by_grpc.tasks["tags"]
    assert (kind.label, kind.score) == (by_rest["label"], by_rest["score"])
    assert not tags.HasField("label")
    assert [(each.label, each.score) for each in tags.labels] == [
        (each["label"], each["score"]) for each in by_rest["tasks"]["tags"]["labels"]
    ]


async def test_models_describe_tasks_with_their_thresholds(tasks_gateway: RunningGateway) -> None:
    answer = (await tasks_gateway.http.get("/v1/models")).json()

    ModelsAnswer.model_validate(answer)
    [kind, tags] = answer["models"][0]["tasks"]
    assert (kind["name"], kind["kind"], kind["thresholds"]) == ("kind", "one", {})
    assert tags["thresholds"] == {each: list(THRESHOLDS) for each in ModalitySet}


async def test_variant_without_tasks_answers_as_ever(shared_gateway: RunningGateway) -> None:
    answer = (await shared_gateway.http.post("/v1/classify", json={"text": "a"})).json()
    models = (await shared_gateway.http.get("/v1/models")).json()

    assert "tasks" not in answer
    assert answer["label"] == LABELS[-1]
    assert models["models"][0]["tasks"] == []
