"""All settings of the gateway, read once from the environment at the entry point.

Each field is an environment variable: `http_port` is `DIPTYCH_GATEWAY_HTTP_PORT`. An unknown
variable with that prefix is refused: a misspelt setting must not silently keep its default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.settings.admission import AdmissionSettings
from gateway.settings.feedback import FeedbackSettings
from gateway.settings.labels import LabelSettings
from gateway.settings.requests import RequestSettings
from gateway.settings.reuse import ReuseSettings
from gateway.settings.serving import ServingSettings
from gateway.settings.telemetry import TelemetrySettings
from gateway.settings.traffic import TrafficSettings
from gateway.settings.tritons import TritonSettings
from gateway.settings.watching import WatchingSettings
from gateway.start_errors import SettingsError
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX: Final = "DIPTYCH_GATEWAY_"


class Settings(
    # Groups from the last to the first: pydantic lists the fields of the last base first.
    TelemetrySettings,
    WatchingSettings,
    FeedbackSettings,
    TrafficSettings,
    ReuseSettings,
    AdmissionSettings,
    LabelSettings,
    RequestSettings,
    TritonSettings,
    ServingSettings,
    BaseSettings,
):
    """What an operator can set, a group a subject."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")


def env_name(field: str) -> str:
    """Returns the environment variable of a field of `Settings`."""
    return ENV_PREFIX + field.upper()


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Reads and checks all settings.

    Args:
        environ: the process's environment. It is looked through for unknown keys; the values are
            read by pydantic-settings.

    Returns:
        The settings, defaults filled in.

    Raises:
        SettingsError: a variable is unknown or a value is not acceptable.
    """
    known = {env_name(field) for field in Settings.model_fields}
    unknown = sorted(k for k in environ if k.startswith(ENV_PREFIX) and k.upper() not in known)
    faults = [f"{key} is not a setting. {did_you_mean(key, known)}" for key in unknown]
    try:
        settings = Settings()
    except ValidationError as error:
        faults += [f"{env_name(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError("\n".join(faults)) from error
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def describe_settings() -> str:
    """Returns the table of all settings, one a line: variable, default, description."""
    rows = [
        (env_name(name), "unset" if field.default in (None, ()) else str(field.default))
        for name, field in Settings.model_fields.items()
    ]
    name_width = max(len(name) for name, _ in rows)
    default_width = max(len(default) for _, default in rows)
    return "\n".join(
        f"  {name:<{name_width}}  {default:<{default_width}}  {field.description}"
        for (name, default), field in zip(rows, Settings.model_fields.values(), strict=True)
    )
