"""The dashboards: service, Triton by step, experiments, capacity."""

from deploy.observability.boards.capacity import CAPACITY
from deploy.observability.boards.experiments import EXPERIMENTS
from deploy.observability.boards.service import SERVICE
from deploy.observability.boards.triton_steps import TRITON_STEPS

BOARDS = (SERVICE, TRITON_STEPS, EXPERIMENTS, CAPACITY)

__all__ = ["BOARDS", "CAPACITY", "EXPERIMENTS", "SERVICE", "TRITON_STEPS"]
