"""Two real workers of a pod capture into one folder: each row is there once, whoever wrote it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pyarrow.dataset
import pytest

from gateway.capture.folder import CaptureFolder
from tests.drift_population import IMAGE_DIM, TEXT_DIM
from tests.gateway.pod.pods import WORKERS, RunningPod, running_pod

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

REQUESTS = 60


async def classify(pod: RunningPod, number: int) -> str:
    """Asks over a connection of its own, so by whichever worker; returns the prediction id."""
    async with pod.client() as http:
        answer = await http.post("/v1/classify", json={"text": f"text {number}"})
    assert answer.status_code == 200, answer.text
    prediction_id: str = answer.json()["prediction_id"]
    return prediction_id


def captured(folder: Path) -> list[str]:
    """Returns the prediction id of each row on disk."""
    parts = CaptureFolder(folder).parts()
    table = pyarrow.dataset.dataset([str(each) for each in parts]).to_table()
    ids: list[str] = table["prediction_id"].to_pylist()
    return ids


async def test_workers_capture_into_one_day_without_losing_or_doubling_a_row(
    triton: FakeTriton, tmp_path: Path
) -> None:
    triton.feature_dims = {"IMAGE_FEATURES": IMAGE_DIM, "TEXT_FEATURES": TEXT_DIM}
    # A part every tenth of a second: each worker writes while the other does.
    settings = {"capture_folder": tmp_path, "capture_ratio": 1, "capture_flush_s": 0.1}
    async with running_pod(triton, **settings) as pod:
        sent = []
        for start in range(0, REQUESTS, 4):
            numbers = range(start, start + 4)
            sent += await asyncio.gather(*(classify(pod, number) for number in numbers))

    assert sorted(captured(tmp_path)) == sorted(sent)
    writers = {part.name.split("-")[1] for part in CaptureFolder(tmp_path).parts()}
    assert len(writers) == WORKERS
    assert list((tmp_path / ".open").iterdir()) == []
