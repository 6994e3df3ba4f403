"""Who is reached from where."""

from __future__ import annotations

from tests.deploy.helm.rendered import chart, only


def test_triton_takes_grpc_from_the_gateway_and_metrics_from_monitoring() -> None:
    grpc, metrics = only(chart(), "NetworkPolicy", "-triton")["spec"]["ingress"]

    assert grpc["ports"] == [{"port": "grpc"}]
    (peer,) = grpc["from"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"
    assert metrics["ports"] == [{"port": "metrics"}]
    assert "namespaceSelector" in metrics["from"][0]


def test_triton_reaches_nothing_unless_it_fetches_models() -> None:
    assert only(chart(), "NetworkPolicy", "-triton")["spec"]["egress"] == []
    *_, store = only(chart("s3"), "NetworkPolicy", "-triton")["spec"]["egress"]
    assert store == {"ports": [{"port": 9000}]}


def test_gateway_is_open_until_values_say_who_may_reach_it() -> None:
    (everybody,) = only(chart(), "NetworkPolicy", "-gateway")["spec"]["ingress"]
    callers, prometheus = only(chart("closed-network"), "NetworkPolicy", "-gateway")["spec"][
        "ingress"
    ]

    assert "from" not in everybody
    # The release's own test is let in, and Prometheus to where metrics are.
    assert len(callers["from"]) == 2
    assert prometheus["ports"] == [{"port": "http"}]


def test_gateway_reaches_public_addresses_only_where_images_come_by_url() -> None:
    ports = [
        port["port"]
        for rule in only(chart("experiments"), "NetworkPolicy", "-gateway")["spec"]["egress"]
        for port in rule["ports"]
    ]
    without = str(only(chart(), "NetworkPolicy", "-gateway")["spec"]["egress"])

    assert 443 in ports
    assert "443" not in without


def test_no_policy_is_left_where_they_are_switched_off() -> None:
    assert not list(chart("open-network").of_kind("NetworkPolicy"))


def test_services_of_triton_are_headless_and_hide_its_http() -> None:
    service = only(chart(), "Service", "-triton-cpu")["spec"]

    assert service["clusterIP"] == "None"
    assert [port["port"] for port in service["ports"]] == [8001, 8002]


def test_ingress_publishes_the_api_and_grpc_on_a_host_of_its_own() -> None:
    rest, grpc = chart("ingress").of_kind("Ingress")

    assert rest["spec"]["rules"][0]["http"]["paths"][0]["path"] == "/v1/"
    annotations = grpc["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "GRPC"
    assert grpc["spec"]["rules"][0]["host"] == "classify-grpc.example.com"


def test_gateway_api_routes_lead_to_rest_and_grpc() -> None:
    http = only(chart("gateway-api"), "HTTPRoute", "-gateway")["spec"]
    grpc = only(chart("gateway-api"), "GRPCRoute", "-gateway")["spec"]

    assert http["rules"][0]["backendRefs"][0]["port"] == 8080
    assert grpc["rules"][0]["backendRefs"][0]["port"] == 8081
    assert grpc["rules"][0]["matches"][0]["method"]["service"] == "diptych.v1.Classifier"
    assert http["parentRefs"] == grpc["parentRefs"]
