"""One graph to one TensorRT plan, with the facts that its report needs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exporters.atomic import atomic_file
from exporters.conversion.errors import EngineBuildError
from exporters.conversion.tensorrt.library import progress_monitor
from exporters.conversion.tensorrt.precisions import counts, engine_precisions, network_precisions
from exporters.conversion.tensorrt.quantised import require_fit_quantisation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from exporters.conversion.tensorrt.library import Session, TensorRt
    from exporters.conversion.tensorrt.profiles import Profile

_REASON_CHARS: Final = 300  # TensorRT's errors go on with paths of its own sources


@dataclass(frozen=True)
class EngineReport:
    """What was built.

    Attributes:
        graph: name of the graph.
        builder: library and version.
        device: the GPU that it was built for.
        profiles: number of optimisation profiles.
        layers: number of layers by kind (`products`, `others`) and precision.
        is_read_back: whether `layers` were read from the engine; else from the typed network.
        plan_bytes: size of the plan.
        build_s: how long it took, in seconds.
    """

    graph: str
    builder: str
    device: str
    profiles: int
    layers: Mapping[str, Mapping[str, int]]
    is_read_back: bool
    plan_bytes: int
    build_s: float


def build_engine(
    graph: Path,
    profiles: Sequence[Profile],
    plan: Path,
    library: TensorRt,
    *,
    timing_cache: Path | None = None,
    on_step: Callable[[str], None] = lambda phase: None,
) -> EngineReport:
    """Builds the engine of a graph, in the graph's own precisions.

    Args:
        graph: an ONNX file: fp32, fp16 inside, or with Q/DQ nodes.
        profiles: shapes that it is to take.
        plan: the file to write.
        library: what builds it.
        timing_cache: kernels that were timed before; read, and written with what was added.
        on_step: is told the name of each phase as its steps end; Ctrl-C ends the build there.

    Raises:
        UnfitQuantisationError: it is quantised in a way that TensorRT does not take.
        EngineBuildError: it was not parsed, or no engine was built.
        NoAcceleratorError: the library needs a GPU and finds none.
    """
    require_fit_quantisation(graph)
    started_s = time.monotonic()
    session = library.open()
    network = _parse(graph, session)
    config = session.config(timing_cache)
    for profile in profiles:
        config.add_optimization_profile(_as_library_profile(profile, session))
    monitor = progress_monitor(library.module, on_step)
    config.progress_monitor = monitor
    built = session.builder.build_serialized_network(network, config)
    if monitor.is_interrupted:
        raise KeyboardInterrupt
    if built is None:
        raise EngineBuildError(graph.name, "building", _first(session.log.errors))
    content = bytes(built)
    with atomic_file(plan) as path:
        path.write_bytes(content)
    if timing_cache is not None and (timings := session.timings(config)):
        with atomic_file(timing_cache) as path:
            path.write_bytes(timings)
    information = None if library.is_rehearsal else _inspect(content, graph.name, session)
    layers = (
        network_precisions(network, library.module)
        if information is None
        else engine_precisions(information)
    )
    return EngineReport(
        graph=graph.name,
        builder=f"{library.name} {library.version}",
        device=library.device,
        profiles=len(profiles),
        layers=counts(layers),
        is_read_back=information is not None,
        plan_bytes=len(content),
        build_s=time.monotonic() - started_s,
    )


def _parse(graph: Path, session: Session) -> Any:  # noqa: ANN401  # the library carries no types
    network = session.network()
    parser = session.library.module.OnnxParser(network, session.log)
    if not parser.parse_from_file(str(graph)):
        errors = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise EngineBuildError(graph.name, "parsing", _first(errors or session.log.errors))
    return network


def _as_library_profile(profile: Profile, session: Session) -> Any:  # noqa: ANN401
    made = session.builder.create_optimization_profile()
    for name, shapes in profile.items():
        made.set_shape(name, shapes.smallest, shapes.best, shapes.largest)
    return made


def _inspect(plan: bytes, graph: str, session: Session) -> str:
    """Loads the engine again and returns what its inspector says, as JSON."""
    module = session.library.module
    engine = module.Runtime(session.log).deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineBuildError(graph, "reading back", _first(session.log.errors))
    inspector = engine.create_engine_inspector()
    return str(inspector.get_engine_information(module.LayerInformationFormat.JSON))


def _first(errors: Sequence[str]) -> str:
    return " ".join(errors[0].split())[:_REASON_CHARS] if errors else "it gave no reason"
