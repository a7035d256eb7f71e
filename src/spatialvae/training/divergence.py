"""Training that diverged: looked for before anything is stored, reported with a remedy, not held against the folder.

What is in a run folder never comes from a step that diverged. The same command then goes on from the newest checkpoint
with a smaller step, which the rule that a run has one set of settings would forbid; the journal keeps the change.
"""

from __future__ import annotations

import math

import torch

from spatialvae.config import AbstractOptimisation
from spatialvae.errors import UserError
from spatialvae.runtime.evaluating import evaluating
from spatialvae.runtime.precision import resolve_precision
from spatialvae.seeding import seeded
from spatialvae.tensors import not_finite
from spatialvae.training.checkpoint import latest_checkpoint
from spatialvae.training.journal import Journal
from spatialvae.training.run import Run
from spatialvae.training.stage import AbstractStage
from spatialvae.training.state import TrainingState, cut

__all__ = ["REMEDIES", "Diverged", "Watch", "spell_remedies"]

REMEDIES = frozenset({"learning_rate", "clip", "precision"})
"""Settings that may change when a run goes on after it diverged."""
USUAL_CLIP = 1000
"""Nats; some ten times the gradient's norm in a run that goes well."""


class Diverged(UserError):
    """Training came to numbers that are not finite; nothing of them was stored."""


class Watch:
    """Looks at a run's numbers before they are stored, and ends it where they are not finite."""

    def __init__(self, stage: AbstractStage, run: Run, journal: Journal) -> None:
        self._stage, self.run, self.journal = stage, run, journal

    def loss(self, values: dict[str, float], step: int) -> None:
        """Stop at a loss, or a term of it, that is not finite.

        Raises:
            Diverged: with the terms, what is kept, and what to try.
        """
        if not all(map(math.isfinite, values.values())):
            self._end(step, f"loss is not finite at step {step}: {self._stage.not_finite(values)}")

    def state(self, state: TrainingState) -> dict[str, float]:
        """What a checkpoint is measured by, once weights, moments and all of these measures are finite.

        The loss of a step is that of the weights before it: weights that this very step ruined are found here. What is
        measured is the average of the weights, where there is one; those that training goes on from are tried as well.

        Raises:
            Diverged: with what is not finite, what is kept, and what to try.
        """
        broken = not_finite(state.tensors)
        if broken:
            more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
            self._end(state.step, f"weights are not finite after step {state.step}: {broken[0]}{more}")
        measured = self._stage.validate(state.scored)
        tried = {**measured, **self._tried(state)}
        if not all(map(math.isfinite, tried.values())):
            terms = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in tried.items())
            self._end(state.step, f"weights are of no use after step {state.step}: {terms}")
        return measured

    @torch.no_grad()
    def _tried(self, state: TrainingState) -> dict[str, float]:
        """The loss of the weights behind an average, on the next batch."""
        if state.average is None:
            return {}
        config = self._stage.optimisation
        with evaluating(state.network), seeded(config.seed):
            batch = cut(state.batches(state.step), config.accumulate)[0]
            loss, _ = self._stage.loss(state.network, state.network, batch, state.step * config.batch_size)
        return {"loss": loss.item()}

    def _end(self, step: int, what: str) -> None:
        self.journal.write(step * self._stage.optimisation.batch_size, {"diverged": what})
        kept, remedies = latest_checkpoint(self.run.checkpoints), spell_remedies(self._stage.optimisation)
        if kept is None:
            after = f"Nothing is stored yet: repeat {self._stage.command} with {remedies}"
        else:
            images = kept[1]["images"]
            after = (
                f"The checkpoint after {images:,} images is kept: {self._stage.command} goes on from it with {remedies}"
            )
        raise Diverged(f"The {what}.\n{after}.")


def spell_remedies(config: AbstractOptimisation) -> str:
    """The settings to try, by name and value.

    >>> from spatialvae.config import Optimisation
    >>> spell_remedies(Optimisation(learning_rate=1e20, precision="fp32"))
    '`learning_rate` 0.001 (or `clip` 1000)'
    >>> spell_remedies(Optimisation(learning_rate=1e-4, clip=50, precision="bf16"))
    '`learning_rate` 0.00003 (or `clip` 5, `precision` fp32)'
    """
    fields = type(config).model_fields
    rate = min(config.learning_rate / 3, fields["learning_rate"].default)
    clip = fields["clip"].default or USUAL_CLIP
    others = [f"`clip` {clip if config.clip is None else min(clip, config.clip / 10):g}"]
    if resolve_precision(config.precision) != "fp32":
        others.append("`precision` fp32")
    return f"`learning_rate` {_one_digit(rate)} (or {', '.join(others)})"


def _one_digit(value: float) -> str:
    """A number below 1 in decimals, up to its first digit that is not 0."""
    rounded = float(f"{value:.1g}")
    return f"{rounded:.{-math.floor(math.log10(rounded))}f}"
