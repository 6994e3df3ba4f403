from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.catalog import EMPTY_CATALOG, build_catalog
from gateway.errors import UnknownVariantError, VariantUnavailableError
from gateway.routing.choice import choose_variant
from tests.gateway.manifests import make_repository

CATALOG = build_catalog(
    make_repository(variant="fast", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    | make_repository(variant="good", created_at=datetime(2026, 1, 2, tzinfo=UTC))
    | make_repository(variant="unproved", has_passed=None)
)


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
