from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.catalog import EMPTY_CATALOG, Catalog, build_catalog
from gateway.errors import UnknownVariantError, VariantUnavailableError
from gateway.routing.choice import choose_variant
from tests.gateway.manifests import LINEAGE, make_repository

CATALOG = build_catalog(
    make_repository(variant="fast", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    | make_repository(variant="good", created_at=datetime(2026, 1, 2, tzinfo=UTC))
    | make_repository(variant="unproved", has_passed=None)
)


def test_choose_variant_retrained_is_not_the_default_for_its_youth() -> None:
    young = datetime(2026, 3, 1, tzinfo=UTC)
    candidate = build_catalog(
        make_repository(variant="good-r1", created_at=young, lineage=LINEAGE)
    ).variants
    catalog = Catalog({**CATALOG.variants, **candidate}, ())

    assert choose_variant(catalog, None, None).name == "good"
    assert choose_variant(catalog, "good-r1", None).name == "good-r1"
    assert choose_variant(Catalog(candidate, ()), None, None).name == "good-r1"


@pytest.mark.parametrize(
    ("requested", "default", "chosen"),
    [("fast", "good", "fast"), (None, "fast", "fast"), (None, None, "good")],
)
def test_choose_variant_asked_for_before_default_before_newest(
    requested: str | None, default: str | None, chosen: str
) -> None:
    assert choose_variant(CATALOG, requested, default).name == chosen


def test_choose_variant_unknown_names_the_nearest() -> None:
    with pytest.raises(UnknownVariantError, match="'good'"):
        choose_variant(CATALOG, "goof", None)


@pytest.mark.parametrize(("requested", "default"), [("unproved", None), (None, "gone")])
def test_choose_variant_not_served_is_unavailable(
    requested: str | None, default: str | None
) -> None:
    with pytest.raises(VariantUnavailableError):
        choose_variant(CATALOG, requested, default)


def test_choose_variant_before_anything_is_served_is_unavailable() -> None:
    with pytest.raises(VariantUnavailableError):
        choose_variant(EMPTY_CATALOG, "demo", None)
