"""The settings of how the gateway is served; `environment` reads them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from gateway.settings.kinds import Port


class ServingSettings(BaseModel):
    """Where the gateway listens, who may ask, how connections live and end, and its pages."""

    http_host: str = Field("127.0.0.1", description="Address that the HTTP server binds.")
    http_port: Port = Field(8080, description="Port of the HTTP server; 0 takes a free one.")
    grpc_host: str = Field("127.0.0.1", description="Address that the gRPC server binds.")
    grpc_port: Port = Field(8081, description="Port of the gRPC server; 0 takes a free one.")
    api_keys_file: Path | None = Field(
        None,
        description="File of API keys, read again when it changes; unset: no keys, and only "
        "loopback may be bound.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that serve side by side on the same ports; limits and metrics are "
        "those of all together.",
    )
    max_connections: int = Field(
        4096,
        ge=1,
        description="Most HTTP connections at a time; a new one then takes the place of the one "
        "that has waited longest for a request.",
    )
    max_head_bytes: int = Field(
        16 * 1024, ge=1024, description="Longest request line and headers together, in bytes."
    )
    receive_timeout_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Longest time until the head of a request is complete, or its answer is read, "
        "in seconds; until its body is, the budget of a batch is added.",
    )
    idle_timeout_s: float = Field(
        75.0,
        gt=0,
        le=3600,
        description="How long a connection is kept open without a request, in seconds; longer than "
        "a balancer in front keeps it.",
    )
    drain_delay_s: float = Field(
        0.5,
        ge=0,
        le=300,
        description="Time between readiness going off and no longer accepting, in seconds.",
    )
    drain_timeout_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Longest time that requests in flight are waited for at shutdown, in seconds.",
    )
    has_pages: bool = Field(
        True,
        description="Whether `/` and `/experiments` are served: pages for people, open to everyone "
        "and empty without a key where keys are needed.",
    )
    samples_folder: Path | None = Field(
        None,
        description="Folder of examples that the page offers: in it one folder a variant, with "
        "`sample.json` and images, as the exporters leave them; unset: none.",
    )
