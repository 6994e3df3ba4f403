from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import bootstrap
from deploy.local.settings import Settings, env_name

SCRIPT = Path(bootstrap.__file__)
GOOD = bootstrap.Machine(
    python=(3, 11),
    has_ensurepip=True,
    system="Linux",
    architecture="x86_64",
    libc="glibc 2.36",
    free_disk_bytes=100 * bootstrap.GIB,
    free_shared_memory_bytes=bootstrap.GIB,
)


def test_machine_findings_good_machine_finds_nothing() -> None:
    assert bootstrap.machine_findings(GOOD, has_environment=False) == []


@pytest.mark.parametrize(
    ("fault", "word", "remedy"),
    [
        ({"python": (3, 10)}, "Python 3.10", "install Python 3.11"),
        ({"python": (3, 13)}, "Python 3.13", "install Python 3.11"),
        ({"has_ensurepip": False}, "virtual environment", "python3.11-venv"),
        ({"system": "Darwin", "architecture": "arm64"}, "Darwin arm64", "docker-compose.yml"),
        ({"architecture": "aarch64"}, "Linux aarch64", "docker-compose.yml"),
        ({"libc": "glibc 2.31"}, "glibc 2.31", "Debian 12"),
        ({"libc": ""}, "another C library", "Debian 12"),
        ({"free_disk_bytes": bootstrap.GIB}, "1.0 GiB free", "free some space"),
        ({"free_shared_memory_bytes": 64 * bootstrap.MIB}, "64 MiB free", "--shm-size"),
    ],
)
def test_machine_findings_one_fault_is_one_sentence_with_remedy(
    fault: dict[str, object], word: str, remedy: str
) -> None:
    machine = GOOD._replace(**fault)  # type: ignore[arg-type]  # the table above mixes types

    [sentence] = bootstrap.machine_findings(machine, has_environment=False)

    assert word in sentence
    assert remedy in sentence
    assert sentence.endswith(".")


def test_machine_findings_several_faults_are_all_told() -> None:
    machine = GOOD._replace(python=(3, 8), free_disk_bytes=0, free_shared_memory_bytes=0)

    assert len(bootstrap.machine_findings(machine, has_environment=False)) == 3


def test_machine_findings_existing_environment_asks_less() -> None:
    machine = GOOD._replace(has_ensurepip=False, free_disk_bytes=2 * bootstrap.GIB)

    assert bootstrap.machine_findings(machine, has_environment=True) == []


def test_port_findings_taken_port_names_port_owner_and_setting() -> None:
    setting = "DIPTYCH_LOCAL_GATEWAY_HTTP_PORT"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        [sentence] = bootstrap.port_findings(setting, port, owner="process 7 (nginx)")

    assert str(port) in sentence
    assert "gateway HTTP" in sentence
    assert "process 7 (nginx)" in sentence
    assert setting in sentence
    assert bootstrap.port_findings(setting, port) == []


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", ""])
def test_port_findings_no_port_is_refused(value: str) -> None:
    [sentence] = bootstrap.port_findings("DIPTYCH_LOCAL_TRITON_HTTP_PORT", value)

    assert "from 1 to 65535" in sentence


def test_ports_agree_with_settings() -> None:
    fields = {name: field for name, field in Settings.model_fields.items() if "port" in name}

    defaults = {setting: default for setting, (_, default) in bootstrap.PORTS.items()}
    assert defaults == {env_name(name): field.default for name, field in fields.items()}


def test_script_taken_port_ends_with_two_and_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = subprocess.run(
            [sys.executable, "-I", str(SCRIPT), "--ports"],
            env={**os.environ, "DIPTYCH_LOCAL_GATEWAY_GRPC_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert result.returncode == 2
    assert f"Port {port} (gateway gRPC) is taken" in result.stderr


def test_script_reads_under_the_oldest_syntax_it_claims() -> None:
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_script_imports_the_standard_library_alone() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {
        name.partition(".")[0]
        for node in imports
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }

    assert modules <= set(sys.stdlib_module_names)
