"""All errors of the gateway. They know neither HTTP nor gRPC: `api.problems` maps each to a status.

GatewayError
├── RequestError                     the caller can repair it; what it says is safe to show
│   ├── MalformedRequestError            the envelope cannot be read: syntax, names, types, ranges
│   ├── UnsupportedContentTypeError      a media type that no route reads
│   ├── HeadTooLargeError                request line and headers above their limit
│   ├── RequestTimeoutError              it came too slowly
│   ├── PayloadTooLargeError             a body, an image, a text or a batch above its limit
│   ├── InvalidInputError                well formed, but the image or text cannot be classified
│   ├── UnknownVariantError              no variant of that name
│   ├── UnknownRuleError                 no experiment or shadow of that name
│   ├── UnknownLabelSetError             no label set of that name
│   ├── LabelSetsFullError               as many label sets as there may be
│   ├── InvalidReceiptError              a prediction id that this service did not sign
│   ├── StaleReceiptError                a prediction too old for feedback
│   ├── UnknownLabelError                feedback names a label or a task that is not the variant's
│   ├── ConflictError                    it does not fit what is in force
│   └── PreconditionFailedError          what was to be changed has changed since it was read
├── AccessError                      who calls may not have what was asked for
│   ├── UnauthenticatedError             no key, or none that is good
│   └── ForbiddenError                   a good key that does not allow it
├── UnavailableError                 nobody's fault; trying again later can succeed
│   ├── AdmissionRefusedError            refused at arrival: could not be answered in time
│   ├── OverloadedError                  Triton has more work than it takes on
│   ├── BackendUnavailableError          Triton cannot be reached
│   ├── VariantUnavailableError          the variant exists but is not served at the moment
│   ├── StorageUnavailableError          the database cannot be reached
│   ├── StorageOutdatedError             the database has another release's schema
│   ├── FeedbackQueueFullError           more feedback waits for the database than may
│   └── DrainingError                    this process is shutting down
├── StorageNotConfiguredError        the operation needs a database, and none is set
├── FeedbackNotConfiguredError       replicas have no receipt keys in common
├── DeadlineExceededError            the answer would come after the request's time is spent
├── ClientDisconnectedError          nobody waits for the answer any more
└── BackendError                     Triton answered with something that must not happen

TrafficPlanError                     experiments that cannot be in force together
"""

from __future__ import annotations

from typing import Self


class GatewayError(Exception):
    """Base of all errors that the gateway raises on purpose.

    Attributes:
        code: stable identifier in snake case, for programs.
        detail: one sentence for the caller; never a library's text, never the payload.
    """

    code: str = "internal"
    detail: str = "The service failed; the request itself is not at fault."

    def __init__(self, detail: str | None = None) -> None:
        if detail is not None:
            self.detail = detail
        super().__init__(self.detail)


class RequestError(GatewayError):
    """The request is at fault.

    Attributes:
        field: the part, field or header that is at fault, or None when it is the whole.
        limit: the limit that was exceeded, in the unit that `detail` names.
        actual: the value that exceeded the limit, where it is known.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        limit: int | None = None,
        actual: int | None = None,
    ) -> None:
        self.code = code
        self.field = field
        self.limit = limit
        self.actual = actual
        super().__init__(detail)


class MalformedRequestError(RequestError):
    """The envelope cannot be read."""


class UnsupportedContentTypeError(RequestError):
    """The request's media type is not one that the route reads."""


class HeadTooLargeError(RequestError):
    """The request line and the headers are above their limit."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(
            "head_too_large",
            f"The head of a request may have {limit} {what}. Send fewer or shorter headers; "
            "cookies are often the longest.",
            limit=limit,
        )


class RequestTimeoutError(RequestError):
    """The request came too slowly.

    Attributes:
        part: which part, `head` or `body`.
    """

    def __init__(self, part: str, timeout_s: float) -> None:
        self.part = part
        super().__init__(
            "request_timeout",
            f"The {part} of the request was not complete within {timeout_s:g} seconds. Send it "
            "again at once as a whole.",
        )


class PayloadTooLargeError(RequestError):
    """Something is above its limit; `limit` says which."""


class InvalidInputError(RequestError):
    """The image or the text itself cannot be classified."""


class UnknownVariantError(RequestError):
    """No variant of the requested name exists."""


class UnknownRuleError(RequestError):
    """No experiment or shadow of that name exists."""


class InvalidReceiptError(RequestError):
    """The prediction id is not one that this service signed, or was changed or cut on its way."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, field="prediction_id")


class StaleReceiptError(RequestError):
    """The prediction is older than feedback is taken for."""

    def __init__(self, max_age_days: int, age_days: int) -> None:
        super().__init__(
            "receipt_stale",
            f"The prediction was made {age_days} days ago, and feedback is taken for "
            f"{max_age_days}: this label cannot be recorded any more.",
            field="prediction_id",
            limit=max_age_days,
            actual=age_days,
        )


class UnknownLabelError(RequestError):
    """Feedback names a label or a task that the variant does not have."""


class ConflictError(RequestError):
    """The change does not fit what is in force."""


class PreconditionFailedError(RequestError):
    """What was to be changed has changed since the caller read it."""


class AccessError(GatewayError):
    """Who calls may not have what was asked for."""


