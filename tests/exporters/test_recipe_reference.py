from __future__ import annotations

from exporters.recipe import load_recipe
from exporters.recipe_reference import describe_keys
from exporters.recipe_sections import TaskRecipe


def test_describe_keys_covers_every_key_of_a_loaded_recipe() -> None:
    dumped = load_recipe("openmoji-zero-shot").model_dump()
    leaves = {
        f"{section}.{key}" if isinstance(value, dict) else section
        for section, value in dumped.items()
        for key in (value if isinstance(value, dict) else [None])
    }

    leaves = leaves - {"tasks"} | {f"tasks.{key}" for key in TaskRecipe.model_fields}
    assert {key.name for key in describe_keys()} == leaves


def test_describe_keys_gives_type_default_and_description_in_words() -> None:
    keys = {key.name: key for key in describe_keys()}

    assert all(key.description and key.type and key.default for key in keys.values())
    assert keys["name"].default == "required"
    assert keys["data.table"].type == "path"
    assert keys["data.table"].default == "none"
    assert keys["text_encoder.pooling"].type == '"mean" or "cls"'
