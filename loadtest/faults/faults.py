"""The faults: how each is done, and how it is undone.

`strike` and `heal` run beside the load. `heal` returns when the cause is gone: a Triton
that was killed is ready again.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from loadtest.faults.paced_variant import USUAL_PACE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadtest.faults.arena import Arena, PacedTriton

_SLOW_MS: Final = 1_000.0
_STEP_S: Final = 1.0
_STUB: Final = "triton_python_backend_stub"
_FILLER: Final = "filler"
_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        name: what people call it.
        strike: makes it happen.
        heal: ends it.
        has_survivors: whether servers are left that are well, so that hardly a request may fail.
        needs_shared_memory: whether each Triton must have a /dev/shm of its own.
        variables: of the gateway's environment, given the arena.
        may_reset: whether connections may be reset, as whoever held them was killed.
        has_shown: whether the gateway's log shows that it was struck, where callers see nothing.
    """

    name: str
    strike: Callable[[Arena], None]
    heal: Callable[[Arena], None]
    has_survivors: bool
    needs_shared_memory: bool = False
    variables: Callable[[Arena], Mapping[str, str]] = field(default=lambda _: {})
    may_reset: bool = False
    has_shown: Callable[[Sequence[Mapping[str, Any]]], bool] = field(default=lambda _: True)


def _kill_first(arena: Arena) -> None:
    _signal(arena.tritons[0], signal.SIGKILL)


def _restart_first(arena: Arena) -> None:
    arena.restart(arena.tritons[0])


def _kill_all(arena: Arena) -> None:
    for each in arena.tritons:
        _signal(each, signal.SIGKILL)


def _restart_all(arena: Arena) -> None:
    for each in arena.tritons:
        each.start()
    for each in arena.tritons:
        each.wait_ready(60.0)


def _freeze_first(arena: Arena) -> None:
    _signal(arena.tritons[0], signal.SIGSTOP)


def _thaw_first(arena: Arena) -> None:
    _signal(arena.tritons[0], signal.SIGCONT)


def _freeze_all(arena: Arena) -> None:
    for each in arena.tritons:
        _signal(each, signal.SIGSTOP)


def _thaw_all(arena: Arena) -> None:
    for each in arena.tritons:
        _signal(each, signal.SIGCONT)


def _open_black_hole(arena: Arena) -> None:
    arena.relay.set_black_hole(True)


def _close_black_hole(arena: Arena) -> None:
    arena.relay.set_black_hole(False)


def _kill_stubs(arena: Arena) -> None:
    _kill_model_processes(arena.tritons[0])


def _kill_model_processes(triton: PacedTriton) -> None:
    for process in psutil.Process(triton.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name().startswith(_STUB[:15]):  # as the kernel cuts names
                process.kill()


def _do_nothing(_: Arena) -> None:
    """Whoever owns the process starts it again by itself."""


def _slow_first(arena: Arena) -> None:
    arena.tritons[0].set_pace(_SLOW_MS)


def _slow_all(arena: Arena) -> None:
    for each in arena.tritons:
        each.set_pace(_SLOW_MS)


def _usual_pace(arena: Arena) -> None:
    for each in arena.tritons:
        each.set_pace(USUAL_PACE_MS)


def _fill_shared_memory(arena: Arena) -> None:
    """Fills it and ends the model processes: those that run have theirs, new ones find none."""
    for each in arena.tritons:
        with (each.shared_memory / _FILLER).open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(_CHUNK_BYTES))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        _kill_model_processes(each)


def _empty_shared_memory(arena: Arena) -> None:
    """Starts the Tritons again, which are given an empty one.

    Room alone would not do: a Triton whose model process could not be started for want of shared
    memory keeps that model's requests for ever (2.51), and no later process is started.
    """
    _kill_all(arena)
    _restart_all(arena)


def _spoil_database(arena: Arena) -> None:
    """Overwrites it in place: a file that is only moved stays open, and is read as before."""
    for path in arena.database_file.parent.iterdir():
        kept = arena.kept_folder / path.name
        kept.write_bytes(path.read_bytes())
        _overwrite(path, bytes(path.stat().st_size))


def _restore_database(arena: Arena) -> None:
    for kept in arena.kept_folder.iterdir():
        _overwrite(arena.database_file.parent / kept.name, kept.read_bytes())


