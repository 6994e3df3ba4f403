"""One catalog of what several servers have."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.catalog import Catalog, RefusedEnsemble, Variant

if TYPE_CHECKING:
    from collections.abc import Sequence


def merge_catalogs(current: Sequence[Catalog], stale: Sequence[Catalog]) -> Catalog:
    """Merges what is served with what was served by servers that are away.

    A server serves the digest that it has: while a new one is published, server by server, requests
    are answered by both, and each answer says by which. The catalog shows the newest.

    Args:
        current: of servers that are well.
        stale: the last ones of servers that are away. Their variants stay known, so that requests
            fail with an error that says when to try again, and not with an unknown variant.
    """
    variants: dict[str, Variant] = {}
    for catalogs in (current, stale):
        newest: dict[str, Variant] = {}
        for catalog in catalogs:
            for name, variant in catalog.variants.items():
                if name not in newest or _age(newest[name]) < _age(variant):
                    newest[name] = variant
        variants = {**newest, **variants}
    serving = {
        ensemble.model
        for catalog in (*current, *stale)
        for variant in catalog.variants.values()
        for ensemble in variant.ensembles.values()
    }
    refused: dict[RefusedEnsemble, None] = {}
    for catalog in (*current, *stale):
        # What is incomplete on one server and serves on another is routed to that one.
        refused.update({each: None for each in catalog.refused if each.model not in serving})
    return Catalog(MappingProxyType(dict(sorted(variants.items()))), tuple(refused))


def _age(variant: Variant) -> tuple[float, str]:
    return variant.created_at.timestamp(), variant.digest
