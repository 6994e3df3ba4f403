"""Chooses the variant that answers: the one asked for, else the default, else the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import UnknownVariantError, VariantUnavailableError
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from gateway.catalog import Catalog, Variant


def choose_variant(catalog: Catalog, requested: str | None, default: str | None) -> Variant:
    """Chooses a variant.

    Args:
        catalog: what is served now.
        requested: the name that the request gives, or None.
        default: the name in the settings for requests that give none, or None.

    Returns:
        The variant: never another than the one asked for.

    Raises:
        UnknownVariantError: the request names a variant that does not exist.
        VariantUnavailableError: the variant exists or is the default, but is not served now;
            or nothing is served.
    """
    if not catalog.variants:
        raise VariantUnavailableError("No variant is served at the moment; try again later.")
    name = requested or default
    if name is None:
        return max(
            catalog.variants.values(), key=lambda each: (each.created_at.timestamp(), each.name)
        )
    if variant := catalog.variants.get(name):
        return variant
    if requested is None or catalog.is_known(name):
        raise VariantUnavailableError
    raise UnknownVariantError(
        "variant_unknown",
        f"No variant of that name is served. {did_you_mean(name, catalog.variants)}",
        field="variant",
    )
