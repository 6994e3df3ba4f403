"""One held-out example, sent through the running service as any client would send it.

The exporters leave it in `<workspace>/samples/<variant>/`: `sample.json` and the image it names.
Nothing here knows a data set.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import BaseModel, ValidationError

from deploy.local.errors import SampleError

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 30.0

# On a busy machine the first request, the slowest of all, may miss its deadline or be refused.
_TRY_AGAIN = (429, 503, 504)
_MAX_RETRIES = 5
_RETRY_S = 1.0


class _SampleFile(BaseModel):
    image: str
    text: str
    label: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """An image with its sentence.

    Attributes:
        variant: whose example it is.
        image_path: the image file, absolute.
        text: the sentence.
        label: what it really is.
        labels: what it is classified into, where the variant has no labels of its own.
    """

    variant: str
    image_path: Path
    text: str
    label: str
    labels: tuple[str, ...] = ()


def find(workspace: Path, variant: str) -> Sample | None:
    """Reads a variant's sample; None when it has none that can be used."""
    folder = workspace.absolute() / "samples" / variant
    try:
        content = (folder / "sample.json").read_bytes()
        file = _SampleFile.model_validate_json(content)
    except (OSError, ValidationError):
        return None
    image_path = folder / file.image
    if not image_path.is_file():
        return None
    return Sample(variant, image_path, file.text, file.label, file.labels)


def classify(sample: Sample, gateway_url: str) -> dict[str, Any]:
    """Sends the sample to the REST API.

    Args:
        sample: what to send.
        gateway_url: the gateway, without a path.

    Returns:
        The answer, as the gateway gave it.

    Raises:
        SampleError: no answer, or a refusal.
    """
    url = f"{gateway_url}/v1/classify"
    try:
        response = _post(sample, url)
        for _ in range(_MAX_RETRIES):
            if response.status_code not in _TRY_AGAIN:
                break
            time.sleep(float(response.headers.get("Retry-After", _RETRY_S)))
            response = _post(sample, url)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
    except httpx.HTTPStatusError as error:
        body = error.response.text
        raise SampleError(url, f"{error.response.status_code} {body}") from error
    except (httpx.HTTPError, ValueError, OSError) as error:
        raise SampleError(url, str(error) or type(error).__name__) from error
    return answer


def _post(sample: Sample, url: str) -> httpx.Response:
    return httpx.post(
        url,
        files={"image": (sample.image_path.name, sample.image_path.read_bytes())},
        data={"text": sample.text, "variant": sample.variant, "labels": list(sample.labels)},
        timeout=_TIMEOUT_S,
        trust_env=False,  # a proxy of this machine's environment cannot reach its loopback
    )


def curl_line(sample: Sample, gateway_url: str) -> str:
    """Returns a command that does the same when it is pasted into a shell, in any folder."""
    image = f'image=@"{sample.image_path}"'  # curl's own quotes: a path may hold , or ;
    # --form-string: a text that begins with @ or < is a text and no file.
    parts = (
        "curl",
        "-F",
        image,
        "--form-string",
        f"text={sample.text}",
        *(part for label in sample.labels for part in ("--form-string", f"labels={label}")),
        f"{gateway_url}/v1/classify",
    )
    return shlex.join(parts)
