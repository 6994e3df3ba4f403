from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from gateway.telemetry.metrics import Metrics


def test_input_fault_codes_are_bounded() -> None:
    metrics = Metrics(CollectorRegistry())
    for number in range(500):
        metrics.count_input_fault(f"code_{number}")
    text = generate_latest(metrics.registry).decode()
    assert text.count("diptych_gateway_input_faults_total{") <= 65
    assert 'diptych_gateway_input_faults_total{code="other"} 436.0' in text


def test_set_catalog_forgets_what_is_gone() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.set_catalog({"old": "d1"}, ["superseded", "superseded"], 1.0)
    metrics.set_catalog({"new": "d2"}, [], 2.0)
    text = generate_latest(metrics.registry).decode()
    assert 'diptych_gateway_variant_info{digest="d2",variant="new"} 1.0' in text
    assert 'variant="old"' not in text
    assert 'reason="superseded"' not in text


def test_every_gauge_says_how_workers_values_make_the_pods() -> None:
    # The default, `all`, would be one series a worker, of dead ones too.
    registry = Metrics(CollectorRegistry()).registry
    gauges = {each for each in registry._names_to_collectors.values() if isinstance(each, Gauge)}
    assert gauges
    assert [each._name for each in gauges if not each._multiprocess_mode.startswith("live")] == []
