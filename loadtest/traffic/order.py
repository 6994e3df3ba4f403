"""What a process that sends is told, as JSON: the scenario, where to, and among how many."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from loadtest.traffic.scenario import Scenario

PATIENCE_S: Final = 10.0
"""How long an answer is awaited after its request was due, and connections are tried."""


class Order(BaseModel):
    """Everything but the API key, which stays in the environment.

    Attributes:
        name: of the scenario.
        scenario: what to send.
        url: of the REST API, without a path.
        grpc_target: of the gRPC API; None where nothing is sent to it.
        samples: folder of held-out examples.
        senders: processes that share the rate.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    scenario: Scenario
    url: str
    grpc_target: str | None
    samples: str
    senders: Annotated[int, Field(ge=1)] = 1
