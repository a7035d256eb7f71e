"""A discriminator that is trained against the model: what it adds to the model's loss, and its own steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from spatialvae.data.pixels import to_float
from spatialvae.training.discriminator import PatchDiscriminator, hinge_loss
from spatialvae.training.pictures import Seen

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["CAP", "Adversary"]

CAP = 10.0
"""The largest weight of the scores, in nats for each number of an image: without one it grows without bound where the
discriminator sees no difference any more, and a step is all noise."""
BETAS = (0.5, 0.9)
"""Of Adam: of what the model was a hundred steps ago, the discriminator should know little."""
TINY = 1e-8


class Adversary:
    """The discriminator, its optimiser, and what it has yet to learn from.

    Args:
        image_shape: (C, H, W).
        share: of the gradient that the scores have on the decoder's outputs, in that of the rest of the loss.
        begins: images after which it takes part.
        learning_rate: of the first step; the schedule changes it as the model's.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        device: torch.device,
        *,
        share: float,
        begins: int,
        learning_rate: float,
    ) -> None:
        self.network: nn.Module = PatchDiscriminator(image_shape).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=learning_rate, betas=BETAS)
        self._wrapped = self.network
        self._share, self._begins, self._numbers = share, begins, image_shape[0] * image_shape[1] * image_shape[2]
        self._judged: tuple[Tensor, Tensor] | None = None

    def prepare(self, accelerator: Accelerator) -> None:
        """Share its gradients with other processes. All of it is in float32, and out of a gradient scaler's way."""
        self._wrapped = accelerator.prepare(self.network)

    def takes_part(self, seen: int) -> bool:
        """Whether it does after so many images."""
        return seen >= self._begins

    def judge(self, loss: Tensor, images: Tensor, made: Seen, seen: int) -> tuple[Tensor, dict[str, Tensor]]:
        """What is added to the model's `loss` a batch, in nats, and the terms of the journal [1] each.

            N lambda g,   g = -mean D(x'),   lambda = min(share |dL/do| / (N |dg/do|), cap),

        with the N numbers of an image, and the gradients on the decoder's outputs o. The weights of D get none of it.
        """
        if not self.takes_part(seen):
            nothing = loss.new_zeros(1)
            return loss.new_zeros(()), {"adversarial": nothing, "adversarial_weight": nothing}
        self.network.requires_grad_(False)
        term = -self.network(made.means).mean()
        self.network.requires_grad_(True)
        whole, own = (torch.autograd.grad(one, made.outputs, retain_graph=True)[0].norm() for one in (loss, term))
        weight = (self._share * whole / (self._numbers * own + TINY)).clamp(max=CAP)
        weight = torch.where(weight.isfinite(), weight, 0.0)  # of a step in fp16 that is left out
        self._judged = to_float(images), made.means.detach()
        named = {"adversarial": term.detach()[None], "adversarial_weight": weight[None]}
        return self._numbers * weight * term, named

    def learn(self, parts: int) -> Tensor | None:
        """Add the gradients of its own loss on what it judged last, one of so many parts of a batch; that loss."""
        if self._judged is None:
            return None
        images, pictures = self._judged
        self._judged = None
        loss = hinge_loss(*self._wrapped(torch.cat([images, pictures])).chunk(2))
        (loss / parts).backward()
        return loss.detach()

    def step(self, rate: float) -> None:
        """One step of its weights, from the gradients so far."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
