"""Users for the locust of docker-compose.yml: held-out examples of the demo, image, text or both.

It runs in locust's own image, on the sample that the exporter left, with a key of its own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from locust import HttpUser, constant_throughput, task

_FOLDER = sorted(Path(os.environ["DIPTYCH_SAMPLES"]).iterdir())[0]
_SAMPLE: dict[str, Any] = json.loads((_FOLDER / "sample.json").read_text(encoding="utf-8"))
_IMAGE = (_FOLDER / _SAMPLE["image"]).read_bytes()
_KEY = Path(os.environ["DIPTYCH_API_KEY_FILE"]).read_text(encoding="ascii").strip()


class Caller(HttpUser):
    """Asks once a second; 429 is the service's right under load and is counted as such."""

    wait_time = constant_throughput(1)

    @task(2)
    def both(self) -> None:
        """Sends the image and its text."""
        self._classify({"image": ("image.png", _IMAGE, "image/png")}, {"text": _SAMPLE["text"]})

    @task(1)
    def image_alone(self) -> None:
        """Sends the image."""
        self._classify({"image": ("image.png", _IMAGE, "image/png")}, {})

    @task(1)
    def text_alone(self) -> None:
        """Sends the text."""
        self._classify({}, {"text": _SAMPLE["text"]})

    def _classify(self, files: dict[str, Any], fields: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {_KEY}"}
        with self.client.post(
            "/v1/classify",
            files=files or None,
            json=None if files else fields,
            data=fields if files else None,
            headers=headers,
            catch_response=True,
            name="/v1/classify",
        ) as response:
            if response.status_code == 200 and "label" not in response.json():
                response.failure("an answer without a label")
