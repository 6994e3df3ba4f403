"""Two variants in one experiment, on two Tritons of one pool; one of them dies."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deploy.local.gateway_server import GatewayServer
from deploy.local.published import select
from deploy.local.triton_server import BundledTriton, free_ports
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from tests.e2e.stack import HOST
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

EXPERIMENT = """
[[experiments]]
name = "heads"
control = "shapes"
arms = { shapes = { weight = 1 }, averaged = { weight = 1 } }
"""


@dataclass(frozen=True)
class TwoTritons:
    """Processes that run, and a client of the gateway."""

    first: BundledTriton
    http: httpx.Client
    image: bytes

    def classify(self, unit: str) -> dict[str, Any]:
        """Classifies a red square, within the budget that production has."""
        response = self.http.post(
            "/v1/classify",
            files={"image": self.image},
            data={"text": "the square", "unit": unit},
            headers={"diptych-deadline-ms": "5000"},
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two variants over the same encoders."""
    folder = tmp_path_factory.mktemp("variants")
    recipe = write_small_recipe(folder / "recipe")
    other = recipe.with_name("averaged.toml")
    text = recipe.read_text(encoding="utf-8").replace('"shapes"', '"averaged"')
    other.write_text(text.replace('"gated"', '"mean_pooling"'), encoding="utf-8")
    for each in (recipe, other):
        export(load_recipe(str(each)), Workspace(folder / "workspace"), folder / "repository")
    return folder


@pytest.fixture
def two_tritons(folder: Path, tmp_path: Path) -> Iterator[TwoTritons]:
    repository = folder / "repository"
    experiments = tmp_path / "experiments.toml"
    experiments.write_text(EXPERIMENT, encoding="utf-8")
    models = select(repository, ["shapes", "averaged"]).models
    with ExitStack() as running:
        tritons = []
        for name in ("first", "second"):
            triton_http, grpc, metrics = free_ports(3)
            triton = BundledTriton(
                repository=repository,
                models=models,
                http_port=triton_http,
                grpc_port=grpc,
                metrics_port=metrics,
                log_path=tmp_path / f"{name}.log",
            )
            tritons.append(running.enter_context(triton))
        http, grpc = free_ports(2)
        server = GatewayServer(
            host=HOST,
            http_port=http,
            grpc_port=grpc,
            triton_grpc_url=tritons[0].grpc_url,
            probe_host=HOST,
            log_path=tmp_path / "gateway.log",
            variables={
                "DIPTYCH_GATEWAY_TRITON_CPU_ENDPOINTS": ",".join(each.grpc_url for each in tritons),
                "DIPTYCH_GATEWAY_EXPERIMENTS_FILE": str(experiments),
            },
        )
        running.enter_context(server)
        client = running.enter_context(httpx.Client(base_url=f"http://{HOST}:{http}", timeout=30))
        image = (folder / "recipe" / "data" / "images" / "000.png").read_bytes()
        yield TwoTritons(tritons[0], client, image)


def test_both_arms_answer_and_one_triton_killed_costs_nobody(two_tritons: TwoTritons) -> None:
    units = [f"user-{number}" for number in range(24)]
    before = {unit: two_tritons.classify(unit) for unit in units}
    arms = [answer["variant"] for answer in before.values()]
    # Which unit takes which arm depends on names alone: these 24 take both, today and tomorrow.
    assert min(arms.count("shapes"), arms.count("averaged")) > 3
    for answer in before.values():
        assert answer["assignment"]["arm"] == answer["variant"]
        assert (answer["pool"], answer["degraded"]) == ("cpu", None)

    with ThreadPoolExecutor(4) as callers:
        during = [callers.submit(two_tritons.classify, unit) for unit in units * 4]
        time.sleep(0.2)
        os.kill(two_tritons.first.pid or 0, signal.SIGKILL)
        answers = [each.result() for each in during]
    assert {answer["label"] for answer in answers} == {"red square"}

    after = {unit: two_tritons.classify(unit)["variant"] for unit in units}
    assert after == {unit: answer["variant"] for unit, answer in before.items()}
