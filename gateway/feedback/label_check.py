"""Checks labels that are said to be true against those that the variant can give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from unicodedata import category

from gateway.errors import MalformedRequestError, PayloadTooLargeError, UnknownLabelError
from gateway.receipts.receipt import labels_value
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.catalog import Catalog
    from gateway.feedback.verdict import Verdict
    from gateway.receipts.receipt import PredictedTask, Receipt

_NOT_TEXT: Final = frozenset({"Cc", "Cs"})  # control characters and halves of surrogate pairs
_MAX_SEVERAL: Final = 256  # labels of one verdict


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """What a label must be.

    Labels are compared with the variant's while that digest is served; what comes later, or for
    labels that came with the request, is taken as it is.

    Attributes:
        catalog: returns what is served now.
        max_label_chars: Unicode characters of a label.
    """

    catalog: Callable[[], Catalog]
    max_label_chars: int

    def value(
        self, receipt: Receipt, task: PredictedTask, verdict: Verdict, field: str
    ) -> str | None:
        """Returns what is true as one text, `labels_value`; None: unsure.

        Args:
            receipt: of the prediction.
            task: of its tasks.
            verdict: what was sent.
            field: that holds it.

        Raises:
            MalformedRequestError: it does not fit the task.
            PayloadTooLargeError: a label is too long, or there are too many.
            UnknownLabelError: the variant that was asked has no such label.
        """
        if verdict.is_unsure:
            return None
        is_several = task.kind == "several"
        if is_several == (verdict.labels is None):
            wanted, name = ("labels", "several labels") if is_several else ("label", "one label")
            raise MalformedRequestError(
                "verdict_unfitting",
                f"This task has {name} an item: send {wanted}, or is_unsure.",
                field=field,
            )
        labels = verdict.labels if verdict.labels is not None else (verdict.label or "",)
        self._check_labels(labels, field)
        if (known := self._known_labels(receipt, task)) is not None:
            for label in labels:
                if label not in known:
                    raise UnknownLabelError(
                        "label_unknown",
                        "The variant that was asked has no such label. "
                        f"{did_you_mean(label, known)}",
                        field=field,
                    )
        return labels_value(labels, task.kind)

    def _check_labels(self, labels: Sequence[str], field: str) -> None:
        if len(labels) > _MAX_SEVERAL:
            raise PayloadTooLargeError(
                "too_many_labels",
                f"At most {_MAX_SEVERAL} labels can be given.",
                field=field,
                limit=_MAX_SEVERAL,
                actual=len(labels),
            )
        limit = self.max_label_chars
        for label in labels:
            if not label or any(category(each) in _NOT_TEXT for each in label):
                raise MalformedRequestError(
                    "label_invalid",
                    "A label has at least one character, and no control characters.",
                    field=field,
                )
            if len(label) > limit:
                raise PayloadTooLargeError(
                    "label_too_long",
                    f"A label has at most {limit} characters.",
                    field=field,
                    limit=limit,
                    actual=len(label),
                )

    def _known_labels(self, receipt: Receipt, task: PredictedTask) -> Sequence[str] | None:
        """Returns the labels that a task can have, or None where nobody knows them any more."""
        variant = self.catalog().variants.get(receipt.variant)
        if variant is None or not variant.labels or not variant.digest.startswith(receipt.digest):
            return None
        manifest = next(iter(variant.ensembles.values())).manifest
        return next(
            (each.labels for each in manifest.tasks if each.name == task.name), variant.labels
        )


def task_of(receipt: Receipt, name: str) -> PredictedTask:
    """Returns a task of a prediction.

    Raises:
        UnknownLabelError: it has none of that name.
    """
    for task in receipt.tasks:
        if task.name == name:
            return task
    names = [each.name for each in receipt.tasks if each.name]
    hint = did_you_mean(name, names) if names else "It has one set of labels: send label alone."
    raise UnknownLabelError(
        "task_unknown", f"The variant that was asked has no such task. {hint}", field="tasks"
    )
