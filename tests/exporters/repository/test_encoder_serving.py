from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporters.encoders import load_image_encoder, load_text_encoder
from exporters.recipe_sections import ImageEncoderRecipe, TargetRecipe, TextEncoderRecipe
from exporters.repository.encoder_serving import EncoderServing
from exporters.repository.native_models import image_graph_folder, text_graph_folder
from exporters.repository.native_target import NATIVE_TARGETS
from exporters.repository.variant_models import image_encoder_folder, text_encoder_folder
from tests.small_checkpoints import save_small_bert, save_small_vit

if TYPE_CHECKING:
    from exporters.encoders import ImageEncoder, TextEncoder

TUNED = TargetRecipe(
    image_batch=2, image_delay_us=1500, image_instances=3, image_threads=2,
    text_batch=8, text_delay_us=500, text_instances=2, text_threads=4,
)  # fmt: skip

Parts = tuple[Path, "TextEncoder", "ImageEncoder"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("encoders")
    graph = folder / "model.onnx"
    graph.write_bytes(b"stands for a graph")
    text = TextEncoderRecipe(folder=save_small_bert(folder / "bert"), max_tokens=32)
    image = ImageEncoderRecipe(folder=save_small_vit(folder / "vit"))
    return graph, load_text_encoder(text), load_image_encoder(image)


def test_serving_applied_to_a_published_config_is_what_an_export_with_it_writes(
    parts: Parts,
) -> None:
    graph, text, image = parts
    for serving, published, exported in (
        (
            EncoderServing.of_images(TUNED),
            image_encoder_folder(image, graph, TargetRecipe()),
            image_encoder_folder(image, graph, TUNED),
        ),
        (
            EncoderServing.of_texts(TUNED),
            text_encoder_folder(text, graph, TargetRecipe()),
            text_encoder_folder(text, graph, TUNED),
        ),
    ):
        changed = serving.applied_to(published.model.to_protobuf())
        changed.name = exported.model.name  # the digest of a name follows what it names

        assert changed == exported.model.to_protobuf()
        assert published.model.name != exported.model.name


def test_native_cpu_graphs_are_served_as_the_recipe_says_and_those_of_a_gpu_are_not(
    parts: Parts,
) -> None:
    graph, text, image = parts
    on_cpu = image_graph_folder(image, graph, TUNED, NATIVE_TARGETS["cpu"]).model.to_protobuf()
    texts = text_graph_folder(text, graph, TUNED, NATIVE_TARGETS["cpu"]).model.to_protobuf()
    on_gpu, untuned = (
        image_graph_folder(image, graph, recipe, NATIVE_TARGETS["gpu"]).model.to_protobuf()
        for recipe in (TUNED, TargetRecipe())
    )

    assert on_cpu.max_batch_size == 2
    assert on_cpu.dynamic_batching.max_queue_delay_microseconds == 1500
    assert on_cpu.instance_group[0].count == 3
    assert on_cpu.parameters["intra_op_thread_count"].string_value == "2"
    assert texts.dynamic_batching.max_queue_delay_microseconds == 500
    assert on_gpu == untuned
