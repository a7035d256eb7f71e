"""The settings of a comparison by name, divided into those of the plan, of every training and of every evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spatialvae.config import NOT_COMPARED, CompareConfig, EvaluationConfig, TrainConfig
from spatialvae.errors import UserError
from spatialvae.priors import AbstractModelFamily, names_of
from spatialvae.settings import divided

__all__ = ["ComparisonSettings"]

ALWAYS = "standard"
"""The prior that every model can be measured with, whichever it was trained with."""


@dataclass(frozen=True)
class ComparisonSettings:
    """What is compared, how every model is trained, and what is measured.

    >>> settings = ComparisonSettings.of({"latent": ["vector"], "beta": 2.0, "epochs": 3, "limit": 100}, "compare")
    >>> settings.plan.beta, settings.training.optimisation.epochs, settings.evaluation.limit
    ([2.0], 3.0, 100)
    """

    plan: CompareConfig
    training: TrainConfig
    """Its latent, beta and seed take the values of the plan."""
    evaluation: EvaluationConfig

    @classmethod
    def of(cls, values: Mapping[str, object], where: str) -> ComparisonSettings:
        """The settings from values by name.

        Args:
            values: fields of `CompareConfig`, `TrainConfig` and `EvaluationConfig`, `seed` aside.
            where: what holds the values, for messages.

        Raises:
            UserError: an unknown name, or a value that is not possible.
        """
        compared, trained, evaluated = divided(
            values, where, CompareConfig, TrainConfig, EvaluationConfig, without=NOT_COMPARED
        )
        plan = CompareConfig.parse(compared, where)
        if plan.prior is not None:
            trained["prior"], evaluated["prior"] = _priors(plan.prior, where)
        return cls(plan, TrainConfig.parse(trained, where), EvaluationConfig.parse(evaluated, where))


def _priors(names: list[str], where: str) -> tuple[str, list[str]]:
    """Of the priors that were named the one to train with, and what all are called when they are measured.

    >>> _priors(["standard", "learned:latent=naive", "gaussian"], "compare")
    ('learned:latent=naive', ['standard', 'learned', 'gaussian'])
    """
    of_models = set(names_of(AbstractModelFamily)) - {ALWAYS}
    trained = [name for name in names if _family(name) in of_models]
    if len(trained) > 1:
        raise UserError(
            f"{where}: `prior` names {trained[0]} and {trained[1]}, but a model is trained with one prior: keep one."
        )
    called = [_family(name) if name in trained else name for name in names]
    return (trained[0] if trained else ALWAYS), list(dict.fromkeys(called))


def _family(name: str) -> str:
    return name.strip().partition(":")[0]
