"""Features and drift on the real Triton: what is captured is what heads are trained on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pyarrow.dataset
import pytest

from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.training import load_trained
from exporters.workspace import Workspace
from tests.e2e.stack import running_stack
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exporters.training import TrainedVariant

pytestmark = pytest.mark.e2e

_REQUESTS = 120
_WINDOW_S = 2.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watching")
    recipe = load_recipe(str(write_small_recipe(folder / "recipe")))
    export(recipe, Workspace(folder / "workspace"), folder / "repository")
    return folder


@pytest.fixture(scope="module")
def variant(folder: Path) -> TrainedVariant:
    recipe = load_recipe(str(folder / "recipe" / "shapes.toml"))
    found = load_trained(recipe, Workspace(folder / "workspace"))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (
            ("DRIFT_WINDOW_S", str(_WINDOW_S)),
            ("CAPTURE_FOLDER", str(folder / "capture")),
            ("CAPTURE_RATIO", "1"),
            ("CAPTURE_FLUSH_S", "1"),
        ):
            environment.setenv(f"DIPTYCH_GATEWAY_{name}", value)
        with (
            running_stack(folder / "repository", "shapes", folder) as stack,
            httpx.Client(base_url=stack.url, timeout=60) as client,
        ):
            yield client


def send(client: httpx.Client, image: bytes, text: str) -> dict[str, Any]:
    answer = client.post("/v1/classify", files={"image": image}, data={"text": text})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def metrics(client: httpx.Client, name: str) -> dict[str, float]:
    """Values of a metric of requests with both inputs, by kind; "" where it has none."""
    found = {}
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(f"{name}{{") and 'modalities="both"' in line:
            labels, _, value = line.rpartition(" ")
            kind = labels.partition('kind="')[2].partition('"')[0]
            found[kind] = float(value)
    return found


def drifting_after(client: httpx.Client, pairs: list[tuple[bytes, str]]) -> set[str]:
    """Sends a window's worth and returns the kinds that drift in the window that it fills."""
    windows = metrics(client, "diptych_drift_windows_total").get("", 0.0)
    limit_s = time.monotonic() + 60.0
    with ThreadPoolExecutor(4) as pool:
        # Until two windows were judged: the first may have begun with what was sent before.
        while metrics(client, "diptych_drift_windows_total").get("", 0.0) < windows + 2:
            assert time.monotonic() < limit_s
            list(pool.map(lambda pair: send(client, *pair), pairs))
    found = metrics(client, "diptych_drift_is_drifting")
    return {kind for kind, value in found.items() if value == 1.0}


def test_captured_features_are_those_that_the_head_was_trained_on(
    client: httpx.Client, variant: TrainedVariant, folder: Path
) -> None:
    rows = variant.split.holdout[:8]
    sent = {}
    for row in rows:
        example = variant.table.examples[row]
        sent[send(client, example.image.read_bytes(), example.text)["prediction_id"]] = row

    limit_s = time.monotonic() + 30.0
    found: dict[str, dict[str, Any]] = {}
    while len(found) < len(sent):
        assert time.monotonic() < limit_s
        time.sleep(0.2)
        parts = [str(each) for each in (folder / "capture").glob("day=*/part-*")]
        table = pyarrow.dataset.dataset(parts).to_table().to_pylist() if parts else []
        found = {each["prediction_id"]: each for each in table if each["prediction_id"] in sent}

    for prediction_id, row in sent.items():
        for name, features in (
            ("image_features", variant.features.image),
            ("text_features", variant.features.text),
        ):
            expected = features[row].numpy()
            # Half precision keeps 11 bits.
            np.testing.assert_allclose(
                np.array(found[prediction_id][name], np.float32),
                expected,
                rtol=2e-3,
                atol=2e-3 * float(np.abs(expected).max()),
            )


def test_drift_is_raised_by_the_kind_that_shifted_and_by_no_other_input(
    client: httpx.Client, variant: TrainedVariant
) -> None:
    """Texts in another script; images as ever."""
    others = [*variant.split.validation, *variant.split.holdout]
    rows = [others[number % len(others)] for number in range(_REQUESTS)]
    examples = [variant.table.examples[row] for row in rows]
    pairs = [(each.image.read_bytes(), each.text) for each in examples]

    as_ever = drifting_after(client, pairs)
    shifted = drifting_after(client, [(image, "красный круг") for image, _ in pairs])
    ended = drifting_after(client, pairs)

    assert as_ever == set()
    assert {"text_embedding", "text_properties"} <= shifted
    assert not {"image_embedding", "image_properties"} & shifted
    assert ended == set()
