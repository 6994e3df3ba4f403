"""Makes a trained variant smaller and faster, and says what that costs.

Below it stand training and evaluation: a method is judged as it is applied. `publishing.compressed`
proves and publishes what comes out.
"""

from exporters.compression.run import CompressedVariant, compress
from exporters.compression.step import Step, parse_steps

__all__ = ["CompressedVariant", "Step", "compress", "parse_steps"]
