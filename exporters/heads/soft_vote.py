"""Late fusion by voting: text, image and both together each cast a soft ballot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from exporters.heads.fusion import FusionHead
from exporters.heads.registry import fusion_head
from exporters.heads.side_classifiers import SideClassifiers, perceptron

if TYPE_CHECKING:
    from exporters.heads.fusion import HeadShape

# Near enough to one voter, one label. A hard ballot would jump between labels on the last bit of a
# logit, which no parity proof survives, and has no probability to calibrate.
_SHARPNESS: Final = 4.0

_SPEED: Final = 10.0  # see weighted_sum


@fusion_head("soft_vote")
class SoftVote(FusionHead):
    """Weighted vote of three classifiers, by sharpened probabilities instead of hard ballots.

    Two voters that disagree are a tie, so a third one sees both modalities. Weighted voting:
    Kuncheva and Rodriguez 2014, "A weighted voting framework for classifiers ensembles"; here the
    weights are learned from the counted vote. The logits are the logarithm of a label's share of
    the vote, which the temperature calibrates like any others.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.sides = SideClassifiers(shape)
        self.both = perceptron(shape.text_dim + shape.image_dim, shape)
        self.say = nn.Parameter(torch.zeros(3))

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """See `FusionHead.fuse`."""
        return self._count(*self._voters(text, image))

    def fitted_logits(self, text: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        """See `FusionHead.fitted_logits`: each voter by itself, and the voters' weights."""
        voters = self._voters(text, image)
        return (*voters, self._count(*(voter.detach() for voter in voters)))

    def learned_weights(self) -> dict[str, float]:
        """See `FusionHead.learned_weights`: what each voter's ballot counts."""
        weights = (_SPEED * self.say).softmax(dim=0).tolist()
        return dict(zip(("text", "image", "both"), weights, strict=True))

    def _voters(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        text_logits, image_logits = self.sides(text, image)
        return text_logits, image_logits, self.both(torch.cat([text, image], dim=-1))

    def _count(self, *voters: Tensor) -> Tensor:
        ballots = (_SHARPNESS * torch.stack(voters)).log_softmax(dim=-1)  # (3, batch, labels)
        weights = (_SPEED * self.say).log_softmax(dim=0)
        return (ballots + weights[:, None, None]).logsumexp(dim=0)
