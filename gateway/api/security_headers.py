"""What answers tell browsers not to do (OWASP Secure Headers Project)."""

from __future__ import annotations

from typing import Final

ON_EVERY_ANSWER: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def page_headers(*sources: str) -> dict[str, str]:
    """Returns the headers of an HTML page, which may load nothing but what `sources` says.

    Args:
        *sources: directives of a content security policy, such as `style-src 'self'`.
    """
    closed = (
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "content-security-policy": "; ".join((*closed, *sources)),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
