"""All settings of the launcher, read once at the entry point.

Each field is an environment variable (`workspace` is `DIPTYCH_LOCAL_WORKSPACE`); those that are
wanted often are options of `up` too, and an option wins. An unknown variable with the prefix is
refused: a misspelt setting must not silently keep its default.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deploy.local.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX: Final = "DIPTYCH_LOCAL_"

Port = Annotated[int, Field(ge=1, le=65_535)]


class Settings(BaseSettings):
    """What a user can set."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1",
        description="Address that the gateway listens on. Triton always stays on loopback: loading "
        "a model is running code.",
    )
    gateway_http_port: Port = Field(8080, description="Port of the gateway's REST API.")
    gateway_grpc_port: Port = Field(8081, description="Port of the gateway's gRPC API.")
    triton_http_port: Port = Field(8000, description="Port of Triton's HTTP API.")
    triton_grpc_port: Port = Field(8001, description="Port of Triton's gRPC API.")
    triton_metrics_port: Port = Field(8002, description="Port of Triton's Prometheus metrics.")
    model_repository: Path = Field(
        Path("model_repository"), description="Folder that the exporters publish into."
    )
    workspace: Path = Field(
        Path(".diptych"), description="Folder of all that is made here: state, logs, samples."
    )
    variants: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Variants to serve, by comma, each as `name` (its newest digest) or "
        "`name@digest` (the first characters do); unset: all, each in its newest digest.",
    )
    ready_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="Longest time until both are ready, in seconds."
    )
    stop_grace_s: float = Field(
        35.0,
        gt=0,
        le=3600,
        description="Longest time that the gateway may take to stop before it is killed, in "
        "seconds; more than its own drain.",
    )
    backoff_first_s: float = Field(
        0.5, ge=0, le=60, description="Pause before the first restart of what died, in seconds."
    )
    backoff_max_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Longest pause: it doubles with each death in a row, in seconds.",
    )

    has_tracing: bool = Field(
        False,
        description="Whether the gateway and Triton send OpenTelemetry traces; the standard "
        "`OTEL_*` variables say where the gateway's go.",
    )
    triton_trace_url: str = Field(
        "http://127.0.0.1:4318/v1/traces",
        min_length=1,
        description="Where Triton's spans go: OTLP over HTTP, the only way it sends them.",
    )

    @field_validator("variants", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name for part in value.split(",") if (name := part.strip()))
        return value

    @property
    def reachable_host(self) -> str:
        """An address at which a client on this machine finds the gateway."""
        return "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104  # compared

    @property
    def gateway_url(self) -> str:
        """The gateway's REST API, without a path."""
        return f"http://{self.reachable_host}:{self.gateway_http_port}"

    @property
    def local_folder(self) -> Path:
        """Where the launcher keeps state and logs."""
        return self.workspace / "local"

    @property
    def triton_runtime_folder(self) -> Path:
        """Where the bundled Triton's backend is laid out."""
        return self.local_folder.absolute() / "triton-runtime"


def env_name(field: str) -> str:
    """Returns the environment variable of a field of `Settings`."""
    return ENV_PREFIX + field.upper()


def load_settings(environ: Mapping[str, str], **options: Any) -> Settings:  # noqa: ANN401  # checked by pydantic
    """Reads and checks all settings.

    Args:
        environ: the process's environment. It is looked through for unknown keys; the values are
            read by pydantic-settings.
        options: fields given on the command line; None means not given.

    Raises:
        SettingsError: a variable is unknown or a value is not acceptable.
    """
    known = {env_name(field) for field in Settings.model_fields}
    faults = [
        f"{key} is not a setting.{_did_you_mean(key, known)}"
        for key in sorted(environ)
        if key.startswith(ENV_PREFIX) and key not in known
    ]
    try:
        settings = Settings(**{name: given for name, given in options.items() if given is not None})
    except ValidationError as error:
        faults += [
            f"{env_name(str(fault['loc'][0]))}={fault['input']}: {fault['msg']}."
            for fault in error.errors()
        ]
        raise SettingsError(faults) from error
    if faults:
        raise SettingsError(faults)
    return settings


def _did_you_mean(key: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return f" Did you mean {nearest[0]}?"
