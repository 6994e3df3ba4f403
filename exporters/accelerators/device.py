"""The GPU at hand, as the driver's own tool tells of it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Final

from exporters.conversion.errors import NoAcceleratorError

_COMMAND: Final = (
    "nvidia-smi",
    "--query-gpu=name,memory.used",
    "--format=csv,noheader,nounits",
)
_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True)
class Gpu:
    """The first GPU.

    Attributes:
        name: as NVIDIA calls it.
        used_mib: memory that all processes on it hold, in MiB.
    """

    name: str
    used_mib: int


def find_gpu(needed_for: str) -> Gpu:
    """Asks the driver.

    Args:
        needed_for: what wants it, for the error.

    Raises:
        NoAcceleratorError: there is no driver, or no GPU behind it.
    """
    try:
        told = subprocess.run(
            _COMMAND, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
        name, used = told.stdout.splitlines()[0].rsplit(",", 1)
        return Gpu(name.strip(), int(used))
    except FileNotFoundError as error:
        raise NoAcceleratorError(
            needed_for, "nvidia-smi, which is the driver's, is not there"
        ) from error
    except subprocess.SubprocessError as error:
        raise NoAcceleratorError(needed_for, f"nvidia-smi failed ({error})") from error
    except (IndexError, ValueError) as error:
        raise NoAcceleratorError(needed_for, "nvidia-smi lists none") from error
