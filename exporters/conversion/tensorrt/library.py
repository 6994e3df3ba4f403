"""The two libraries that build engines, behind one small adapter.

`tensorrt` builds, on the GPU that will serve, the plans that Triton's backend loads. TensorRT for
RTX has the same builder and parser and needs no GPU to build; Triton does not load what it builds,
so it serves to rehearse: do the graphs parse, do the profiles fit, is the network typed as meant?
Where the two differ is said here and nowhere else.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exporters.conversion.errors import NoAcceleratorError
from exporters.errors import MissingRequirementError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RTX_PACKAGES: Final = "tensorrt-rtx-cu12-libs tensorrt-rtx-cu12-bindings"

# The oldest GPUs that the fp16 and int8 kernels of either library are made for (Ampere, GA10x).
_REHEARSED_ON: Final = "SM86"


@dataclass(frozen=True)
class TensorRt:
    """A builder library.

    Attributes:
        module: the imported library; `tensorrt` and TensorRT for RTX have one API.
        name: what its package is called.
        version: of the library. A plan loads in no other version.
        device: name of the GPU it builds for.
        is_rehearsal: whether it is TensorRT for RTX, whose engines Triton does not load.
    """

    module: Any
    name: str
    version: str
    device: str
    is_rehearsal: bool

    def open(self) -> Session:
        """Starts a builder.

        Raises:
            NoAcceleratorError: the library finds no GPU, and cannot build without.
        """
        log = _log_class(self.module)()
        try:
            builder = self.module.Builder(log)
        except (RuntimeError, TypeError) as error:  # its constructor returned a null pointer
            reason = log.errors[0] if log.errors else str(error)
            raise NoAcceleratorError("TensorRT", reason) from error
        return Session(self, log, builder)


@dataclass(frozen=True)
class Session:
    """A builder and what it said.

    Attributes:
        library: whose it is.
        log: its logger; `errors` are the lines of severity error.
        builder: the library's own.
    """

    library: TensorRt
    log: Any
    builder: Any

    def network(self) -> Any:  # noqa: ANN401  # the library carries no types
        """An empty network whose types are the graph's own, never the builder's choice."""
        flag = getattr(self.library.module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        # TensorRT 11 knows no other kind of network, and so may do without the flag.
        return self.builder.create_network(0 if flag is None else 1 << int(flag))

    def config(self, timing_cache: Path | None) -> Any:  # noqa: ANN401
        """A configuration that leaves the layers' formats readable in the engine.

        Args:
            timing_cache: kernels that were timed before; read when it is there.
        """
        module = self.library.module
        config = self.builder.create_builder_config()
        config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
        if self.library.is_rehearsal:
            config.num_compute_capabilities = 1
            config.set_compute_capability(getattr(module.ComputeCapability, _REHEARSED_ON), 0)
        elif timing_cache is not None:
            known = timing_cache.read_bytes() if timing_cache.is_file() else b""
            config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False)
        return config

    def timings(self, config: Any) -> bytes:  # noqa: ANN401
        """The kernels that were timed; empty of RTX, which times them when an engine first runs."""
        if self.library.is_rehearsal:
            return b""
        return bytes(config.get_timing_cache().serialize())


def find_tensorrt() -> TensorRt:
    """Finds the library whose plans Triton loads.

    Raises:
        MissingRequirementError: it is not installed.
        NoAcceleratorError: torch sees no CUDA device; plans are built on the one that serves them.
    """
    module = _import("tensorrt")
    if module is None:
        raise MissingRequirementError(
            "tensorrt",
            "the target tensorrt (`python -m exporters rehearse RECIPE` shows without it, and "
            "without a GPU, that the graphs convert)",
            "pip install tensorrt==VERSION, on the host with the GPU that will serve, in the "
            "version of its Triton container: a plan loads in no other",
        )
    import torch

    if not torch.cuda.is_available():
        raise NoAcceleratorError("TensorRT", "torch sees no CUDA device")
    return TensorRt(
        module, "tensorrt", module.__version__, torch.cuda.get_device_name(), is_rehearsal=False
    )


def find_rehearsal() -> TensorRt:
    """Finds TensorRT for RTX, which builds without a GPU.

    Raises:
        MissingRequirementError: it is not installed.
    """
    module = _import("tensorrt_rtx_bindings") or _import("tensorrt_rtx")
    if module is None:
        raise MissingRequirementError(
            "tensorrt-rtx", "a rehearsal of the target tensorrt", f"pip install {RTX_PACKAGES}"
        )
    return TensorRt(
        module, "tensorrt-rtx", module.__version__, f"none, for {_REHEARSED_ON}", is_rehearsal=True
    )


def progress_monitor(module: Any, on_step: Callable[[str], None]) -> Any:  # noqa: ANN401
    """A monitor that tells of each phase, and ends the build when Ctrl-C is pressed.

    Args:
        module: the library.
        on_step: is told the name of the phase that a step of ended.

    Returns:
        The library's monitor; its `is_interrupted` says whether a build without a result was ended.
    """

    class Monitor(module.IProgressMonitor):  # type: ignore[misc]  # the library carries no types
        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)
            self.is_interrupted = False

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """Told by the builder; nothing to do."""

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Whether to go on. An exception cannot pass through the builder: it is kept."""
            try:
                on_step(phase_name)
            except KeyboardInterrupt:
                self.is_interrupted = True
            return not self.is_interrupted

        def phase_finish(self, phase_name: str) -> None:
            """Told by the builder; nothing to do."""

    return Monitor()


def _import(name: str) -> Any:  # noqa: ANN401
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(name)
    except ImportError:
        return None


def _log_class(module: Any) -> Any:  # noqa: ANN401
    class Log(module.ILogger):  # type: ignore[misc]  # the library carries no types
        """Keeps errors for the exception that they become; what is less is nobody's news."""

        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:  # noqa: ANN401
            if severity <= module.Logger.Severity.ERROR:
                self.errors.append(message)

    return Log
