"""The one error of preprocessing: the input is at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.contract.input_fault import InputFault


class InputFaultError(ValueError):
    """An image or a text that cannot be preprocessed.

    Attributes:
        fault: what is wrong, for the caller.
    """

    def __init__(self, fault: InputFault) -> None:
        super().__init__(f"{fault.field}: {fault.detail}")
        self.fault = fault
