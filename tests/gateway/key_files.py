"""Files of API keys for tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.identity.api_key import digest_of, new_key

if TYPE_CHECKING:
    from pathlib import Path


class Keys:
    """A keys file that grows; each change has another time of modification.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.toml"
        self.path.write_text("")

    def add(self, key_id: str, *scopes: str, extra: str = "") -> str:
        """Adds a key and returns it.

        Args:
            key_id: its id.
            *scopes: that it allows; `classify` when none is named.
            extra: further lines of its entry.
        """
        key = new_key(key_id)
        self.append(
            f'[[key]]\nid = "{key_id}"\nsha256 = ["{digest_of(key)}"]\n'
            f"scopes = {json.dumps(scopes or ('classify',))}\n{extra}\n"
        )
        return key

    def append(self, text: str) -> None:
        """Writes more, under a name of its own that is renamed, as an operator's tools do."""
        self.replace(self.path.read_text() + text)

    def replace(self, text: str) -> None:
        """Writes other content."""
        written = self.path.with_suffix(".new")
        written.write_text(text)
        written.replace(self.path)
