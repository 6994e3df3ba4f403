from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from exporters.evaluation import measure_quality, write_report
from exporters.recipe import load_recipe
from exporters.training import TrainedVariant, logits_of, train
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> TrainedVariant:
    folder = tmp_path_factory.mktemp("variant")
    recipe = load_recipe(str(write_small_recipe(folder / "recipe")))
    return train(recipe, Workspace(folder / "workspace"))


@pytest.fixture(scope="module")
def run_folder(variant: TrainedVariant) -> Path:
    write_report(variant)
    return variant.run_folder


def test_quality_is_measured_on_held_out_examples_alone(variant: TrainedVariant) -> None:
    holdout = variant.split.holdout
    truth = variant.table.label_indices[holdout]
    for modalities, measured in measure_quality(variant).items():
        predicted = logits_of(variant.head, variant.features, modalities).argmax(dim=-1).numpy()
        accuracy = float(np.mean(predicted[holdout] == truth))
        assert measured.quality.accuracy == pytest.approx(accuracy)
        assert measured.quality.examples == len(holdout)
        low, high = measured.accuracy_interval
        assert low <= accuracy <= high


def test_quality_with_both_modalities_beats_each_alone(variant: TrainedVariant) -> None:
    accuracy = {each: found.quality.accuracy for each, found in measure_quality(variant).items()}

    assert accuracy[ModalitySet.BOTH] > accuracy[ModalitySet.TEXT]
    assert accuracy[ModalitySet.BOTH] >= accuracy[ModalitySet.IMAGE]


def test_report_json_has_the_measured_figures(variant: TrainedVariant, run_folder: Path) -> None:
    report = json.loads((run_folder / "report.json").read_text(encoding="utf-8"))

    for modalities, measured in measure_quality(variant).items():
        written = report["modalities"][modalities]
        assert written["accuracy"] == measured.quality.accuracy
        assert [label["label"] for label in written["labels"]] == list(variant.labels)
        assert sum(map(sum, written["confusion"])) == len(variant.split.holdout)
    assert report["data_digest"] == variant.data_digest


def test_report_of_a_weighted_sum_has_its_weights(variant: TrainedVariant, tmp_path: Path) -> None:
    head = variant.recipe.head.model_copy(update={"type": "weighted_sum"})
    weighted = train(variant.recipe.model_copy(update={"head": head}), Workspace(tmp_path))
    write_report(weighted)

    report = json.loads((weighted.run_folder / "report.json").read_text(encoding="utf-8"))
    weights = report["learned_weights"]
    assert weights == weighted.head.learned_weights()
    # The image shows colour and shape, the text the shape alone; training starts at one half.
    assert weights["image"] > 0.5
    text = (weighted.run_folder / "report.md").read_text(encoding="utf-8")
    assert f"text {weights['text']:.3f}, image {weights['image']:.3f}" in text


def test_report_of_a_head_without_weights_has_none(
    variant: TrainedVariant, run_folder: Path
) -> None:
    report = json.loads((run_folder / "report.json").read_text(encoding="utf-8"))

    assert report["learned_weights"] == {}
    assert "listen" not in (run_folder / "report.md").read_text(encoding="utf-8")


def test_report_md_names_every_label_and_only_pictures_that_exist(
    variant: TrainedVariant, run_folder: Path
) -> None:
    text = (run_folder / "report.md").read_text(encoding="utf-8")

    assert all(f"| {label} |" in text for label in variant.labels)
    pictures = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert len(pictures) == 4
    for picture in pictures:
        with Image.open(run_folder / picture) as image:
            assert min(image.size) > 300
            assert len(image.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 20