class UnauthenticatedError(AccessError):
    """No API key was sent, or none that is good.

    Attributes:
        has_key: whether one was sent.
    """

    def __init__(self, code: str, detail: str, *, has_key: bool) -> None:
        self.code = code
        self.has_key = has_key
        super().__init__(detail)

    @classmethod
    def missing(cls, scope: str | None = None) -> Self:
        """Nothing was sent where a key is needed."""
        which = f"an API key with the scope {scope}" if scope else "an API key"
        return cls(
            "key_missing",
            f"This needs {which}: send it as X-Api-Key or as Authorization: Bearer.",
            has_key=False,
        )

    @classmethod
    def unknown(cls) -> Self:
        """What was sent is not a key of this service."""
        return cls(
            "key_unknown",
            "The API key is not one of this service's. Check that it was copied whole; if it was, "
            "it has been withdrawn: ask the operator for another.",
            has_key=True,
        )

    @classmethod
    def expired(cls, key_id: str) -> Self:
        """The key was good once."""
        return cls(
            "key_expired",
            f"The API key {key_id} has expired: ask the operator for another.",
            has_key=True,
        )


class ForbiddenError(AccessError):
    """The API key is good and does not allow this; `scope` is what it lacks.

    Attributes:
        scope: what the key would have to allow.
    """

    code = "scope_missing"

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"The API key has no scope {scope}: ask the operator for one that has.")


class UnknownLabelSetError(RequestError):
    """No label set of the requested name exists."""


class LabelSetsFullError(RequestError):
    """As many label sets are registered as there may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            "label_sets_full",
            f"{limit} label sets are registered, which is the most; delete one first.",
            field="name",
            limit=limit,
        )


class UnavailableError(GatewayError):
    """The service cannot answer now.

    Attributes:
        retry_after_s: when another try is worth it, in seconds.
    """

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class AdmissionRefusedError(UnavailableError):
    """Refused at arrival, before any work: the answer could not have come in time.

    Attributes:
        retry_after_ms: when another try is worth it, in milliseconds; `retry_after_s` is the same
            in whole seconds, at least one.
    """

    detail = (
        "The service is busy: the answer could not come within the time allowed. Nothing was done; "
        "send the request again after retry_after_ms."
    )

    def __init__(self, code: str, detail: str | None = None, *, retry_after_ms: int) -> None:
        self.code = code
        self.retry_after_ms = retry_after_ms
        super().__init__(detail, retry_after_s=max(1, -(-retry_after_ms // 1000)))


class OverloadedError(UnavailableError):
    """Triton's own queue is full, or the item waited too long in it."""

    code = "overloaded"
    detail = "The service has as much work as it can take on; try again later."


class BackendUnavailableError(UnavailableError):
    """Triton cannot be reached."""

    code = "backend_unavailable"
    detail = "The inference backend cannot be reached at the moment; try again later."


class VariantUnavailableError(UnavailableError):
    """The variant is known, but nothing serves it at the moment."""

    code = "variant_unavailable"
    detail = "The variant is not served at the moment; try again later."


class StorageUnavailableError(UnavailableError):
    """The database cannot be reached or does not answer; classifying goes on without it."""

    code = "storage_unavailable"
    detail = (
        "The database cannot be reached at the moment. A change may have been made or not: read "
        "the state again before another try."
    )


class StorageOutdatedError(UnavailableError):
    """The database's schema is not the one of this release; classifying goes on without it."""

    code = "storage_outdated"
    detail = (
        "The database's schema is not the one of this release; an operator has to run "
        "`python -m gateway.storage upgrade`."
    )


class FeedbackQueueFullError(UnavailableError):
    """More feedback waits for the database than may; what was sent was not recorded."""

    code = "feedback_queue_full"
    detail = (
        "More feedback waits for the database than may at a time. Nothing of this was recorded; "
        "send it again later."
    )


class DrainingError(UnavailableError):
    """This process is shutting down; another replica or a later try can answer."""

    code = "draining"
    detail = "This instance is shutting down; try again."


class StorageNotConfiguredError(GatewayError):
    """The operation needs a database, and none is set."""

    code = "storage_not_configured"
    detail = "This needs a database; an operator has to set DIPTYCH_GATEWAY_DATABASE_URL."


class FeedbackNotConfiguredError(GatewayError):
    """Feedback needs receipt keys that all replicas share, and none are set."""

    code = "receipt_keys_missing"
    detail = (
        "The database is one that replicas share, and without receipt keys none can check what "
        "another has signed; an operator has to set DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE."
    )


class DeadlineExceededError(GatewayError):
    """The time of the request is spent."""

    code = "deadline_exceeded"
    detail = "The answer was not ready within the time allowed for the request."


class ClientDisconnectedError(GatewayError):
    """The client went away; its work was cancelled."""

    code = "client_disconnected"
    detail = "The client closed the connection before the answer."


class BackendError(GatewayError):
    """Triton failed or broke the contract; `reason` is for the log alone.

    Attributes:
        reason: what happened, for operators. It may quote Triton and is never shown to callers.
    """

    code = "backend_failure"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class TrafficPlanError(Exception):
    """Experiments or shadows that cannot be in force; the message says which and what to change."""
