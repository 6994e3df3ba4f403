"""How Triton serves one encoder: its batches, how long it waits for them, processes and threads.

`variant_models` and `native_models` build configurations from it, and `python -m loadtest tune`
changes those of a published variant with it, so that what was tuned is what an export writes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from tritonclient.grpc import model_config_pb2

from exporters.repository.model_config import SETTINGS_PARAMETER

if TYPE_CHECKING:
    from exporters.recipe_sections import TargetRecipe

THREADS_SETTING: Final = "intra_op_threads"
"""Where a step of the python backend reads its number of threads."""


@dataclass(frozen=True)
class EncoderServing:
    """The settings of one encoder.

    Attributes:
        batch: rows of one execution, at most.
        delay_us: how long the oldest request may wait for a larger batch, in µs.
        instances: processes or sessions that run side by side.
        threads: of each of them.
    """

    batch: int
    delay_us: int
    instances: int
    threads: int

    @classmethod
    def of_images(cls, target: TargetRecipe) -> Self:
        """What a recipe says of the image encoder."""
        return cls(
            target.image_batch, target.image_delay_us, target.image_instances, target.image_threads
        )

    @classmethod
    def of_texts(cls, target: TargetRecipe) -> Self:
        """What a recipe says of the text encoder."""
        return cls(
            target.text_batch, target.text_delay_us, target.text_instances, target.text_threads
        )

    def applied_to(self, config: model_config_pb2.ModelConfig) -> model_config_pb2.ModelConfig:
        """Returns the configuration of a published encoder of the target `embedded`, served so.

        Args:
            config: of a model of the python backend, as the exporters wrote it; left as it is.
        """
        served = model_config_pb2.ModelConfig()
        served.CopyFrom(config)
        served.max_batch_size = self.batch
        served.dynamic_batching.max_queue_delay_microseconds = self.delay_us
        [group] = served.instance_group
        group.count = self.instances
        settings = json.loads(served.parameters[SETTINGS_PARAMETER].string_value)
        served.parameters[SETTINGS_PARAMETER].string_value = json.dumps(
            {**settings, THREADS_SETTING: self.threads}, sort_keys=True
        )
        return served
