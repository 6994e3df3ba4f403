"""The metrics of labels that come with a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class ZeroShotMetrics:
    """Where the embeddings of labels come from.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._prompts = Counter(
            "diptych_gateway_label_prompts_total",
            "Labels within a prompt that a classification needed, by how it came to their "
            "embedding: `cached`, `computed`, or `joined` (another request was computing it).",
            ("variant", "source"),
            registry=registry,
        )
        self._cache_bytes = Gauge(
            "diptych_gateway_label_cache_bytes",
            "Memory that embeddings of labels take.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def count_label_prompts(self, variant: str, source: str, count: int = 1) -> None:
        """Counts prompts by where their embedding came from."""
        self._prompts.labels(variant, source).inc(count)

    def set_label_cache_bytes(self, size_bytes: int) -> None:
        """Shows how full the cache is."""
        self._cache_bytes.set(size_bytes)
