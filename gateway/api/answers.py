"""Domain values to the JSON of the REST API; `schemas` documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.catalog import Catalog, Variant
    from gateway.classification.live import RoutedAnswer
    from gateway.classification.values import RankedLabel, TaskAnswer
    from gateway.contract.manifest import EnsembleManifest
    from gateway.routing.plan import Plan
    from gateway.routing.router import Decision
    from gateway.watching.references import ReferenceState


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def classification_answer(routed: RoutedAnswer) -> dict[str, Any]:
    """Returns the JSON of one classification, a `schemas.ClassifyAnswer`."""
    answer = routed.classification
    timings = answer.timings
    best = answer.ranking[0]
    return {
        "prediction_id": routed.receipt.text,
        "variant": answer.variant,
        "digest": answer.digest,
        "assignment": _assignment(routed.decision),
        "modalities": modality_names(answer.modalities),
        "label": best.label,
        "score": best.score,
        "top_k": _scores(answer.ranking),
        "timings_ms": {
            "receive": _ms(timings.receive_ms),
            "labels": _ms(timings.labels_ms),
            "triton": _ms(timings.triton_ms),
            "decode": _ms(timings.decode_ms),
            "image_encoder": _ms(timings.image_encoder_ms),
            "tokenise": _ms(timings.tokenise_ms),
            "text_encoder": _ms(timings.text_encoder_ms),
            "respond": _ms(timings.respond_ms),
            "total": _ms(timings.total_ms),
        },
        "batch_sizes": {
            "image_encoder": answer.image_batch_size,
            "text_encoder": answer.text_batch_size,
        },
        "source": answer.source,
        "pool": answer.placement.pool,
        "degraded": answer.placement.degraded,
        **({"tasks": {each.name: _task(each) for each in answer.tasks}} if answer.tasks else {}),
    }


def _assignment(decision: Decision) -> dict[str, Any]:
    draw = decision.draw
    return {
        "reason": decision.reason,
        "experiment": draw.experiment if draw else None,
        "arm": draw.arm if draw else None,
        "gate": decision.gate,
        "is_sticky": draw.is_sticky if draw else False,
    }


def _task(answer: TaskAnswer) -> dict[str, Any]:
    top_k = _scores(answer.ranking)
    if answer.applying is not None:
        return {"labels": _scores(answer.applying), "top_k": top_k}
    return {**top_k[0], "top_k": top_k}


def _scores(ranking: Iterable[RankedLabel]) -> list[dict[str, Any]]:
    return [{"label": each.label, "score": each.score} for each in ranking]


def modality_names(modalities: ModalitySet) -> list[str]:
    """Returns the inputs of a modality set, image first."""
    names = []
    if modalities.has_image:
        names.append("image")
    if modalities.has_text:
        names.append("text")
    return names


def models_answer(
    catalog: Catalog,
    default: Decision | None,
    plan: Plan,
    gates: Mapping[tuple[str, str], str],
    now_s: float,
    reference_state: Callable[[str], ReferenceState],
) -> dict[str, Any]:
    """Returns the JSON of the catalog and of what it serves, a `schemas.ModelsAnswer`."""
    return {
        "models": [
            {
                **_model(variant),
                **_default(variant, default),
                "drift_reference": reference_state(variant.digest),
                "experiments": _experiments(variant.name, plan, gates, now_s),
                "shadows": [
                    each.name
                    for each in plan.shadows
                    if each.is_running and each.candidate == variant.name
                ],
            }
            for _, variant in sorted(catalog.variants.items())
        ],
        "not_routed": [
            {
                "model": each.model,
                "reason": each.reason,
                "variant": each.variant,
                "digest": each.digest,
            }
            for each in catalog.refused
        ],
    }


def _default(variant: Variant, default: Decision | None) -> dict[str, Any]:
    is_default = default is not None and default.variant.name == variant.name
    return {
        "is_default": is_default,
        "default_reason": default.reason if default is not None and is_default else None,
    }


def _experiments(
    name: str, plan: Plan, gates: Mapping[tuple[str, str], str], now_s: float
) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "share": round(each.definition.share_of(name), 6),
            "is_control": each.definition.control == name,
            "gate": gates.get((each.name, name)),
        }
        for each in plan.experiments
        if each.is_running(now_s) and name in each.definition.arms
    ]


def _zero_shot(manifest: EnsembleManifest) -> dict[str, Any] | None:
    if (tower := manifest.dual_tower) is None:
        return None
    return {
        "prompt_template": list(tower.templates),
        "activation": tower.activation,
        "measured_labels": list(tower.measured_labels),
    }


def _model(variant: Variant) -> dict[str, Any]:
    manifests = {modalities: variant.ensembles[modalities].manifest for modalities in ModalitySet}
    whole = manifests[ModalitySet.BOTH]
    lineage = whole.provenance.lineage
    return {
        "variant": variant.name,
        "digest": variant.digest,
        "kind": variant.kind,
        "labels": list(variant.labels),
        "zero_shot": _zero_shot(whole),
        "tasks": _tasks(whole, manifests),
        "modality_sets": list(manifests),
        "quality": {name: each.quality.model_dump() for name, each in manifests.items()},
        "max_image_pixels": whole.limits.max_image_pixels,
        "max_text_tokens": whole.limits.max_text_tokens,
        "expected_device": whole.expected_device,
        "created_at": variant.created_at.isoformat(),
        "data_digest": whole.provenance.data_digest,
        "lineage": lineage.model_dump(mode="json") if lineage else None,
    }


def _tasks(
    whole: EnsembleManifest, manifests: Mapping[ModalitySet, EnsembleManifest]
) -> list[dict[str, Any]]:
    return [
        {
            "name": task.name,
            "kind": task.kind,
            "labels": list(task.labels),
            "thresholds": {
                name: list(each.tasks[number].thresholds)
                for name, each in manifests.items()
                if task.kind == "several"
            },
            "quality": {
                name: each.tasks[number].quality.model_dump() for name, each in manifests.items()
            },
        }
        for number, task in enumerate(whole.tasks)
    ]
