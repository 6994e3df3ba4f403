"""Late fusion by voting: text, image and both together each cast a soft ballot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from exporters.heads.fusion import FusionHead
from exporters.heads.label_sets import average_answers
from exporters.heads.registry import fusion_head
from exporters.heads.side_classifiers import SideClassifiers, perceptron

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape

# Near enough to one voter, one label. A hard ballot would jump between labels on the last bit of a
# logit, which no parity proof survives, and has no probability to calibrate.
_SHARPNESS: Final = 4.0


@fusion_head("soft_vote")
class SoftVote(FusionHead):
    """Majority vote of three classifiers, by sharpened probabilities instead of hard ballots.

    Two voters that disagree are a tie, so a third one sees both modalities. Plurality voting and
    its soft form: Kuncheva 2004, "Combining Pattern Classifiers", chapters 4 and 5. All ballots
    count alike: weights learned from training examples go to the voter that knows those by heart.
    The logits are the logarithm of a label's share of the vote, which the temperature calibrates
    like any others.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.tasks = shape.tasks
        self.sides = SideClassifiers(shape)
        self.both = perceptron(shape.text_dim + shape.image_dim, shape)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        voters = torch.stack(self.fitted_logits(text, image))  # (3, batch, labels)
        return average_answers(_SHARPNESS * voters, self.tasks)

    def fitted_logits(self, text: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        """See `FusionHead.fitted_logits`: each voter by itself."""
        text_logits, image_logits = self.sides(text, image)
        return text_logits, image_logits, self.both(torch.cat([text, image], dim=-1))
