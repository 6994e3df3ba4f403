"""The settings of traffic over variants; `environment` reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, SecretStr, field_validator

_DATABASE_SCHEMES: Final = ("sqlite:///", "postgresql://")


class TrafficSettings(BaseModel):
    """Which variant answers: the default, experiments, and the database that they are in."""

    default_variant: str | None = Field(
        None,
        description="Variant that answers requests that name none; unset: the newest one.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="Database of experiments and audit: `sqlite:///path` for one replica, "
        "`postgresql://user:password@host/name` for several; unset: none, which classifying does "
        "not need.",
    )
    experiments_file: Path | None = Field(
        None,
        description="File of experiments and shadows, in TOML; followed without a restart; unset: "
        "those of the database alone.",
    )
    experiments_refresh_s: float = Field(
        2.0,
        gt=0,
        le=300,
        description="Time between two looks at the file and the database, in seconds.",
    )

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _has_database(url.get_secret_value()):
            # The value may hold a password: it is not repeated.
            raise ValueError("must be sqlite:///path or postgresql://user:password@host/name")
        return url


def _has_database(url: str) -> bool:
    # `sqlite:///` alone would be a database in memory, which two connections do not share.
    return any(url.startswith(scheme) and url != scheme for scheme in _DATABASE_SCHEMES)
