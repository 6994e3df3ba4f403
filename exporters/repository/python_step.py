"""A model of the python backend: its files, and the code that travels with them.

Each step computes once while it loads, so that the first caller does not pay for it.
"""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gateway.contract
from exporters import preprocessing
from exporters.repository import python_backend
from exporters.repository.encoder_serving import THREADS_SETTING, EncoderServing
from exporters.repository.model_config import StepModel, TensorSpec
from exporters.repository.model_folder import ModelFolder, identified

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


def python_step(  # the parts of one model, all named at the call
    *,
    prefix: str,
    files: Mapping[str, Path],
    settings: dict[str, Any],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    serving: EncoderServing,
) -> ModelFolder:
    """A model that the python backend runs, with the code that it needs.

    Args:
        prefix: what its name begins with.
        files: its own files, by their path in the version folder.
        settings: what the step reads when it starts; `step` names its module.
        inputs: the tensors it takes.
        outputs: the tensors it gives.
        serving: its batches, processes and threads.
    """
    model = StepModel(
        name=prefix,
        inputs=inputs,
        outputs=outputs,
        max_batch_size=serving.batch,
        instances=serving.instances,
        settings={**settings, THREADS_SETTING: serving.threads, "is_warmed_at_load": True},
        delay_us=serving.delay_us,
    )
    return identified(prefix, model, {**files, **_travelling_code()})


def _travelling_code() -> dict[str, Path]:
    """The python files of a step, by their path in the model's version folder."""
    code: dict[str, Path] = {"model.py": _folder(python_backend) / "model.py"}
    for package in (python_backend, preprocessing):
        code.update({_importable(package, path): path for path in _folder(package).glob("*.py")})
    for name in ("__init__.py", "input_fault.py", "tensors.py"):
        path = _folder(gateway.contract) / name
        code[_importable(gateway.contract, path)] = path
    for package_path in ("exporters", "exporters/repository", "gateway"):
        package_folder = Path(str(package_files(package_path.replace("/", "."))))
        code[f"{package_path}/__init__.py"] = package_folder / "__init__.py"
    return code


def _folder(package: ModuleType) -> Path:
    return Path(str(package_files(package)))


def _importable(package: ModuleType, path: Path) -> str:
    return f"{package.__name__.replace('.', '/')}/{path.name}"
