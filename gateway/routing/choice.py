"""Chooses the variant that answers: the one asked for, else the default, else the newest.

What is not asked for by name is of the kind that can answer: a request with labels goes to a dual
tower, one without to a classifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.contract.manifest import VariantKind
from gateway.errors import UnknownVariantError, VariantUnavailableError
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from gateway.catalog import Catalog, Variant


def choose_variant(
    catalog: Catalog,
    requested: str | None,
    default: str | None,
    kind: VariantKind = VariantKind.CLASSIFIER,
) -> Variant:
    """Chooses a variant.

    Args:
        catalog: what is served now.
        requested: the name that the request gives, or None.
        default: the name in the settings for requests that give none, or None.
        kind: of variant that can answer, for requests that give no name. Where none of that kind is
            served, another is chosen: it can say what is missing.

    Returns:
        The variant: never another than the one asked for.

    Raises:
        UnknownVariantError: the request names a variant that does not exist.
        VariantUnavailableError: the variant exists or is the default, but is not served now;
            or nothing is served.
    """
    if not catalog.variants:
        raise VariantUnavailableError("No variant is served at the moment; try again later.")
    variant = catalog.variants.get(requested or default or "")
    if variant is not None and (requested is not None or variant.kind is kind):
        return variant
    if requested is None:
        fitting = [each for each in catalog.variants.values() if each.kind is kind]
        # A default that is away is waited for, unless it could be of another kind.
        if default is None or (fitting and (variant or kind is VariantKind.DUAL_TOWER)):
            return max(
                fitting or catalog.variants.values(),
                key=lambda each: each.precedence,
            )
        if variant is not None:
            return variant
    name = requested
    if name is None or catalog.is_known(name):
        raise VariantUnavailableError
    raise UnknownVariantError(
        "variant_unknown",
        f"No variant of that name is served. {did_you_mean(name, catalog.variants)}",
        field="variant",
    )
