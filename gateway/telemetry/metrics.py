"""All metrics of the gateway, on one registry; those of the pools are in `pool_metrics`.

Labels are bounded: routes, variants, modality sets, stages and codes come from fixed sets, from the
catalog, or pass `_Bounded`. Label children are looked up once and kept, as a look-up in the client
library costs more than the update itself.

A gauge says in `multiprocess_mode` how the values of several workers make that of the pod, and only
of those that live: `livesum` for what each has a part of, `livemin` for the state that the worst of
them is in, `livemax` for what all know alike. The default would show each worker apart.
"""

from __future__ import annotations

from collections import Counter as Counts
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.telemetry.capture_metrics import CaptureMetrics
from gateway.telemetry.drift_metrics import DriftMetrics
from gateway.telemetry.feedback_metrics import FeedbackMetrics
from gateway.telemetry.pool_metrics import PoolMetrics
from gateway.telemetry.ramp_metrics import RampMetrics
from gateway.telemetry.shadow_metrics import ShadowMetrics
from gateway.telemetry.shown_gauge import ShownGauge
from gateway.telemetry.trace_metrics import TraceMetrics
from gateway.telemetry.traffic_metrics import TrafficMetrics
from gateway.telemetry.zero_shot_metrics import ZeroShotMetrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NONE: Final = "none"
"""Label value where a request has no variant or modality set, as it failed before."""

# Dense around 0.5 s, the promise that is watched.
_REQUEST_BUCKETS_S: Final = (
    0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
    0.55, 0.6, 0.75, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_STAGE_BUCKETS_S: Final = (
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5,
)  # fmt: skip
_BATCH_BUCKETS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)
_MAX_FAULT_CODES: Final = 64


class _Bounded:
    """Passes the first values of a label that is not ours to choose; all further are `other`."""

    def __init__(self, max_values: int) -> None:
        self._max_values = max_values
        self._values: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._values:
            if len(self._values) >= self._max_values:
                return "other"
            self._values.add(value)
        return value


