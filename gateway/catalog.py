"""What can be served: variants, and the ensembles that are refused with the reason.

Pure values and one pure function that makes a catalog from the manifests found in Triton's
repository. `pools.look` calls it; `routing` and the API read the result.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gateway.contract.manifest import EnsembleManifest, ModalitySet, VariantKind
from gateway.contract.tensors import features_of, outputs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


class Refusal(StrEnum):
    """Why nothing is routed to an ensemble."""

    MANIFEST_INVALID = "manifest_invalid"
    PARITY_MISSING = "parity_missing"
    PARITY_FAILED = "parity_failed"
    INCOMPLETE = "incomplete"
    INCONSISTENT = "inconsistent"
    SUPERSEDED = "superseded"
    DEVICE_UNEXPECTED = "device_unexpected"


@dataclass(frozen=True, slots=True)
class Ensemble:
    """One ensemble of a variant.

    Attributes:
        model: its Triton model name.
        manifest: what it says of itself.
        feature_dims: widths of its outputs with features, by name; empty for one that has none.
    """

    model: str
    manifest: EnsembleManifest
    feature_dims: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def outputs(self, *, has_features: bool) -> tuple[str, ...]:
        """The outputs to ask for: what answers a request and, if wanted, features."""
        modalities = self.manifest.modalities
        answer = outputs_of(modalities, is_dual_tower=self.manifest.dual_tower is not None)
        return (*answer, *self.feature_dims) if has_features else answer


@dataclass(frozen=True, slots=True)
class Variant:
    """One digest of a variant with all three ensembles, each proved equal to the trained model.

    A dual tower has no `labels`: they come with each request.
    """

    name: str
    digest: str
    kind: VariantKind
    labels: tuple[str, ...]
    created_at: datetime
    ensembles: Mapping[ModalitySet, Ensemble]

    @property
    def precedence(self) -> tuple[bool, float, str]:
        """The largest is the default where none is named: the newest that is no mere candidate.

        A variant that was retrained from feedback waits for evidence: an experiment or an admin
        brings it to traffic, its age does not.
        """
        is_retrained = any(each.manifest.provenance.lineage for each in self.ensembles.values())
        return not is_retrained, self.created_at.timestamp(), self.name


@dataclass(frozen=True, slots=True)
class RefusedEnsemble:
    """An ensemble that Triton serves and the gateway does not route to.

    `variant` and `digest` are None when the manifest cannot be read.
    """

    model: str
    reason: Refusal
    variant: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """All variants that are routed, by name, and all ensembles that are not."""

    variants: Mapping[str, Variant]
    refused: tuple[RefusedEnsemble, ...]

    def is_known(self, name: str) -> bool:
        """Whether a variant of that name exists, routed or not."""
        return name in self.variants or any(each.variant == name for each in self.refused)

    def without(self, name: str, reason: Refusal) -> Catalog:
        """Returns the catalog with one variant refused."""
        refused = (_refuse(each, reason) for each in self.variants[name].ensembles.values())
        routed = {each: variant for each, variant in self.variants.items() if each != name}
        return Catalog(MappingProxyType(routed), (*self.refused, *refused))


EMPTY_CATALOG = Catalog(MappingProxyType({}), ())


def build_catalog(
    manifests: Mapping[str, str], outputs: Mapping[str, Mapping[str, int]] | None = None
) -> Catalog:
    """Groups ensembles into variants and refuses what must not be routed to.

    Of several digests of one variant the newest that is complete serves, so that a publication in
    progress, whose ensembles appear one by one, does not take the older one away.

    Args:
        manifests: manifest JSON by Triton model name, of models that are ready.
        outputs: widths of the outputs of those models; of one that is left out nothing is known.
    """
    refused: list[RefusedEnsemble] = []
    groups: dict[tuple[str, str], list[Ensemble]] = defaultdict(list)
    for model, text in sorted(manifests.items()):
        try:
            manifest = EnsembleManifest.model_validate_json(text)
        except ValidationError:
            refused.append(RefusedEnsemble(model, Refusal.MANIFEST_INVALID))
            continue
        names = features_of(manifest.modalities)
        widths = (outputs or {}).get(model, {})
        ensemble = Ensemble(
            model,
            manifest,
            MappingProxyType({each: widths[each] for each in names if each in widths}),
        )
        if manifest.parity is None:
            refused.append(_refuse(ensemble, Refusal.PARITY_MISSING))
        elif not manifest.parity.has_passed:
            refused.append(_refuse(ensemble, Refusal.PARITY_FAILED))
        else:
            groups[manifest.variant, manifest.digest].append(ensemble)

    serving: dict[str, Variant] = {}
    for ensembles in groups.values():
        variant = _assemble(ensembles)
        if isinstance(variant, Refusal):
            refused.extend(_refuse(ensemble, variant) for ensemble in ensembles)
            continue
        rival = serving.get(variant.name)
        if rival is None or _age(rival) < _age(variant):
            serving[variant.name], variant_out = variant, rival
        else:
            variant_out = variant
        if variant_out is not None:
            refused.extend(
                _refuse(each, Refusal.SUPERSEDED) for each in variant_out.ensembles.values()
            )
    return Catalog(MappingProxyType(serving), tuple(refused))


def _assemble(ensembles: Iterable[Ensemble]) -> Variant | Refusal:
    by_modalities: dict[ModalitySet, Ensemble] = {}
    for ensemble in ensembles:
        if ensemble.manifest.modalities in by_modalities:
            return Refusal.INCONSISTENT
        by_modalities[ensemble.manifest.modalities] = ensemble
    if set(by_modalities) != set(ModalitySet):
        return Refusal.INCOMPLETE
    manifests = [ensemble.manifest for ensemble in by_modalities.values()]
    if len({_space(manifest) for manifest in manifests}) > 1:
        return Refusal.INCONSISTENT
    return Variant(
        name=manifests[0].variant,
        digest=manifests[0].digest,
        kind=manifests[0].kind,
        labels=manifests[0].labels,
        created_at=max(manifest.provenance.created_at for manifest in manifests),
        ensembles=MappingProxyType(by_modalities),
    )


def _space(manifest: EnsembleManifest) -> tuple[object, ...]:
    """What the three ensembles of a variant must have in common."""
    dual_tower = manifest.dual_tower
    if dual_tower is None:
        tasks = tuple((task.name, task.kind, task.labels) for task in manifest.tasks)
        return manifest.labels, tasks
    return dual_tower.embedding_dim, dual_tower.templates


def _age(variant: Variant) -> tuple[float, str]:
    # Not the datetimes themselves: one with and one without a time zone do not compare. The digest
    # decides between equals, so that every replica decides alike.
    return variant.created_at.timestamp(), variant.digest


def _refuse(ensemble: Ensemble, reason: Refusal) -> RefusedEnsemble:
    manifest = ensemble.manifest
    return RefusedEnsemble(ensemble.model, reason, manifest.variant, manifest.digest)
