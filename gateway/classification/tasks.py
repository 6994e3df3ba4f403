"""From a row of logits to the answer of each task that a variant was asked.

A variant without tasks in its manifest has one, and its answer is the ranking alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway.classification.outputs import rank
from gateway.classification.values import Scores, TaskAnswer
from gateway.value import value

if TYPE_CHECKING:
    from gateway.classification.values import RankedLabel
    from gateway.contract.manifest import EnsembleManifest, TaskManifest
    from gateway.triton.backend import Row


@value
class Reading:
    """What a row of logits says.

    Attributes:
        scores: of all labels of the first task.
        ranking: the best of them, best first; never empty.
        tasks: the answer of each task; empty where the variant names none.
    """

    scores: Scores
    ranking: tuple[RankedLabel, ...]
    tasks: tuple[TaskAnswer, ...] = ()


def read_logits(logits: Row, manifest: EnsembleManifest, top_k: int) -> Reading:
    """Answers all tasks of an ensemble.

    Args:
        logits: of shape (labels of all tasks,).
        manifest: the ensemble's labels, temperatures and thresholds.
        top_k: how many labels each ranking holds; all when there are fewer.
    """
    if not manifest.tasks:
        scores = Scores(logits, manifest.labels, manifest.temperature)
        return Reading(scores, rank(scores, top_k))
    by_task, answers, start = [], [], 0
    for task in manifest.tasks:
        end = start + len(task.labels)
        activation: Literal["softmax", "sigmoid"] = "softmax" if task.kind == "one" else "sigmoid"
        by_task.append(Scores(logits[start:end], task.labels, task.temperature, activation))
        answers.append(_answer(by_task[-1], task, top_k))
        start = end
    return Reading(by_task[0], answers[0].ranking, tuple(answers))


def _answer(scores: Scores, task: TaskManifest, top_k: int) -> TaskAnswer:
    if task.kind == "one":
        return TaskAnswer(task.name, rank(scores, top_k))
    ranking = rank(scores, len(task.labels))
    thresholds = dict(zip(task.labels, task.thresholds, strict=True))
    applying = tuple(each for each in ranking if each.score > thresholds[each.label])
    return TaskAnswer(task.name, ranking[:top_k], applying)
