"""Fits a drift reference: projections on training examples, all samples on others.

What a window of traffic is compared with comes from examples that nothing was fitted on, validation
and held-out ones: a training example lies closer to its own principal axes than any new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from exporters.drift.design_effect import (
    effective_rows,
    effective_rows_of_categories,
    effective_rows_of_values,
)
from gateway.contract.drift.agreement import Agreement
from gateway.contract.drift.embedding import Projection, kernel_features
from gateway.contract.drift.packing import PackedArray
from gateway.contract.drift.reference import (
    ONLY_TASK,
    AgreementReference,
    AnswersReference,
    CategoriesReference,
    DriftReference,
    EmbeddingReference,
    PropertiesReference,
    ValuesReference,
)
from gateway.contract.drift.window import image_values, text_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from exporters.drift.sample import FittedOn, HeldOutAnswers, ReferenceData, Sample
    from gateway.contract.drift.window import Properties
    from gateway.contract.manifest import ModalitySet

    Floats = NDArray[np.floating[Any]]

_COMPONENTS: Final = 32
_WAVES: Final = 64
_DIRECTIONS: Final = 16
_RIDGE: Final = 0.5
"""Of the mean variance of a component; on the demo anything from 0.01 to 1 does as well."""

_MOST_VALUES: Final = 512
_MEDIAN_ROWS: Final = 500
_INT8: Final = 127


def fit_reference(data: ReferenceData) -> DriftReference:
    """Fits what windows of traffic will be compared with, from examples."""
    fitted_on = data.fitted_on()
    return fit_reference_to(fitted_on, data.sample(fitted_on.language_profile), data.seed)


def fit_reference_to(fitted_on: FittedOn, sample: Sample, seed: int) -> DriftReference:
    """Fits what windows of traffic will be compared with.

    Args:
        fitted_on: what projections are fitted on, and the language profile.
        sample: what windows are compared with.
        seed: of the random waves.
    """
    groups = sample.groups
    image_axes, text_axes = _principal_axes(fitted_on.image), _principal_axes(fitted_on.text)
    image, image_rows = _embedding(image_axes, sample.image, groups, seed)
    text, text_rows = _embedding(text_axes, sample.text, groups, seed + 1)
    agreement = _fit_agreement(
        image_axes.projection.coordinates(fitted_on.image.astype(np.float32)),
        text_axes.projection.coordinates(fitted_on.text.astype(np.float32)),
    )
    numbers, categories = text_values(sample.text_shapes, sample.familiarity or ())
    if sample.familiarity is None:
        del numbers["language"]
    (first, answers), *others = [
        (task, _answers(found, groups)) for task, found in sample.answers.items()
    ] or [(ONLY_TASK, {})]
    return DriftReference(
        image=image,
        text=text,
        agreement=AgreementReference(
            image=PackedArray.of(agreement.image, "<f4"),
            text=PackedArray.of(agreement.text, "<f4"),
            scores=_values(agreement.scores(image_rows, text_rows), groups),
        ),
        image_properties=_properties(image_values(sample.image_files), groups),
        text_properties=_properties((numbers, categories), groups),
        language_profile=PackedArray.of(fitted_on.language_profile, "|u1"),
        answers=answers,
        first_task=first,
        other_tasks=dict(others),
    )


def _answers(
    found: Mapping[ModalitySet, HeldOutAnswers], groups: NDArray[np.int64]
) -> dict[ModalitySet, AnswersReference]:
    return {
        modalities: AnswersReference(
            labels=_categories(said.labels, groups), confidence=_values(said.confidence, groups)
        )
        for modalities, said in found.items()
    }


@dataclass(frozen=True)
class _Axes:
    """A projection as it will be read: its axes in 8 bits, so that fit and use are the same."""

    projection: Projection
    steps: NDArray[np.int8]
    scales: NDArray[np.float32]


def _principal_axes(features: Floats) -> _Axes:
    """Principal axes of training features, shape (examples, dim)."""
    centre = features.mean(axis=0).astype(np.float32)
    centred = features.astype(np.float64) - centre
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    axes = rows[: min(_COMPONENTS, len(features) - 1)]
    # The sign of an axis is nobody's choice: the largest part is made positive.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    scales = (np.abs(axes).max(axis=1) / _INT8).astype(np.float32)
    steps = np.rint(axes / scales[:, None]).astype(np.int8)
    read = steps.astype(np.float32) * scales[:, None]
    unscaled = Projection(centre, read, 1.0).coordinates(features.astype(np.float32))
    # The rest weighs as much as the first component does: else the kernel would not see it.
    spread = float(unscaled[:, -1].std())
    scale = float(unscaled[:, 0].std()) / spread if spread > 0.0 else 0.0
    return _Axes(Projection(centre, read, scale), steps, scales)


def _embedding(
    axes: _Axes, features: Floats, groups: NDArray[np.int64], seed: int
) -> tuple[EmbeddingReference, NDArray[np.float32]]:
    """Returns the reference of one modality, and the coordinates that it was drawn from."""
    rows = axes.projection.coordinates(features.astype(np.float32))
    generator = np.random.default_rng(seed)
    frequencies = generator.normal(size=(_WAVES, rows.shape[1])) / _median_distance(rows, generator)
    frequencies = frequencies.astype(np.float16).astype(np.float32)
    waves = kernel_features(rows, frequencies).astype(np.float64)
    mean = waves.mean(axis=0)
    eigenvalues = np.linalg.eigvalsh(np.cov(waves, rowvar=False))[::-1]
    reference = EmbeddingReference(
        centre=PackedArray.of(axes.projection.centre, "<f4"),
        axes=PackedArray.of(axes.steps, "|i1"),
        axis_scales=PackedArray.of(axes.scales, "<f4"),
        residual_scale=axes.projection.residual_scale,
        frequencies=PackedArray.of(frequencies, "<f2"),
        kernel_mean=PackedArray.of(mean, "<f4"),
        kernel_eigenvalues=PackedArray.of(np.maximum(eigenvalues, 0.0), "<f4"),
        effective_rows=effective_rows(waves, groups),
    )
    return reference, rows


def _median_distance(rows: NDArray[np.float32], generator: np.random.Generator) -> float:
    """The bandwidth of a Gaussian kernel: the median distance (Gretton et al. 2012, section 8)."""
    chosen = generator.permutation(len(rows))[:_MEDIAN_ROWS]
    sample = rows[chosen].astype(np.float64)
    squares = np.square(sample[:, None] - sample[None]).sum(axis=-1)  # (rows, rows)
    distances = np.sqrt(squares[np.triu_indices(len(sample), k=1)])
    median = float(np.median(distances))
    return median if median > 0.0 else 1.0


def _fit_agreement(image: NDArray[np.float32], text: NDArray[np.float32]) -> Agreement:
    """Canonical correlation analysis of coordinates, with a ridge; without the last coordinate."""
    one, other = (rows[:, :-1].astype(np.float64) for rows in (image, text))
    whiten_one, whiten_other = _whitening(one), _whitening(other)
    between = (one - one.mean(axis=0)).T @ (other - other.mean(axis=0)) / len(one)
    left, correlations, right = np.linalg.svd(whiten_one @ between @ whiten_other)
    count = min(_DIRECTIONS, len(correlations))
    weights = np.sqrt(correlations[:count])[:, None]
    return Agreement(
        (weights * (whiten_one @ left[:, :count]).T).astype(np.float32),
        (weights * (whiten_other @ right[:count].T).T).astype(np.float32),
    )


def _whitening(rows: Floats) -> Floats:
    """The inverse root of a covariance with a ridge, shape (components, components)."""
    covariance = np.atleast_2d(np.cov(rows, rowvar=False))
    ridge = _RIDGE * np.trace(covariance) / len(covariance)
    variances, axes = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    whitening: Floats = axes / np.sqrt(np.maximum(variances, 1e-12)) @ axes.T
    return whitening


def _values(values: Floats, groups: NDArray[np.int64]) -> ValuesReference:
    ordered = np.sort(values)
    if len(ordered) > _MOST_VALUES:
        ranks = (np.arange(_MOST_VALUES) + 0.5) / _MOST_VALUES
        ordered = ordered[(ranks * len(ordered)).astype(np.int64)]
    return ValuesReference(
        values=PackedArray.of(ordered, "<f4"),
        effective_rows=effective_rows_of_values(values, groups),
    )


def _categories(values: Sequence[str], groups: NDArray[np.int64]) -> CategoriesReference:
    names, counts = np.unique(np.array(values), return_counts=True)
    return CategoriesReference(
        counts=dict(zip(names.tolist(), counts.tolist(), strict=True)),
        effective_rows=effective_rows_of_categories(values, groups),
    )


def _properties(found: Properties, groups: NDArray[np.int64]) -> PropertiesReference:
    numbers, categories = found
    return PropertiesReference(
        values={name: _values(each, groups) for name, each in numbers.items()},
        categories={name: _categories(each, groups) for name, each in categories.items()},
    )
