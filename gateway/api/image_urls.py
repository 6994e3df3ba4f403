"""Turns an item that names its image by URL into one that holds it; REST and gRPC alike."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.errors import GatewayError, InvalidInputError, MalformedRequestError
from gateway.remote_images.locations import FIELD
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.admission.deadline import Deadline
    from gateway.admission.ticket import Ticket
    from gateway.api.envelope import Item
    from gateway.remote_images.fetcher import ImageFetcher


class ImageUrls:
    """Fetches what items name.

    Args:
        fetcher: fetches; None: images by URL are switched off.
    """

    def __init__(self, fetcher: ImageFetcher | None) -> None:
        self._fetcher = fetcher

    async def fetch(self, item: Item, deadline: Deadline) -> Item:
        """Returns the item with its image; one without a URL as it is.

        Raises:
            MalformedRequestError: it has an image too.
            InvalidInputError: images by URL are off, or this one cannot be had.
            PayloadTooLargeError: the image is above its limit.
            OverloadedError: as many images are fetched as are allowed.
        """
        if item.image_url is None:
            return item
        if item.image is not None:
            raise MalformedRequestError(
                "image_twice", "image and image_url are both given; send one of them.", field=FIELD
            )
        if self._fetcher is None:
            raise InvalidInputError(
                "image_url_off",
                "This service fetches no images; send the image itself.",
                field=FIELD,
            )
        left_s = max(0.0, deadline.left_s(time.perf_counter()))
        with stage(names.FETCH):
            image = await self._fetcher.fetch(item.image_url, left_s)
        return replace(item, image=image, image_url=None)

    async def fetch_admitted(self, item: Item, ticket: Ticket) -> Item:
        """The same for a request that was let in: its place is another's meanwhile.

        Raises:
            AdmissionRefusedError: there is no place any more when the image is here.
        """
        if item.image_url is None:
            return item
        with ticket.aside():
            return await self.fetch(item, ticket.deadline)

    async def fetch_batch(
        self, items: Sequence[Item | GatewayError], ticket: Ticket
    ) -> list[Item | GatewayError]:
        """The same for the items of a batch, side by side; one that fails, fails alone."""
        if not any(not isinstance(item, GatewayError) and item.image_url for item in items):
            return list(items)
        with ticket.aside():
            return await asyncio.gather(*(self._try(item, ticket.deadline) for item in items))

    async def _try(self, item: Item | GatewayError, deadline: Deadline) -> Item | GatewayError:
        if isinstance(item, GatewayError):
            return item
        try:
            return await self.fetch(item, deadline)
        except GatewayError as error:
            return error
