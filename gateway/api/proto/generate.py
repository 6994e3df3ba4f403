"""Generates the stubs beside each `.proto`: `python -m gateway.api.proto.generate`.

A test generates them anew and compares.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

PROTOS: Final = (
    Path("gateway/api/proto/diptych/v1/classify.proto"),
    Path("gateway/api/proto/diptych/v1/feedback.proto"),
    Path("gateway/receipts/receipt.proto"),
)
"""Relative to the repository's root, as the generated imports follow it."""

_ROOT: Final = Path(__file__).resolve().parents[3]


class GenerationError(Exception):
    """The protocol compiler refused the contract; it says why on standard error."""


def generate(target: Path) -> list[Path]:
    """Generates the stubs.

    Args:
        target: folder that takes the place of the repository's root.

    Returns:
        The files that were written.

    Raises:
        GenerationError: the contract does not compile.
    """
    # A development tool: not installed where the gateway serves.
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as scratch:
        arguments = ["protoc", f"-I{_ROOT}"]
        arguments += [f"--{kind}_out={scratch}" for kind in ("python", "pyi", "grpc_python")]
        protos = [str(each) for each in PROTOS]
        if protoc.main([*arguments, *protos]) != 0:
            raise GenerationError(", ".join(protos))
        written = []
        without_service = {
            each.stem for each in PROTOS if "\nservice " not in (_ROOT / each).read_text()
        }
        for made in sorted(Path(scratch).rglob("*_pb2*")):
            if made.name.removesuffix("_pb2_grpc.py") in without_service:
                continue
            file = target / made.relative_to(scratch)
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(file.suffix + ".partial")
            partial.write_bytes(made.read_bytes())
            partial.replace(file)
            written.append(file)
    return written


if __name__ == "__main__":
    generate(_ROOT)
