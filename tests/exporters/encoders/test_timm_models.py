"""Checkpoints of timm where timm is not installed, and the tests of them where it is."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING

import pytest

from exporters.encoders import load_image_encoder
from exporters.errors import MissingRequirementError
from exporters.recipe_sections import ImageEncoderRecipe
from tests.timm_packages import run_with_timm

if TYPE_CHECKING:
    from pathlib import Path


def test_checkpoint_of_timm_without_timm_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("timm"):  # then it is as if it were missing
        monkeypatch.setitem(__import__("sys").modules, "timm", None)
    config = {"architecture": "resnet18", "pretrained_cfg": {"input_size": [3, 64, 64]}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")

    with pytest.raises(MissingRequirementError, match="timm") as caught:
        load_image_encoder(ImageEncoderRecipe.model_validate({"folder": tmp_path}))

    assert "'.[timm]'" in caught.value.remedy


@pytest.mark.e2e
def test_encoders_of_timm_pass_their_tests_beside_it() -> None:
    """With the pinned packages and this torch, whichever build of it this is."""
    pytest_ = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/with_timm")

    result = run_with_timm(*pytest_, timeout_s=240)

    assert result.returncode == 0, result.stdout[-5000:]
