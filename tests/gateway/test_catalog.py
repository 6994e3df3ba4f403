from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.catalog import Refusal, build_catalog
from gateway.contract.manifest import ModalitySet
from tests.gateway.manifests import make_repository

OLD, NEW = "0" * 64, "f" * 64
YESTERDAY, TODAY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def reasons(manifests: dict[str, str]) -> set[Refusal]:
    return {each.reason for each in build_catalog(manifests).refused}


def test_build_catalog_complete_variant_is_routed() -> None:
    catalog = build_catalog(make_repository())
    assert set(catalog.variants["demo"].ensembles) == set(ModalitySet)
    assert catalog.refused == ()


@pytest.mark.parametrize(
    ("has_passed", "reason"),
    [(None, Refusal.PARITY_MISSING), (False, Refusal.PARITY_FAILED)],
)
def test_build_catalog_without_proof_is_refused(has_passed: bool | None, reason: Refusal) -> None:
    catalog = build_catalog(make_repository(has_passed=has_passed))
    assert not catalog.variants
    assert {each.reason for each in catalog.refused} == {reason}
    assert catalog.is_known("demo")


def test_build_catalog_newest_digest_serves() -> None:
    manifests = make_repository(digest=NEW, created_at=YESTERDAY)
    manifests |= make_repository(digest=OLD, created_at=TODAY)
    catalog = build_catalog(manifests)
    assert catalog.variants["demo"].digest == OLD
    assert [(each.digest, each.reason) for each in catalog.refused] == [
        (NEW, Refusal.SUPERSEDED)
    ] * 3


def test_build_catalog_incomplete_newer_digest_leaves_older_serving() -> None:
    manifests = make_repository(digest=NEW, created_at=TODAY)
    manifests.popitem()
    manifests |= make_repository(digest=OLD, created_at=YESTERDAY)
    catalog = build_catalog(manifests)
    assert catalog.variants["demo"].digest == OLD
    assert reasons(manifests) == {Refusal.INCOMPLETE}


def test_build_catalog_unreadable_manifest_is_refused_alone() -> None:
    catalog = build_catalog({**make_repository(), "odd": '{"schema_version": 2}'})
    assert "demo" in catalog.variants
    assert [(each.model, each.reason) for each in catalog.refused] == [
        ("odd", Refusal.MANIFEST_INVALID)
    ]


def test_build_catalog_different_labels_within_a_digest_are_refused() -> None:
    manifests = make_repository()
    name = next(iter(manifests))
    manifests[name] = make_repository(labels=("a", "b"))[name]
    assert reasons(manifests) == {Refusal.INCONSISTENT}


def test_build_catalog_two_ensembles_for_one_modality_set_are_refused() -> None:
    manifests = make_repository()
    manifests["copy"] = next(iter(manifests.values()))
    assert reasons(manifests) == {Refusal.INCONSISTENT}
