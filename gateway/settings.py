"""All settings of the gateway, read once from the environment at the entry point.

Each field is an environment variable: `http_port` is `DIPTYCH_GATEWAY_HTTP_PORT`. An unknown
variable with that prefix is refused: a misspelt setting must not silently keep its default.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.allowed_hosts import AllowedHosts
from gateway.placement import PoolName
from gateway.start_errors import SettingsError
from gateway.suggestion import did_you_mean
from gateway.triton_target import TritonTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX: Final = "DIPTYCH_GATEWAY_"
_LEAST_WINDOW_ITEMS: Final = 100
_DATABASE_SCHEMES: Final = ("sqlite:///", "postgresql://")

Port = Annotated[int, Field(ge=0, le=65_535)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Endpoints = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What an operator can set."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

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
    triton_grpc_url: str = Field(
        "127.0.0.1:8001",
        min_length=1,
        description="Triton's gRPC address: `host:port`, or `dns:///name:port` for a server "
        "at each address behind a name.",
    )
    triton_gpu_endpoints: Endpoints = Field(
        (),
        description="Tritons of the GPU pool, by comma, each as above; they are asked first.",
    )
    triton_cpu_endpoints: Endpoints = Field(
        (),
        description="Tritons of the CPU pool, which the GPU pool falls back to and spills into. "
        "When either pool is named, `TRITON_GRPC_URL` is not used.",
    )
    endpoint_lookup_s: float = Field(
        5.0, gt=0, le=300, description="Time between two look-ups of the names, in seconds."
    )
    default_variant: str | None = Field(
        None,
        description="Variant that answers requests that name none; unset: the newest one.",
    )
    max_image_bytes: int = Field(
        10 * 1024 * 1024, ge=1024, description="Largest image file, in bytes."
    )
    max_text_chars: int = Field(4096, ge=1, description="Longest text, in Unicode characters.")
    image_url_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts that `image_url` may name, with commas: `images.example.com`, or "
        "`*.example.com` for all below; empty: images by URL are off.",
    )
    image_url_max_redirects: int = Field(
        3,
        ge=0,
        le=10,
        description="Most redirects of one `image_url`, each checked like the first.",
    )
    image_url_concurrency: int = Field(
        32, ge=1, description="Most images fetched by URL at a time; further ones are refused."
    )
    max_top_k: int = Field(100, ge=1, description="Largest `top_k` of a request.")
    max_batch_items: int = Field(
        32, ge=1, le=1024, description="Most items of one `/v1/classify:batch` request."
    )
    max_batch_body_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024,
        description="Largest body of one `/v1/classify:batch` request, in bytes.",
    )
    max_labels: int = Field(
        256, ge=2, le=4096, description="Most labels of one request or of one label set."
    )
    max_label_chars: int = Field(
        200,
        ge=1,
        le=4096,
        description="Longest label, and longest prompt template, in Unicode characters.",
    )
    max_prompt_templates: int = Field(
        8, ge=1, le=64, description="Most prompt templates of one request or of one label set."
    )
    max_label_sets: int = Field(100, ge=1, description="Most label sets that are registered.")
    label_cache_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024 * 1024,
        description="Memory for embeddings of labels, in bytes; one takes about 3 KB.",
    )
    max_concurrency: int = Field(
        4096,
        ge=1,
        description="Bound of the adaptive limit of classifications in flight, REST and gRPC "
        "together.",
    )
    max_stream_concurrency: int = Field(
        16, ge=1, description="Most messages of one gRPC stream in flight; further ones wait."
    )
    has_coalescing: bool = Field(
        True, description="Whether equal requests in flight are answered by one computation."
    )
    answer_cache_bytes: int = Field(
        0,
        ge=0,
        description="Memory for answers that are given again to equal requests, in bytes; 0: none "
        "are kept.",
    )
    answer_cache_ttl_s: float = Field(
        300.0, gt=0, description="Longest time that an answer is kept, in seconds."
    )
    has_shared_answers: bool = Field(
        False,
        description="Whether an answer computed for one caller may be given to another; how soon "
        "it comes then tells that somebody asked the same.",
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
    request_budget_ms: float = Field(
        500.0,
        gt=0,
        le=600_000,
        description="Longest time from the first byte of a request to its answer, in milliseconds; "
        "callers may ask for less with `Diptych-Deadline-Ms`.",
    )
    batch_budget_ms: float = Field(
        10_000.0,
        gt=0,
        le=600_000,
        description="The same for a whole `/v1/classify:batch` request, in milliseconds.",
    )
    catalog_refresh_s: float = Field(
        2.0, gt=0, le=300, description="Time between two looks at Triton's repository, in seconds."
    )
    database_url: SecretStr | None = Field(
        None,
        description="Database of experiments and audit: `sqlite:///path` for one replica, "
        "`postgresql://user:password@host/name` for several; unset: none, which classifying does "
        "not need.",
    )
    receipt_keys_file: Path | None = Field(
        None,
        description="File of the keys that sign prediction ids, read again when it changes; unset: "
        "keys that end with the process, for one replica.",
    )
    feedback_max_age_days: int = Field(
        30, ge=1, le=3650, description="Oldest prediction that feedback is taken for, in days."
    )
    max_feedback_items: int = Field(
        256, ge=1, le=4096, description="Most items of one `/v1/feedback:batch` request."
    )
    max_feedback_waiting: int = Field(
        4096,
        ge=1,
        description="Most labels that wait for the database at a time; further ones are refused.",
    )
    feedback_figures_days: float = Field(
        7.0,
        gt=0,
        le=3650,
        description="How far back predictions count in the metrics of quality, in days.",
    )
    feedback_figures_refresh_s: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="Time between two computations of these metrics, in seconds.",
    )
    brown_out_max_calibration_error: Ratio | None = Field(
        None,
        description="When set, a request with both inputs whose caller allows it may be answered "
        "from one under overload, where the variant's report gives that input an expected "
        "calibration error of at most this.",
    )
    brown_out_max_accuracy_loss: Ratio = Field(
        0.05,
        description="Most that the accuracy of that input may be below that of both, 0 to 1.",
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
    drift_window_items: int = Field(
        500,
        ge=0,
        le=10_000,
        description="Most answers of a window that drift is judged by, each process for itself; "
        "0: drift is not watched.",
    )
    drift_window_s: float = Field(
        600.0,
        gt=0,
        le=86_400,
        description="Length of such a window, in seconds; one with less than 100 answers goes on.",
    )
    capture_folder: Path | None = Field(
        None,
        description="Folder that features of drawn answers are kept in, for retraining; unset: "
        "nothing is kept.",
    )
    capture_ratio: Ratio = Field(
        0.05, description="Share of all answers that are captured, 0 to 1."
    )
    capture_low_confidence_ratio: Ratio = Field(
        0.2, description="Share of the answers of low confidence that are captured, 0 to 1."
    )
    capture_low_confidence_below: Ratio = Field(
        0.5, description="Confidence below which an answer is one of low confidence."
    )
    capture_disagreement_ratio: Ratio = Field(
        1.0,
        description="Share of the answers to which a shadow gave another label that are captured.",
    )
    capture_max_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=1024 * 1024,
        description="Largest size of the folder, in bytes; the oldest day goes first.",
    )
    capture_max_days: int = Field(
        90, ge=1, le=3650, description="Age at which a captured day is removed, in days."
    )
    capture_flush_s: float = Field(
        60.0,
        gt=0,
        le=600,
        description="Longest time that captured rows are only in memory, in seconds: what a killed "
        "process loses.",
    )
    has_captured_inputs: bool = Field(
        False,
        description="Whether captured rows hold the images and texts themselves, not their "
        "features alone.",
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
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log event that is written."
    )
    access_log_success_ratio: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the requests that went well that the log shows; of the others it "
        "shows all but refusals, which are most under overload.",
    )
    has_tracing: bool = Field(
        False,
        description="Whether requests are traced with OpenTelemetry, which the extra `tracing` "
        "brings; what is sampled and where it goes, the standard `OTEL_*` variables say.",
    )

    @field_validator("drift_window_items")
    @classmethod
    def _is_judgeable(cls, items: int) -> int:
        if 0 < items < _LEAST_WINDOW_ITEMS:
            raise ValueError(f"must be 0, or {_LEAST_WINDOW_ITEMS} or more")
        return items

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _has_database(url.get_secret_value()):
            # The value may hold a password: it is not repeated.
            raise ValueError("must be sqlite:///path or postgresql://user:password@host/name")
        return url

    @field_validator(
        "triton_gpu_endpoints", "triton_cpu_endpoints", "image_url_hosts", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(address for part in value.split(",") if (address := part.strip()))
        return value

    @field_validator("triton_grpc_url", "triton_gpu_endpoints", "triton_cpu_endpoints")
    @classmethod
    def _check_addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (value,) if isinstance(value, str) else value:
            TritonTarget.parse(address)
        return value

    @field_validator("image_url_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHosts.of(value)
        return value

    @property
    def pools(self) -> dict[PoolName, tuple[TritonTarget, ...]]:
        """The Tritons of each pool; pools without any are left out."""
        named = {
            PoolName.GPU: self.triton_gpu_endpoints,
            PoolName.CPU: self.triton_cpu_endpoints,
        }
        if not any(named.values()):
            named = {PoolName.DEFAULT: (self.triton_grpc_url,)}
        return {
            name: tuple(map(TritonTarget.parse, addresses))
            for name, addresses in named.items()
            if addresses
        }


def _has_database(url: str) -> bool:
    # `sqlite:///` alone would be a database in memory, which two connections do not share.
    return any(url.startswith(scheme) and url != scheme for scheme in _DATABASE_SCHEMES)


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
