"""The allow list of hosts that images may be fetched from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

_LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
# Ends in a letter's label: 2130706433, 0x7f.1 and 127.0.0.1 are addresses, which no list allows.
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")


def is_host_name(text: str) -> bool:
    """Whether a text is a DNS name in lower case with at least two labels."""
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The allow list.

    Attributes:
        names: hosts that are allowed as they stand.
        parents: domains of which every name below is allowed.
    """

    names: frozenset[str]
    parents: tuple[str, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Self:
        """Reads patterns: `images.example.com`, or `*.example.com` for every name below.

        Raises:
            ValueError: one is neither; the message names it.
        """
        names, parents = set(), []
        for pattern in patterns:
            name = pattern.removeprefix("*.")
            if not is_host_name(name):
                raise ValueError(
                    f"{pattern!r} is not a host name; write images.example.com or *.example.com"
                )
            if name == pattern:
                names.add(name)
            else:
                parents.append(f".{name}")
        return cls(frozenset(names), tuple(parents))

    def __contains__(self, host: object) -> bool:
        """Whether a host is allowed."""
        return isinstance(host, str) and (host in self.names or host.endswith(self.parents))
