"""Named sets of labels, registered once and used by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from gateway.errors import LabelSetsFullError, StorageNotConfiguredError, UnknownLabelSetError
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.zero_shot.query import LabelQuery

NAME_PATTERN: Final = r"[a-z0-9][a-z0-9_-]{0,62}"


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels, and the prompts they are put into, under a name."""

    name: str
    query: LabelQuery


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes a label set, in which request; for the audit."""

    actor: str
    request_id: str


class LabelSets(Protocol):
    """Where label sets are kept.

    Every method raises `StorageUnavailableError` where they are kept in a database that is away.
    """

    @property
    def is_persistent(self) -> bool:
        """Whether they outlive the process, and are the same in all replicas."""

    async def get(self, name: str) -> LabelSet:
        """Finds one.

        Raises:
            UnknownLabelSetError: there is none of that name.
        """

    async def list(self) -> Sequence[LabelSet]:
        """All, by name."""

    async def put(self, label_set: LabelSet, change: Change) -> bool:
        """Keeps one; returns whether there was none of that name.

        Raises:
            LabelSetsFullError: there are as many as there may be.
            StorageNotConfiguredError: several workers would each have sets of their own.
        """

    async def delete(self, name: str, change: Change) -> None:
        """Forgets one.

        Raises:
            UnknownLabelSetError: there is none of that name.
        """


class MemoryLabelSets:
    """Label sets of this process alone, gone with it.

    Args:
        max_sets: how many there may be.
        is_alone: whether no other worker answers at the same ports, which would not know them.
    """

    is_persistent = False

    def __init__(self, max_sets: int, *, is_alone: bool = True) -> None:
        self._max_sets = max_sets
        self._is_alone = is_alone
        self._by_name: dict[str, LabelSet] = {}

    async def get(self, name: str) -> LabelSet:
        """See `LabelSets.get`."""
        if (found := self._by_name.get(name)) is None:
            raise unknown_label_set(name, tuple(self._by_name))
        return found

    async def list(self) -> Sequence[LabelSet]:
        """See `LabelSets.list`."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    async def put(self, label_set: LabelSet, change: Change) -> bool:
        """See `LabelSets.put`."""
        if not self._is_alone:
            raise StorageNotConfiguredError
        is_new = label_set.name not in self._by_name
        if is_new and len(self._by_name) >= self._max_sets:
            raise LabelSetsFullError(self._max_sets)
        self._by_name[label_set.name] = label_set
        return is_new

    async def delete(self, name: str, change: Change) -> None:
        """See `LabelSets.delete`."""
        if self._by_name.pop(name, None) is None:
            raise unknown_label_set(name, tuple(self._by_name))


def unknown_label_set(name: str, known: Sequence[str]) -> UnknownLabelSetError:
    """Makes the error of a name that there is not."""
    return UnknownLabelSetError(
        "label_set_unknown",
        f"No label set of that name is registered. {did_you_mean(name, known)}"
        if known
        else "No label set is registered; PUT /v1/label-sets/{name} makes one, or send labels.",
        field="label_set",
    )
