"""What the protocol of a connection tells those who read a body of how far it has come."""

from __future__ import annotations

from typing import Final

UPLOAD_KEY: Final = "diptych.upload"
"""Key of the ASGI scope: the `Upload` of the request."""


class Upload:
    """The body of one request, as far as it has come.

    Attributes:
        is_complete: whether its last byte is here.
    """

    __slots__ = ("is_complete",)

    def __init__(self) -> None:
        self.is_complete = False
