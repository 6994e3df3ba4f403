"""What can go wrong while images are rehearsed, drawn as a tree.

```
ImageError
├── InstallError       a list of packages cannot be installed, or is not whole
└── EntryPointError    what an image runs does not start from its packages
```
"""

from __future__ import annotations


class ImageError(Exception):
    """Base of all errors of `deploy.docker`.

    Attributes:
        image: a key of `package_lists.EXTRAS`.
        reason: the last words of what failed.
    """

    def __init__(self, image: str, what: str, reason: str) -> None:
        super().__init__(f"{image}: {what}: {reason}")
        self.image = image
        self.reason = reason


class InstallError(ImageError):
    """A list of packages cannot be installed, or is not whole."""

    def __init__(self, image: str, reason: str) -> None:
        super().__init__(
            image, "its packages cannot be installed; `python -m deploy.docker` writes them", reason
        )


class EntryPointError(ImageError):
    """What an image runs does not start from its packages."""

    def __init__(self, image: str, reason: str) -> None:
        super().__init__(image, "its entry point does not start", reason)
