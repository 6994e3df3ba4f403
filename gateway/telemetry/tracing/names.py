"""Names of spans and of what stands on them, as OpenTelemetry's semantic conventions have them.

Written out here because the package that holds them is loaded only when tracing is on. Spans carry
nothing else: no payload, text, key, address of a caller, path or query.
"""

from __future__ import annotations

from typing import Final

RECEIVE: Final = "receive"
ADMISSION: Final = "admission"
FETCH: Final = "fetch"
CLASSIFY: Final = "classify"
LABELS: Final = "labels"
TRITON: Final = "triton"
RESPOND: Final = "respond"
SHADOW: Final = "shadow"
INFER: Final = "inference.GRPCInferenceService/ModelInfer"

SPANS: Final[dict[str, str]] = {
    "`POST /v1/classify` and so on": "server: a REST request, from the first byte of its head; "
    "probes and `/metrics` have none",
    "`diptych.v1.Classifier/Classify` and so on": "server: a gRPC call",
    "`diptych.v1.Classifier/ClassifyStream`": "server: one message of a stream, from when it was "
    "read; the stream itself may last for hours and has none",
    f"`{RECEIVE}`": "reading and checking the body, over REST",
    f"`{ADMISSION}`": "rate limits, places and forecast; where a refusal ends",
    f"`{FETCH}`": "fetching an image by URL",
    f"`{CLASSIFY}`": "one item: a batch has one of these for each",
    f"`{LABELS}`": "embedding labels that came with the request",
    f"`{TRITON}`": "waiting for Triton, or for an equal request's answer",
    f"`{RESPOND}`": "reading the outputs, ranking",
    f"`{SHADOW}`": "a candidate is shown the request after the answer, off the caller's path",
    f"`{INFER}`": "client: one try on one Triton, whose own spans continue it; a retry, a hedge "
    "and a fallback are further ones",
}
"""What each span is, for the README."""

HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
URL_SCHEME: Final = "url.scheme"
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
REQUEST_ID: Final = "diptych.request_id"
VARIANT: Final = "diptych.variant"
DIGEST: Final = "diptych.digest"
MODALITIES: Final = "diptych.modalities"
POOL: Final = "diptych.pool"
DEGRADED: Final = "diptych.degraded"
SOURCE: Final = "diptych.source"
PRIORITY: Final = "diptych.priority"
ATTEMPT: Final = "diptych.attempt"
ATTEMPT_REASON: Final = "diptych.attempt.reason"
SHADOW_NAME: Final = "diptych.shadow"

ATTRIBUTES: Final[dict[str, str]] = {
    HTTP_METHOD: "method; `_OTHER` for one that HTTP does not define",
    HTTP_ROUTE: "template of the route; none where no route matched",
    HTTP_STATUS: "status of the answer; 499 when the client left before it",
    URL_SCHEME: "`http` or `https`",
    RPC_SYSTEM: "`grpc`",
    RPC_METHOD: "service and method",
    RPC_STATUS: "name of the gRPC status",
    SERVER_ADDRESS: "host of the Triton that was asked",
    SERVER_PORT: "its port",
    ERROR_TYPE: "the problem's `code`, the class of an unexpected error, or `cancelled`",
    REQUEST_ID: "the request id, as in the log and in Triton's",
    VARIANT: "variant that answers; `several` for a batch that mixes them",
    DIGEST: "digest of what that Triton serves of it",
    MODALITIES: "`both`, `image` or `text`",
    POOL: "pool that let the request in, was asked, or answered",
    DEGRADED: "why it was not the usual one; absent when all was usual",
    SOURCE: "`computed`, `coalesced` or `cached`",
    PRIORITY: "`interactive` or `batch`",
    ATTEMPT: "1 for the first try, then counting on",
    ATTEMPT_REASON: "why there was another try: the error's code, or `silence`",
    SHADOW_NAME: "name of the shadow",
}
"""What each attribute says, for the README."""
