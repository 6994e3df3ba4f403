from __future__ import annotations

from datetime import UTC, datetime

from gateway.catalog import Refusal, build_catalog
from gateway.pools.merge import merge_catalogs
from tests.gateway.manifests import make_repository

OLD = make_repository(digest="a" * 64, created_at=datetime(2026, 1, 1, tzinfo=UTC))
NEW = make_repository(digest="b" * 64, created_at=datetime(2026, 2, 1, tzinfo=UTC))


def test_merge_shows_the_newest_digest_that_any_server_has() -> None:
    merged = merge_catalogs([build_catalog(OLD), build_catalog(NEW)], [])
    assert merged.variants["demo"].digest == "b" * 64
    assert merged.refused == ()


def test_merge_prefers_what_is_served_to_what_was() -> None:
    merged = merge_catalogs([build_catalog(OLD)], [build_catalog(NEW)])
    assert merged.variants["demo"].digest == "a" * 64


def test_merge_knows_what_only_a_server_has_that_is_away() -> None:
    merged = merge_catalogs([], [build_catalog(OLD)])
    assert list(merged.variants) == ["demo"]


def test_merge_does_not_refuse_on_one_server_what_serves_on_another() -> None:
    partial = dict(list(NEW.items())[:2])
    merged = merge_catalogs([build_catalog(partial), build_catalog(NEW)], [])
    assert merged.refused == ()
    assert [each.reason for each in merge_catalogs([build_catalog(partial)], []).refused] == [
        Refusal.INCOMPLETE
    ] * 2
