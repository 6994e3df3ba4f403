"""The routes of the pages, and of the samples that they show."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from gateway.api.pages.files import PAGE_PATHS, page_files
from gateway.api.pages.gallery import Sample, find_image, read_gallery
from gateway.api.security_headers import page_headers

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES_PATH: Final = "/v1/samples"


class SampleAnswer(BaseModel):
    """An example to try a variant with."""

    model_config = ConfigDict(extra="forbid")

    variant: str
    image: Annotated[str, Field(description="Name of its image; see /v1/samples/{variant}/{name}.")]
    text: str
    label: Annotated[str, Field(description="What it really is.")]
    labels: Annotated[
        list[str], Field(description="What to classify it into; empty: the variant's own labels.")
    ]


class SamplesAnswer(BaseModel):
    """All examples, by variant."""

    model_config = ConfigDict(extra="forbid")

    samples: list[SampleAnswer]


class PagesApi:
    """The endpoints, and what they need.

    Args:
        samples_folder: of the gallery, or None without one.
    """

    def __init__(self, samples_folder: Path | None) -> None:
        self._folder = samples_folder

    def routes(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(tags=["pages"])
        for path in sorted(PAGE_PATHS):
            router.add_api_route(path, self.file, include_in_schema=False)
        router.add_api_route(
            SAMPLES_PATH,
            self.samples,
            summary="Examples to try the service with",
            response_model=None,
            responses={200: {"model": SamplesAnswer}},
        )
        router.add_api_route(
            SAMPLES_PATH + "/{variant}/{name}",
            self.image,
            summary="The image of an example",
            response_model=None,
            response_class=Response,
            responses={
                200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
                404: {"description": "No example has this image"},
            },
        )
        return router

    async def file(self, request: Request) -> Response:
        """A page, or a file that a page is made of."""
        return page_files()[request.scope["path"]].response(request.headers.get("if-none-match"))

    async def samples(self) -> Response:
        """What the operator's folder of samples holds; nothing where there is none."""
        found = [] if self._folder is None else await asyncio.to_thread(read_gallery, self._folder)
        answer = {"samples": [_sample(each) for each in found]}
        return Response(
            json.dumps(answer, ensure_ascii=False).encode(), media_type="application/json"
        )

    async def image(self, variant: str, name: str) -> Response:
        """The file as it lies in the folder."""
        content = None
        if self._folder is not None:
            content = await asyncio.to_thread(_read_image, self._folder, variant, name)
        if content is None:
            raise HTTPException(404, f"No sample has this image; {SAMPLES_PATH} lists them.")
        media_type, image = content
        headers = {"cache-control": "private, max-age=300", **page_headers("sandbox")}
        return Response(image, media_type=media_type, headers=headers)


def _read_image(folder: Path, variant: str, name: str) -> tuple[str, bytes] | None:
    sample = find_image(folder, variant, name)
    if sample is None:
        return None
    try:
        return sample.media_type, sample.image.read_bytes()
    except OSError:  # it was taken away since it was found
        return None


def _sample(sample: Sample) -> dict[str, object]:
    return {
        "variant": sample.variant,
        "image": sample.image.name,
        "text": sample.text,
        "label": sample.label,
        "labels": list(sample.labels),
    }
