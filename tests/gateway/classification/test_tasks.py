from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from gateway.classification.tasks import read_logits
from gateway.contract.manifest import EnsembleManifest, Quality, TaskManifest
from tests.gateway.manifests import make_manifest

QUALITY = Quality(examples=9, accuracy=0.9, macro_f1=0.9, expected_calibration_error=0.1)
KIND = TaskManifest(
    name="kind", kind="one", labels=("cat", "dog"), temperature=2.0, quality=QUALITY
)
TAGS = TaskManifest(
    name="tags",
    kind="several",
    labels=("tame", "loud", "wild"),
    temperature=0.5,
    thresholds=(0.6, 0.2, 0.9),
    quality=QUALITY,
)


def manifest_of(*tasks: TaskManifest) -> EnsembleManifest:
    fields = make_manifest().model_dump()
    labels = tuple(label for task in tasks for label in task.labels)
    return EnsembleManifest.model_validate(
        {**fields, "schema_version": 2, "labels": labels, "tasks": tasks}
    )


def test_each_task_is_read_from_its_own_logits_with_its_own_temperature() -> None:
    logits = np.array([1.0, 3.0, 0.3, -0.5, 0.7], np.float32)

    reading = read_logits(logits, manifest_of(KIND, TAGS), top_k=2)

    kind, tags = reading.tasks
    assert reading.ranking == kind.ranking
    assert [each.label for each in kind.ranking] == ["dog", "cat"]
    assert kind.ranking[0].score == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert kind.applying is None
    expected = 1 / (1 + np.exp(-logits[2:].astype(float) / 0.5))
    assert [each.label for each in tags.ranking] == ["wild", "tame"]
    assert tags.ranking[0].score == pytest.approx(expected[2])
    # Wild is the likeliest and yet below its own threshold; loud is the least and above its own.
    assert tags.applying is not None
    assert [each.label for each in tags.applying] == ["tame", "loud"]


def test_extreme_logits_of_several_labels_overflow_nothing() -> None:
    logits = np.array([-1e4, 1e4, 0.0], np.float32)

    [tags] = read_logits(logits, manifest_of(TAGS), top_k=3).tasks

    assert [each.score for each in tags.ranking] == [1.0, 0.5, 0.0]


def test_manifest_without_tasks_says_nothing_of_them_and_has_the_ranking_alone() -> None:
    manifest = make_manifest()

    assert "tasks" not in manifest.model_dump_json()
    assert read_logits(np.zeros(3, np.float32), manifest, top_k=5).tasks == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 1},
        {"labels": ("dog", "cat")},
        {"tasks": ()},
        {"tasks": ({**KIND.model_dump(), "thresholds": (0.5,)},)},
    ],
)
def test_manifest_whose_tasks_do_not_agree_with_it_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EnsembleManifest.model_validate({**manifest_of(KIND).model_dump(), **changes})
