"""Reads a model repository and says what would go wrong in production.

Each rule is a small function in `rules`; `examine` runs all of them. `exporters doctor` prints the
findings, `exporters export` refuses to publish what has an error, and the local launcher runs the
command before it starts Triton. Loads neither torch nor a graph: it is done in a second.
"""

from exporters.doctor.examination import examine
from exporters.doctor.finding import Finding, Severity
from exporters.doctor.machine import Machine
from exporters.doctor.model_repository import ModelRepository, read_repository

__all__ = ["Finding", "Machine", "ModelRepository", "Severity", "examine", "read_repository"]