class Metrics:
    """The metrics and the few ways to move them.

    Args:
        registry: where they are registered; one registry holds one `Metrics`.

    Attributes:
        registry: the same.
        pools: the metrics of the pools.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.pools = PoolMetrics(registry)
        self.traffic = TrafficMetrics(registry)
        self.shadows = ShadowMetrics(registry)
        self.ramps = RampMetrics(registry)
        self.zero_shot = ZeroShotMetrics(registry)
        self.drift = DriftMetrics(registry)
        self.capture = CaptureMetrics(registry)
        self.feedback = FeedbackMetrics(registry)
        self.traces = TraceMetrics(registry)
        self._fault_code = _Bounded(_MAX_FAULT_CODES)
        self._requests = Counter(
            "diptych_gateway_requests_total",
            "Requests answered, over REST and gRPC. `code` is the HTTP or gRPC status.",
            ("route", "variant", "modalities", "code"),
            registry=registry,
        )
        self._request_s = Histogram(
            "diptych_gateway_request_seconds",
            "Time from a request's arrival to its answer.",
            ("route",),
            buckets=_REQUEST_BUCKETS_S,
            registry=registry,
        )
        self._classifications = Counter(
            "diptych_gateway_classifications_total",
            "Classifications: single requests, items of a batch, messages of a stream. `outcome` "
            "is `ok`, `input_fault`, or the error's code.",
            ("variant", "modalities", "outcome"),
            registry=registry,
        )
        self._stage_s = Histogram(
            "diptych_gateway_stage_seconds",
            "Time of one stage of a classification; the encoders' stages lie within `triton`.",
            ("stage",),
            buckets=_STAGE_BUCKETS_S,
            registry=registry,
        )
        self._batch_size = Histogram(
            "diptych_gateway_encoder_batch_size",
            "Items in the encoder batch that a classification was part of.",
            ("encoder",),
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self._input_faults = Counter(
            "diptych_gateway_input_faults_total",
            "Requests, items and messages refused because of what they hold, by the error's code.",
            ("code",),
            registry=registry,
        )
        self._image_fetches = Counter(
            "diptych_gateway_image_fetches_total",
            "Images fetched by URL; `outcome` is `ok`, or the error's code.",
            ("outcome",),
            registry=registry,
        )
        self._in_flight = Gauge(
            "diptych_gateway_in_flight_requests",
            "Classifications let in and not yet answered; each item of a batch is one.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._concurrency_limit = Gauge(
            "diptych_gateway_concurrency_limit",
            "Most classifications in flight that admission lets in at the moment.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._refusals = Counter(
            "diptych_gateway_refusals_total",
            "Requests and messages refused at arrival, by the problem's code and the priority.",
            ("code", "priority"),
            registry=registry,
        )
        self._reuse = Counter(
            "diptych_gateway_answer_reuse_total",
            "Classifications by how they come to their answer: `hit` (cached), `joined` "
            "(coalesced), `miss` (computed); and `evicted`, cached answers that went for others.",
            ("event",),
            registry=registry,
        )
        self._answer_cache_bytes = Gauge(
            "diptych_gateway_answer_cache_bytes",
            "Memory that cached answers take.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._connections = Gauge(
            "diptych_gateway_connections",
            "HTTP connections that are open.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._connection_ends = Counter(
            "diptych_gateway_connection_ends_total",
            "HTTP connections that the gateway ended by itself, by reason: `head_late`, "
            "`head_too_large`, `body_late`, `body_unwanted`, `answer_not_read`, `idle`, "
            "`made_way` for a new one, `no_room`.",
            ("reason",),
            registry=registry,
        )
        self._api_keys = Gauge(
            "diptych_gateway_api_keys",
            "API keys that are loaded.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._keys_reloads = Counter(
            "diptych_gateway_api_keys_reloads_total",
            "Changes of the keys file, by outcome: `loaded`, or `refused` and the old keys go on.",
            ("outcome",),
            registry=registry,
        )
        self._access_refusals = Counter(
            "diptych_gateway_access_refusals_total",
            "Requests and messages refused for want of a good key or of a scope, by the problem's "
            "code.",
            ("code",),
            registry=registry,
        )
        self._triton_up = Gauge(
            "diptych_gateway_triton_up",
            "1 when any Triton was found ready at the last look, else 0.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._refreshed = Gauge(
            "diptych_gateway_catalog_refreshed_timestamp_seconds",
            "When the catalog was last read, in seconds since the epoch.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        variants = Gauge(
            "diptych_gateway_variant_info",
            "1 for each variant that is routed, with the digest that serves.",
            ("variant", "digest"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        refused = Gauge(
            "diptych_gateway_refused_ensembles",
            "Ensembles that Triton serves and the gateway does not route to, by reason.",
            ("reason",),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._workers = Gauge(
            "diptych_gateway_workers",
            "Processes that serve.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._worker_starts = Counter(
            "diptych_gateway_worker_starts_total",
            "Starts of processes that serve; more than there are workers: some were replaced.",
            registry=registry,
        )
        self._variants = ShownGauge(variants)
        self._refused = ShownGauge(refused)
        self._request_children: dict[tuple[str, str, str, str], Counter] = {}
        self._request_s_children: dict[str, Histogram] = {}
        self._classification_children: dict[tuple[str, str, str], Counter] = {}
        self._stage_children: dict[str, Histogram] = {}
        self._refusal_children: dict[tuple[str, str], Counter] = {}
        self._batch_children: dict[str, Histogram] = {}
        self._reuse_children: dict[str, Counter] = {}

    def observe_request(
        self, route: str, variant: str, modalities: str, code: str, seconds: float
    ) -> None:
        """Counts one answered request and its time."""
        key = (route, variant, modalities, code)
        if (counter := self._request_children.get(key)) is None:
            counter = self._request_children[key] = self._requests.labels(*key)
        counter.inc()
        if (histogram := self._request_s_children.get(route)) is None:
            histogram = self._request_s_children[route] = self._request_s.labels(route)
        histogram.observe(seconds)

    def count_classification(self, variant: str, modalities: str, outcome: str) -> None:
        """Counts one classification by its outcome."""
        key = (variant, modalities, outcome)
        if (counter := self._classification_children.get(key)) is None:
            counter = self._classification_children[key] = self._classifications.labels(*key)
        counter.inc()

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Adds the time of one stage."""
        if (histogram := self._stage_children.get(stage)) is None:
            histogram = self._stage_children[stage] = self._stage_s.labels(stage)
        histogram.observe(seconds)

    def observe_batch_size(self, encoder: str, items: int) -> None:
        """Adds the size of the encoder batch that one classification was part of."""
        if (histogram := self._batch_children.get(encoder)) is None:
            histogram = self._batch_children[encoder] = self._batch_size.labels(encoder)
        histogram.observe(items)

    def count_input_fault(self, code: str) -> None:
        """Counts one input that was refused."""
        self._input_faults.labels(self._fault_code(code)).inc()

    def count_image_fetch(self, outcome: str) -> None:
        """Counts one image that was to be fetched by URL."""
        self._image_fetches.labels(outcome).inc()

    def set_in_flight(self, count: int) -> None:
        """Sets the number of requests in flight."""
        self._in_flight.set(count)

    def set_concurrency_limit(self, limit: int) -> None:
        """Sets how many classifications may be in flight."""
        self._concurrency_limit.set(limit)

    def count_refusal(self, reason: str, priority: str) -> None:
        """Counts one request that was refused at arrival."""
        key = (reason, priority)
        if (counter := self._refusal_children.get(key)) is None:
            counter = self._refusal_children[key] = self._refusals.labels(*key)
        counter.inc()

    def count_reuse(self, event: str, count: int = 1) -> None:
        """Counts answers that were reused or were not, and those that had to go."""
        if (counter := self._reuse_children.get(event)) is None:
            counter = self._reuse_children[event] = self._reuse.labels(event)
        counter.inc(count)

    def set_answer_cache_bytes(self, size_bytes: int) -> None:
        """Sets what cached answers take."""
        self._answer_cache_bytes.set(size_bytes)

    def set_connections(self, count: int) -> None:
        """Sets how many HTTP connections are open."""
        self._connections.set(count)

    def count_connection_end(self, reason: str) -> None:
        """Counts one HTTP connection that the gateway ended."""
        self._connection_ends.labels(reason).inc()

    def set_api_keys(self, count: int) -> None:
        """Sets how many API keys are loaded."""
        self._api_keys.set(count)

    def count_keys_reload(self, *, is_refused: bool) -> None:
        """Counts a change of the keys file."""
        self._keys_reloads.labels("refused" if is_refused else "loaded").inc()

    def count_access_refusal(self, code: str) -> None:
        """Counts one request that came without the key or the scope it needs."""
        self._access_refusals.labels(code).inc()

    def count_worker_start(self) -> None:
        """Counts this process among those that serve."""
        self._workers.set(1)
        self._worker_starts.inc()

    def set_triton_up(self, is_up: bool) -> None:
        """Says whether any Triton is ready."""
        self._triton_up.set(1 if is_up else 0)

    def set_catalog(
        self, variants: Mapping[str, str], refusals: Iterable[str], refreshed_s: float
    ) -> None:
        """Shows a catalog that was just read.

        Args:
            variants: digest by name of the variants that are routed.
            refusals: the reason of each ensemble that is not.
            refreshed_s: now, in seconds since the epoch.
        """
        self._variants.show(dict.fromkeys(variants.items(), 1))
        self._refused.show(Counts((reason,) for reason in refusals))
        self._refreshed.set(refreshed_s)
