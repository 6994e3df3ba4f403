"""Scenarios as the file of scenarios describes them: load, mix, and the limits that decide.

`scenarios.toml` beside this module holds those of the project; `--file` takes another.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loadtest.traffic.errors import ScenarioFileError, UnknownScenarioError
from loadtest.traffic.shapes import Shape

SCENARIOS: Final = Path(__file__).with_name("scenarios.toml")


class Protocol(StrEnum):
    """How a request is sent."""

    MULTIPART = "multipart"
    JSON = "json"
    BATCH = "batch"
    GRPC = "grpc"


class Modalities(StrEnum):
    """What a request, or an item of a batch, holds."""

    BOTH = "both"
    IMAGE = "image"
    TEXT = "text"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Weight = Annotated[float, Field(gt=0, le=1000)]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Limits(_Closed):
    """What decides whether a run has passed. All count all requests that were due."""

    p99_ms: Annotated[
        float,
        Field(gt=0, description="99 of 100 right answers come sooner, from their due time, in ms."),
    ] = 500.0
    max_error_ratio: Annotated[
        Ratio, Field(description="Wrong, broken, failed or missing answers: the error budget.")
    ] = 0.001
    max_refused_ratio: Annotated[Ratio, Field(description="Refusals: 429 and its like.")] = 0.0
    min_goodput_ratio: Annotated[
        Ratio, Field(description="Right answers within `promise_ms`, of all that was due.")
    ] = 0.99
    promise_ms: Annotated[
        float, Field(gt=0, description="Later than this an answer is no good, in ms.")
    ] = 500.0


class Scenario(_Closed):
    """One load test."""

    about: Annotated[str, Field(description="What it is for, in a sentence.")]
    duration_s: Annotated[float, Field(gt=0, le=604_800, description="Its length, in seconds.")]
    shape: Annotated[Shape, Field(description="How the rate changes: a table with its `kind`.")]
    protocols: Annotated[
        dict[Protocol, Weight],
        Field(min_length=1, description="Weights of `multipart`, `json`, `batch` and `grpc`."),
    ]
    modalities: Annotated[
        dict[Modalities, Weight],
        Field(min_length=1, description="Weights of `both`, `image` and `text`."),
    ]
    batch_items: Annotated[int, Field(ge=1, le=64, description="Items of a batch.")] = 4
    corpus: Annotated[
        Literal["samples", "photos"],
        Field(
            description="`samples`: the variant's held-out examples; `photos`: JPEG files of 40 to "
            "80 KB and sentences of 10 to 40 words."
        ),
    ] = "photos"
    seed: Annotated[int, Field(ge=0, description="The same seed sends the same.")] = 0
    limits: Limits = Limits()

    def adjusted(self, scale: float = 1.0, duration_s: float | None = None) -> Scenario:
        """Returns it with other rates or another length.

        Args:
            scale: factor for all rates of the shape.
            duration_s: in place of its own.
        """
        rates = {
            name: value * scale
            for name, value in self.shape.model_dump().items()
            if name.endswith("_rps")
        }
        return self.model_copy(
            update={
                "shape": self.shape.model_copy(update=rates),
                "duration_s": self.duration_s if duration_s is None else duration_s,
            }
        )


class _File(_Closed):
    scenarios: dict[str, Scenario]


def read_scenarios(path: Path) -> dict[str, Scenario]:
    """Reads a file of scenarios.

    Returns:
        The scenarios by name.

    Raises:
        ScenarioFileError: it is not there, or says something that no scenario has.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        scenarios = _File(scenarios=tables).scenarios
    except OSError as error:
        raise ScenarioFileError(path, "", error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioFileError(path, "", str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        raise ScenarioFileError(path, field, first["msg"]) from error
    if not scenarios:
        raise ScenarioFileError(path, "", "It holds no scenario")
    return scenarios


def read_scenario(path: Path, name: str) -> Scenario:
    """Reads one scenario.

    Raises:
        ScenarioFileError: as `read_scenarios`.
        UnknownScenarioError: the file has no such scenario.
    """
    scenarios = read_scenarios(path)
    if name not in scenarios:
        raise UnknownScenarioError(name, scenarios)
    return scenarios[name]
