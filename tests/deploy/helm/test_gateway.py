"""What the chart makes of the gateway."""

from __future__ import annotations

import pytest
import yaml

from deploy.helm.chart import value_files
from deploy.helm.foreign_schemas import SET_BY_CHART
from gateway.placement import PoolName
from gateway.settings import ENV_PREFIX, Settings, env_name, load_settings
from tests.deploy.helm.rendered import chart, environment, only, pod_spec


@pytest.mark.parametrize(
    "feature", ["default", "pools", "experiments", "database", "feedback", "gpu-only", "retraining"]
)
def test_gateway_accepts_the_environment_that_it_is_given(
    feature: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = environment(chart(feature))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    settings = load_settings(variables)

    assert settings.http_host == settings.grpc_host == "0.0.0.0"  # noqa: S104
    assert settings.pools


def test_gateway_asks_the_gpu_pool_first_and_knows_both_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = environment(chart("pools"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    pools = load_settings(variables).pools

    assert list(pools) == [PoolName.GPU, PoolName.CPU]
    (gpu,), (cpu,) = pools.values()
    assert (gpu.host, gpu.port, gpu.is_name) == ("demo-diptych-triton-gpu", 8001, True)
    assert (cpu.host, cpu.port, cpu.is_name) == ("demo-diptych-triton-cpu", 8001, True)


def test_gateway_is_given_every_setting_of_values_as_text() -> None:
    variables = environment(chart("experiments"))

    assert variables["DIPTYCH_GATEWAY_REQUEST_BUDGET_MS"] == "400"
    assert variables["DIPTYCH_GATEWAY_HAS_COALESCING"] == "false"


def test_gateway_is_given_large_numbers_in_digits() -> None:
    variables = environment(chart("retraining"))

    assert variables["DIPTYCH_GATEWAY_CAPTURE_MAX_BYTES"] == "10737418240"


@pytest.mark.parametrize("feature", ["default", "pools", "experiments", "feedback", "retraining"])
def test_settings_that_the_chart_sets_itself_are_not_for_values(feature: str) -> None:
    (container,) = pod_spec(chart(feature), "-gateway")["containers"]
    values = yaml.safe_load(value_files()[feature].read_text(encoding="utf-8")) or {}
    named = values.get("gateway", {}).get("settings", {})

    names = {each["name"] for each in container["env"]} - {env_name(name) for name in named}

    assert {name for name in names if name.startswith(ENV_PREFIX)} <= set(
        map(env_name, SET_BY_CHART)
    )
    assert set(Settings.model_fields) >= SET_BY_CHART


def test_gateway_reads_keys_from_an_existing_secret() -> None:
    spec = pod_spec(chart(), "-gateway")

    volumes = {each["name"]: each for each in spec["volumes"]}
    assert volumes["api-keys"]["secret"]["secretName"] == "diptych-api-keys"


def test_gateway_takes_the_database_url_from_a_secret_alone() -> None:
    (container,) = pod_spec(chart("database"), "-gateway")["containers"]

    (variable,) = (e for e in container["env"] if e["name"] == "DIPTYCH_GATEWAY_DATABASE_URL")
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "diptych-database", "key": "url"}


def test_gateway_of_several_replicas_signs_with_keys_of_a_secret() -> None:
    found = chart("feedback")

    volumes = {each["name"]: each for each in pod_spec(found, "-gateway")["volumes"]}
    assert volumes["receipts"]["secret"]["secretName"] == "diptych-receipt-keys"
    file = environment(found)["DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE"]
    assert file == "/etc/diptych/receipts/receipt-keys.toml"


def test_gateway_sends_traces_where_the_values_say_and_may_reach_it() -> None:
    found = chart("feedback")

    assert environment(found)["OTEL_EXPORTER_OTLP_ENDPOINT"].endswith(":4317")
    egress = only(found, "NetworkPolicy", "-gateway")["spec"]["egress"]
    assert {"ports": [{"port": 4317}]} in egress


def test_migrations_run_before_the_gateway_is_upgraded() -> None:
    job = only(chart("database"), "Job", "-migrations")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "gateway.storage", "upgrade"]


def test_no_migration_runs_where_there_is_no_database_or_somebody_else_does_it() -> None:
    assert not list(chart().of_kind("Job"))
    assert not list(chart("database-migrated-elsewhere").of_kind("Job"))


def test_a_change_of_experiments_renews_no_pod() -> None:
    before = chart("experiments")
    after = chart("experiments", 'gateway.experiments="# none any more"')

    assert only(before, "Deployment", "-gateway") == only(after, "Deployment", "-gateway")
    assert only(before, "ConfigMap", "-experiments") != only(after, "ConfigMap", "-experiments")


def test_every_value_file_of_ci_says_in_its_first_line_what_it_is_for() -> None:
    wordless = [
        name
        for name, path in value_files().items()
        if not path.read_text(encoding="utf-8").startswith("# ")
    ]

    assert wordless == []
