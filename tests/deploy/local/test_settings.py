from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.local.errors import SettingsError
from deploy.local.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in os.environ if key.startswith("DIPTYCH_LOCAL_")]:
        monkeypatch.delenv(key)


def test_load_settings_option_wins_over_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_LOCAL_GATEWAY_HTTP_PORT", "9000")
    monkeypatch.setenv("DIPTYCH_LOCAL_WORKSPACE", "elsewhere")

    settings = load_settings(os.environ, gateway_http_port=9001, workspace=None)

    assert settings.gateway_http_port == 9001
    assert settings.workspace == Path("elsewhere")


def test_load_settings_unknown_key_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_LOCAL_GATEWAY_PORT", "9000")

    with pytest.raises(SettingsError, match="Did you mean DIPTYCH_LOCAL_GATEWAY_"):
        load_settings(os.environ)


def test_load_settings_bad_value_names_setting_value_and_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIPTYCH_LOCAL_TRITON_GRPC_PORT", "70000")

    with pytest.raises(SettingsError, match=r"TRITON_GRPC_PORT=70000: .*65535"):
        load_settings(os.environ)


def test_load_settings_variants_are_split_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_LOCAL_VARIANTS", "openmoji, stamps@0123ab")

    assert load_settings(os.environ).variants == ("openmoji", "stamps@0123ab")


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8080"), ("0.0.0.0", "http://127.0.0.1:8080")],  # noqa: S104  # never bound
)
def test_gateway_url_is_one_that_a_client_here_can_use(host: str, url: str) -> None:
    assert Settings(host=host).gateway_url == url


def test_settings_each_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
