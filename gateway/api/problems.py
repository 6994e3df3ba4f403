"""Problems (RFC 9457): the one table from error types to REST and gRPC status.

What is not in the table is a generic 500 that shows nothing of its cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import grpc

from gateway import errors

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:diptych:problem:"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """How one type of error looks from outside.

    Attributes:
        status: the HTTP status.
        slug: end of the problem's type URI, which never changes.
        title: the same for every occurrence.
        grpc_status: the gRPC status with the same meaning.
    """

    status: int
    slug: str
    title: str
    grpc_status: grpc.StatusCode

    @property
    def type_uri(self) -> str:
        """Identifies the kind of problem."""
        return _TYPE_PREFIX + self.slug


_CODE = grpc.StatusCode
INTERNAL: Final = ProblemKind(500, "internal", "Internal error", _CODE.INTERNAL)
KINDS: Final[dict[type[errors.GatewayError], ProblemKind]] = {
    errors.MalformedRequestError: ProblemKind(
        400, "malformed-request", "Malformed request", _CODE.INVALID_ARGUMENT
    ),
    errors.UnauthenticatedError: ProblemKind(
        401, "unauthenticated", "Unauthenticated", _CODE.UNAUTHENTICATED
    ),
    errors.ForbiddenError: ProblemKind(403, "forbidden", "Forbidden", _CODE.PERMISSION_DENIED),
    errors.UnknownVariantError: ProblemKind(
        404, "unknown-variant", "Unknown variant", _CODE.NOT_FOUND
    ),
    errors.RequestTimeoutError: ProblemKind(
        408, "request-timeout", "Request timeout", _CODE.DEADLINE_EXCEEDED
    ),
    errors.UnknownRuleError: ProblemKind(404, "unknown-rule", "Unknown rule", _CODE.NOT_FOUND),
    errors.UnknownLabelSetError: ProblemKind(
        404, "unknown-label-set", "Unknown label set", _CODE.NOT_FOUND
    ),
    errors.StaleReceiptError: ProblemKind(
        410, "stale-receipt", "Prediction too old", _CODE.FAILED_PRECONDITION
    ),
    errors.InvalidReceiptError: ProblemKind(
        422, "invalid-receipt", "Invalid prediction id", _CODE.INVALID_ARGUMENT
    ),
    errors.UnknownLabelError: ProblemKind(
        422, "unknown-label", "Unknown label", _CODE.INVALID_ARGUMENT
    ),
    errors.LabelSetsFullError: ProblemKind(
        409, "label-sets-full", "Too many label sets", _CODE.RESOURCE_EXHAUSTED
    ),
    errors.ConflictError: ProblemKind(409, "conflict", "Conflict", _CODE.FAILED_PRECONDITION),
    errors.PreconditionFailedError: ProblemKind(
        412, "precondition-failed", "Precondition failed", _CODE.ABORTED
    ),
    errors.PayloadTooLargeError: ProblemKind(
        413, "payload-too-large", "Payload too large", _CODE.INVALID_ARGUMENT
    ),
    errors.UnsupportedContentTypeError: ProblemKind(
        415, "unsupported-content-type", "Unsupported content type", _CODE.INVALID_ARGUMENT
    ),
    errors.InvalidInputError: ProblemKind(
        422, "invalid-input", "Invalid input", _CODE.INVALID_ARGUMENT
    ),
    errors.AdmissionRefusedError: ProblemKind(
        429, "admission-refused", "Refused at arrival", _CODE.RESOURCE_EXHAUSTED
    ),
    errors.HeadTooLargeError: ProblemKind(
        431, "head-too-large", "Request head too large", _CODE.INVALID_ARGUMENT
    ),
    errors.ClientDisconnectedError: ProblemKind(
        499, "client-disconnected", "Client disconnected", _CODE.CANCELLED
    ),
    errors.BackendError: INTERNAL,
    errors.StorageNotConfiguredError: ProblemKind(
        501, "storage-not-configured", "No database is set", _CODE.UNIMPLEMENTED
    ),
    errors.FeedbackNotConfiguredError: ProblemKind(
        501, "feedback-not-configured", "No receipt keys are set", _CODE.UNIMPLEMENTED
    ),
    errors.FeedbackQueueFullError: ProblemKind(
        503, "feedback-queue-full", "Too much feedback waits", _CODE.RESOURCE_EXHAUSTED
    ),
    errors.OverloadedError: ProblemKind(503, "overloaded", "Overloaded", _CODE.RESOURCE_EXHAUSTED),
    errors.BackendUnavailableError: ProblemKind(
        503, "backend-unavailable", "Backend unavailable", _CODE.UNAVAILABLE
    ),
    errors.VariantUnavailableError: ProblemKind(
        503, "variant-unavailable", "Variant unavailable", _CODE.UNAVAILABLE
    ),
    errors.StorageUnavailableError: ProblemKind(
        503, "storage-unavailable", "Storage unavailable", _CODE.UNAVAILABLE
    ),
    errors.StorageOutdatedError: ProblemKind(
        503, "storage-outdated", "Storage outdated", _CODE.UNAVAILABLE
    ),
    errors.DrainingError: ProblemKind(503, "draining", "Shutting down", _CODE.UNAVAILABLE),
    errors.DeadlineExceededError: ProblemKind(
        504, "deadline-exceeded", "Deadline exceeded", _CODE.DEADLINE_EXCEEDED
    ),
}

_ROUTING_KINDS: Final = {
    404: ProblemKind(404, "not-found", "Not found", _CODE.UNIMPLEMENTED),
    405: ProblemKind(405, "method-not-allowed", "Method not allowed", _CODE.UNIMPLEMENTED),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One occurrence, with the members that do not apply left out of `to_json`.

    Attributes:
        kind: which row of the table.
        code: the error's stable identifier.
        detail: one sentence for the caller.
        instance: names the occurrence by the request id.
        field: the part, field or header at fault.
        limit: the limit that was exceeded.
        actual: the value that exceeded it.
        retry_after_s: when another try is worth it.
        retry_after_ms: the same, precisely, where it was computed.
        challenge: how to authenticate, for the header `WWW-Authenticate`; no member of the object.
    """

    kind: ProblemKind
    code: str
    detail: str
    instance: str
    field: str | None = None
    limit: int | None = None
    actual: int | None = None
    retry_after_s: int | None = None
    retry_after_ms: int | None = None
    challenge: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the members of the problem object."""
        members = {
            "type": self.kind.type_uri,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": self.instance,
            "code": self.code,
            "field": self.field,
            "limit": self.limit,
            "actual": self.actual,
            "retry_after_s": self.retry_after_s,
            "retry_after_ms": self.retry_after_ms,
        }
        return {name: value for name, value in members.items() if value is not None}


def to_problem(error: Exception, request_id: str) -> Problem:
    """Translates any exception; the text of those that are not the gateway's own stays inside."""
    instance = f"urn:diptych:request:{request_id}"
    if not isinstance(error, errors.GatewayError):
        generic = errors.GatewayError()
        return Problem(INTERNAL, generic.code, generic.detail, instance)
    kind = KINDS.get(type(error), INTERNAL)
    if isinstance(error, errors.RequestError):
        return Problem(
            kind, error.code, error.detail, instance, error.field, error.limit, error.actual
        )
    return Problem(
        kind,
        error.code,
        error.detail,
        instance,
        retry_after_s=getattr(error, "retry_after_s", None),
        retry_after_ms=getattr(error, "retry_after_ms", None),
        challenge=_challenge(error),
    )


def _challenge(error: errors.GatewayError) -> str | None:
    """Returns what RFC 6750, 3, has a refused caller told, or None for other errors."""
    if isinstance(error, errors.UnauthenticatedError):
        return 'Bearer realm="diptych"' + (', error="invalid_token"' if error.has_key else "")
    if isinstance(error, errors.ForbiddenError):
        return f'Bearer realm="diptych", error="insufficient_scope", scope="{error.scope}"'
    return None


def routing_problem(status: int, detail: str, request_id: str) -> Problem:
    """Makes the problem of a request that no route took: 404 or 405."""
    kind = _ROUTING_KINDS.get(status, INTERNAL)
    code = kind.slug.replace("-", "_")
    return Problem(kind, code, detail, f"urn:diptych:request:{request_id}")
