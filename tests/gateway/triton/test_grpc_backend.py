from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

import pytest
from tritonclient.grpc import service_pb2

from gateway.errors import BackendUnavailableError, DeadlineExceededError, VariantUnavailableError
from tests.gateway.conftest import eventually
from tests.gateway.connections import connect
from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from gateway.triton.grpc_backend import TritonBackend
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

MODEL = next(name for name in make_repository() if "-text-" in name)


async def infer(backend: TritonBackend, text: bytes, model: str = MODEL) -> list[float]:
    rows = await backend.infer(
        model, {"TEXT": text}, ["LOGITS", "TEXT_TRACE"], timeout_s=0.5, request_id="r"
    )
    logits: list[float] = rows["LOGITS"].tolist()
    return logits


async def test_infer_returns_rows_without_the_batch_axis(triton: FakeTriton) -> None:
    async with connect(triton) as backend:
        assert await infer(backend, b"a") == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("length", [0, 1, 123, 124, 127, 128, 16_379, 16_380, 70_000])
async def test_infer_sends_what_protobuf_would_write(triton: FakeTriton, length: int) -> None:
    model = next(name for name in make_repository() if "-both-" in name)
    image, text = bytes(range(256)) * 274, "ä".encode()
    image = image[:length]
    async with connect(triton) as backend:
        await backend.infer(
            model, {"IMAGE": image, "TEXT": text}, ["LOGITS"], timeout_s=5.0, request_id="id-1"
        )
    (sent,) = triton.requests
    expected = service_pb2.ModelInferRequest(model_name=model, id="id-1")
    for name, content in (("IMAGE", image), ("TEXT", text)):
        expected.inputs.add(name=name, datatype="BYTES", shape=(1, 1))
        expected.raw_input_contents.append(struct.pack("<I", len(content)) + content)
    expected.outputs.add(name="LOGITS")
    assert sent == expected


async def test_infer_past_its_time_cancels_the_call(triton: FakeTriton) -> None:
    async with connect(triton) as backend:
        with pytest.raises(DeadlineExceededError):
            await infer(backend, b"wait")
        await eventually(lambda: triton.cancelled == 1)


async def test_infer_unknown_model_is_unavailable(triton: FakeTriton) -> None:
    async with connect(triton) as backend:
        with pytest.raises(VariantUnavailableError):
            await infer(backend, b"a", "no such")


async def test_infer_works_again_within_two_seconds_of_a_restart(triton: FakeTriton) -> None:
    async with connect(triton) as backend:
        await infer(backend, b"a")
        await triton.stop()
        with pytest.raises(BackendUnavailableError):
            await infer(backend, b"a")
        assert not await backend.is_server_ready(timeout_s=1)
        await asyncio.sleep(1)  # long enough for the waits between two tries to grow
        await triton.start(triton.port)
        async with asyncio.timeout(2):
            while not await backend.is_server_ready(timeout_s=1):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await infer(backend, b"a") == [0.0, 1.0, 2.0]


async def test_model_without_a_manifest_has_no_such_parameter(triton: FakeTriton) -> None:
    triton.repository["encoder"] = None
    async with connect(triton) as backend:
        model = await backend.model("encoder", timeout_s=1)
        assert "diptych_manifest" not in model.parameters
