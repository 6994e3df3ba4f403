"""All rules of the doctor, a module for each part of a repository they look at."""

from typing import Final

from exporters.doctor.rules import accelerators, devices, ensembles, proofs, queues

RULES: Final = (
    *proofs.RULES,
    *ensembles.RULES,
    *queues.RULES,
    *devices.RULES,
    *accelerators.RULES,
)
"""In the order in which they are documented and looked at."""
