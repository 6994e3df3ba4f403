"""What runs a graph for a proof: onnxruntime with one provider, or TensorRT's own runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import onnxruntime

from exporters.conversion.errors import EngineBuildError, NoAcceleratorError
from exporters.conversion.tensorrt.engine import build_engine
from exporters.errors import MissingRequirementError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.conversion.tensorrt.library import TensorRt
    from exporters.conversion.tensorrt.profiles import Profile

    Outputs = tuple[NDArray[Any], ...]
    Run = Callable[[Mapping[str, NDArray[Any]]], Outputs]


class Runtime(Protocol):
    """Opens graphs on a device."""

    def open(self, graph: Path, profiles: Sequence[Profile]) -> Run:
        """Returns the function from a graph's inputs, by name, to its outputs in their order.

        Args:
            graph: the ONNX file.
            profiles: shapes that it will be given.
        """


@dataclass(frozen=True)
class OnnxRuntime:
    """onnxruntime with one execution provider, and no other to fall back to in silence."""

    provider: str = "CUDAExecutionProvider"

    def open(self, graph: Path, profiles: Sequence[Profile]) -> Run:
        """See `Runtime.open`; any shape is taken.

        Raises:
            MissingRequirementError: this onnxruntime was built without the provider.
            NoAcceleratorError: the provider was not taken.
        """
        if self.provider not in onnxruntime.get_available_providers():
            raise MissingRequirementError(
                f"onnxruntime with {self.provider}",
                "a proof of the target gpu",
                "pip uninstall onnxruntime && "
                f"pip install onnxruntime-gpu=={onnxruntime.__version__}",
            )
        session = onnxruntime.InferenceSession(graph, providers=[self.provider])
        if session.get_providers()[0] != self.provider:
            raise NoAcceleratorError(self.provider, "onnxruntime fell back to the CPU")

        def run(feeds: Mapping[str, NDArray[Any]]) -> Outputs:
            return tuple(session.run(None, dict(feeds)))

        return run


@dataclass(frozen=True)
class TensorRtRuntime:
    """TensorRT's runtime on an engine that is built first; torch holds the device's memory.

    Attributes:
        library: what builds and runs.
        scratch: folder for the plans.
    """

    library: TensorRt
    scratch: Path

    def open(self, graph: Path, profiles: Sequence[Profile]) -> Run:
        """See `Runtime.open`.

        Raises:
            ConversionError: no engine was built of the graph, or it could not be loaded.
        """
        import torch

        plan = self.scratch / f"{graph.stem}.plan"
        build_engine(graph, profiles, plan, self.library)
        module = self.library.module
        session = self.library.open()
        engine = module.Runtime(session.log).deserialize_cuda_engine(plan.read_bytes())
        if engine is None:
            raise EngineBuildError(graph.name, "loading", "; ".join(session.log.errors[:1]))
        context = engine.create_execution_context()
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        outputs = [
            name for name in names if engine.get_tensor_mode(name) == module.TensorIOMode.OUTPUT
        ]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # torch ships it untyped

        def run(feeds: Mapping[str, NDArray[Any]]) -> Outputs:
            shapes = {name: array.shape for name, array in feeds.items()}
            context.set_optimization_profile_async(
                _profile_of(profiles, shapes), stream.cuda_stream
            )
            # Kept until the stream is done: the context holds addresses alone.
            held = {name: torch.from_numpy(array).cuda() for name, array in feeds.items()}
            for name, tensor in held.items():
                context.set_input_shape(name, tuple(tensor.shape))
                context.set_tensor_address(name, tensor.data_ptr())
            answers = [
                torch.empty(
                    tuple(context.get_tensor_shape(name)), dtype=torch.float32, device="cuda"
                )
                for name in outputs
            ]
            for name, answer in zip(outputs, answers, strict=True):
                context.set_tensor_address(name, answer.data_ptr())
            torch.cuda.current_stream().synchronize()
            if not context.execute_async_v3(stream.cuda_stream):
                raise EngineBuildError(graph.name, "running", "; ".join(session.log.errors[:1]))
            stream.synchronize()
            return tuple(answer.cpu().numpy() for answer in answers)

        return run


def _profile_of(profiles: Sequence[Profile], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Position of the first profile that holds all shapes."""
    for index, profile in enumerate(profiles):
        if all(
            low <= size <= high
            for name, shape in shapes.items()
            for low, size, high in zip(
                profile[name].smallest, shape, profile[name].largest, strict=True
            )
        ):
            return index
    message = f"no profile holds {dict(shapes)}"
    raise ValueError(message)
