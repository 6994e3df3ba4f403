"""The settings of a request's size; `environment` reads them."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator

from gateway.allowed_hosts import AllowedHosts
from gateway.settings.kinds import Listed


class RequestSettings(BaseModel):
    """What one request may hold, images by URL among it."""

    max_image_bytes: int = Field(
        10 * 1024 * 1024, ge=1024, description="Largest image file, in bytes."
    )
    max_text_chars: int = Field(4096, ge=1, description="Longest text, in Unicode characters.")
    max_top_k: int = Field(100, ge=1, description="Largest `top_k` of a request.")
    max_batch_items: int = Field(
        32, ge=1, le=1024, description="Most items of one `/v1/classify:batch` request."
    )
    max_batch_body_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024,
        description="Largest body of one `/v1/classify:batch` request, in bytes.",
    )
    image_url_hosts: Listed = Field(
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

    @field_validator("image_url_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHosts.of(value)
        return value
