from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.settings import Settings, describe_settings, env_name, load_settings
from gateway.start_errors import SettingsError


def test_load_settings_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_GATEWAY_HTTP_PORT", "9000")
    settings = load_settings({"DIPTYCH_GATEWAY_HTTP_PORT": "9000", "OTHER": "x"})
    assert settings.http_port == 9000


def test_load_settings_unknown_key_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="'DIPTYCH_GATEWAY_MAX_IMAGE_BYTES'"):
        load_settings({"DIPTYCH_GATEWAY_MAX_IMAGE_BYTE": "1"})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().http_port = 1  # type: ignore[misc]


def test_describe_settings_names_every_setting() -> None:
    table = describe_settings()
    for name, field in Settings.model_fields.items():
        assert env_name(name) in table
        assert field.description is not None
        assert field.description in table
