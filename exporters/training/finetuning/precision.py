"""Mixed precision where the device has it.

Micikevicius et al. 2018, "Mixed Precision Training". bf16 has fp32's range and needs no scaling of
the loss; GPUs before Ampere have fp16 alone, which does. On a CPU it is fp32 unless the recipe asks
for bf16: see exporters/DECISIONS.md, 21, for what it brought there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from typing import Literal


@dataclass(frozen=True)
class MixedPrecision:
    """Device and precision of the encoders' layers; heads and losses stay fp32.

    Attributes:
        device: where it runs.
        dtype: of the products; None: fp32.
        scaler: scales the loss of fp16; does nothing for the others.
    """

    device: torch.device
    dtype: torch.dtype | None
    scaler: torch.amp.GradScaler

    def autocast(self) -> AbstractContextManager[object]:
        """The block in which encoders compute."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def mixed_precision(wanted: Literal["auto", "fp32", "bf16"]) -> MixedPrecision:
    """Chooses the device, and the precision that it has."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype: torch.dtype | None = None
    if wanted == "bf16":
        dtype = torch.bfloat16
    elif wanted == "auto" and device.type == "cuda":
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
    return MixedPrecision(device, dtype, scaler)
