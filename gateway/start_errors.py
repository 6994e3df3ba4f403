"""Errors that keep the process from starting; for the operator, one line for each fault.

StartError                           the process cannot start; for the operator
├── SettingsError                    the environment does not make valid settings
├── KeysFileError                    the file of API keys cannot be used
├── ReceiptKeysFileError             the file of receipt keys cannot be used
├── ExposedWithoutKeysError          other machines could reach it, and nothing asks for keys
├── TrafficFileError                 the file of experiments cannot be used
├── CaptureFolderError               the folder of the capture cannot be used
├── TracingError                     requests are to be traced and cannot be
├── BindError                        an address to listen on is taken or not ours
├── EndpointAddressError             the address of a Triton cannot be read
└── WorkerStartError                 a worker ended before it had served
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class StartError(Exception):
    """The process cannot start; the message says why and what to do, one line for each fault."""


class SettingsError(StartError):
    """The environment does not make valid settings."""


class KeysFileError(StartError):
    """The file of API keys cannot be used; none of it is.

    Attributes:
        path: of the file.
        faults: the place and the rule of each thing that is wrong, never what stands there.
    """

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(
            f"The file of API keys {path} cannot be used:\n{lines}\n"
            "python -m gateway.keys new --help shows what an entry looks like."
        )


class ReceiptKeysFileError(StartError):
    """The file of receipt keys cannot be used; none of it is.

    Attributes:
        path: of the file.
        faults: the place and the rule of each thing that is wrong, never what stands there.
    """

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(
            f"The file of receipt keys {path} cannot be used:\n{lines}\n"
            f"python -m gateway.receipts new {path} makes one."
        )


class CaptureFolderError(StartError):
    """The folder of the capture cannot be used.

    Attributes:
        path: of the folder.
        fault: what is wrong, and what to do.
    """

    def __init__(self, path: Path, fault: str) -> None:
        self.path = path
        self.fault = fault
        super().__init__(f"DIPTYCH_GATEWAY_CAPTURE_FOLDER={path} cannot be used: {fault}.")


class ExposedWithoutKeysError(StartError):
    """Other machines could reach the process, and there are no API keys to ask for.

    Attributes:
        host: that is not loopback.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(
            f"Without API keys the gateway serves this machine alone, and {host} is open to "
            "others. Make a key with `python -m gateway.keys new --id NAME --scope classify --file "
            "keys.toml` and set DIPTYCH_GATEWAY_API_KEYS_FILE=keys.toml, or bind 127.0.0.1."
        )


class BindError(StartError):
    """An address that the process is to listen on is taken or not one of this machine's.

    Attributes:
        address: the host and port.
    """

    def __init__(self, protocol: str, address: str) -> None:
        self.address = address
        super().__init__(
            f"{protocol} cannot listen on {address}: the port is taken or the address is not one "
            f"of this machine's. Set DIPTYCH_GATEWAY_{protocol}_HOST or _PORT to another."
        )


class EndpointAddressError(StartError, ValueError):
    """The address of a Triton cannot be read; a ValueError too, so that pydantic names the setting.

    Attributes:
        address: as it was written.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            f"{address!r} is not the address of a Triton. Write host:port, or dns:///name:port for "
            "all addresses behind a name; an IPv6 address stands in brackets."
        )


class TracingError(StartError):
    """Requests are to be traced, and a package is missing or a variable cannot be used."""


class WorkerStartError(StartError):
    """A worker ended before it had ever served: another try would end alike.

    Attributes:
        index: the worker's number.
        status: its exit status, negative for the signal that ended it.
    """

    def __init__(self, index: int, status: int) -> None:
        self.index = index
        self.status = status
        super().__init__(
            f"Worker {index} ended with status {status} before it served; what it wrote above says "
            "why. With DIPTYCH_GATEWAY_WORKERS=1 the same happens in one process."
        )


class TrafficFileError(StartError):
    """The file of experiments cannot be used.

    Attributes:
        path: of the file.
        fault: what is wrong with it.
    """

    def __init__(self, path: Path, fault: str) -> None:
        self.path = path
        self.fault = fault
        super().__init__(
            f"The experiments in {path} cannot be used: {fault}. "
            "Correct the file, or unset DIPTYCH_GATEWAY_EXPERIMENTS_FILE."
        )