def _overwrite(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


def _break_config_files(arena: Arena) -> None:
    for path in (arena.keys_file, arena.experiments_file):
        path.write_text("broken = [", encoding="ascii")


def _mend_config_files(arena: Arena) -> None:
    arena.write_config_files()


def _kill_worker(arena: Arena) -> None:
    assert arena.gateway is not None  # noqa: S101 - a fault is done to a running gateway
    workers = psutil.Process(arena.gateway.pid).children()
    max(workers, key=lambda each: each.create_time()).kill()


def _step_clock(arena: Arena) -> None:
    for offset in ("+3600", "-3600", "+86400"):
        arena.clock_file.write_text(offset, encoding="ascii")
        time.sleep(_STEP_S)


def _set_clock_right(arena: Arena) -> None:
    arena.clock_file.write_text("+0", encoding="ascii")


def _faked_clock(arena: Arena) -> Mapping[str, str]:
    _set_clock_right(arena)
    return {
        "LD_PRELOAD": str(_clock_library()),
        "FAKETIME_TIMESTAMP_FILE": str(arena.clock_file),
        "FAKETIME_NO_CACHE": "1",
        # A step moves the wall clock alone: what CLOCK_MONOTONIC says is never stepped.
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def _has_refused_files(events: Sequence[Mapping[str, Any]]) -> bool:
    seen = {(each["event"], each.get("source")) for each in events}
    return {("api_keys_refused", None), ("traffic_refused", "file")} <= seen


def _has_missed_database(events: Sequence[Mapping[str, Any]]) -> bool:
    return any(each["event"] == "traffic_refused" and each["source"] == "store" for each in events)


def _has_lost_worker(events: Sequence[Mapping[str, Any]]) -> bool:
    return any(each["event"] == "worker_ended" for each in events)


def _has_stepped(events: Sequence[Mapping[str, Any]]) -> bool:
    times = [datetime.fromisoformat(each["time"]) for each in events]
    return max(times) - min(times) > timedelta(hours=1)


def _clock_library() -> Path:
    # The package carries the library of that name; its Python side is for tests and not needed.
    spec = find_spec("libfaketime")
    assert spec is not None  # noqa: S101 - one of the pinned packages
    assert spec.origin is not None  # noqa: S101 - a package with a file
    return Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"


def _signal(triton: PacedTriton, number: signal.Signals) -> None:
    assert triton.pid is not None  # noqa: S101 - it was started
    # Its models run in processes of its group: a frozen server is frozen with them.
    os.killpg(triton.pid, number)


FAULTS: Final = (
    Fault("triton killed", _kill_first, _restart_first, has_survivors=True),
    Fault("every triton killed", _kill_all, _restart_all, has_survivors=False),
    Fault("triton frozen", _freeze_first, _thaw_first, has_survivors=True),
    Fault("every triton frozen", _freeze_all, _thaw_all, has_survivors=False),
    Fault("black hole", _open_black_hole, _close_black_hole, has_survivors=True),
    Fault("model process killed", _kill_stubs, _do_nothing, has_survivors=True),
    Fault("slow model", _slow_first, _usual_pace, has_survivors=True),
    Fault("slow model everywhere", _slow_all, _usual_pace, has_survivors=False),
    Fault(
        "full shared memory",
        _fill_shared_memory,
        _empty_shared_memory,
        has_survivors=False,
        needs_shared_memory=True,
    ),
    Fault(
        "database gone",
        _spoil_database,
        _restore_database,
        has_survivors=True,
        has_shown=_has_missed_database,
    ),
    Fault(
        "config files broken",
        _break_config_files,
        _mend_config_files,
        has_survivors=True,
        has_shown=_has_refused_files,
    ),
    Fault(
        "gateway worker killed",
        _kill_worker,
        _do_nothing,
        has_survivors=True,
        variables=lambda _: {"DIPTYCH_GATEWAY_WORKERS": "2"},
        may_reset=True,
        has_shown=_has_lost_worker,
    ),
    Fault(
        "clock stepped",
        _step_clock,
        _set_clock_right,
        has_survivors=True,
        variables=_faked_clock,
        has_shown=_has_stepped,
    ),
)
