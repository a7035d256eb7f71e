"""A comparison's settings of three kinds, side by side in one YAML file and on one command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spatialvae.config import CompareConfig, EvaluationConfig, TrainConfig
from spatialvae.errors import UserError, nearest
from spatialvae.settings import read_settings

__all__ = ["NOT_FLAGS", "comparison_settings"]

NOT_FLAGS = ("seed",)
"""Trained are the seeds 0 to N-1; measured is with seed 0."""

_COMPARED = CompareConfig.model_fields.keys()
_TRAINED = TrainConfig.model_fields.keys() - _COMPARED - set(NOT_FLAGS)
_EVALUATED = EvaluationConfig.model_fields.keys() - _COMPARED - set(NOT_FLAGS)


def comparison_settings(
    path: Path | None, flags: dict[str, Any]
) -> tuple[CompareConfig, TrainConfig, EvaluationConfig]:
    """What to compare, how to train and what to measure, from a YAML file and flags, which go before the file.

    Raises:
        UserError: an unknown name, a value that is not possible, in the file or on the command line.
    """
    before: dict[str, Any] = {}
    if path is not None:
        before = read_settings(path)
        _divide(before, str(path))  # so that a mistake in the file is reported as one
    if {"images", "epochs"} & flags.keys():  # one length takes the place of the other
        before = {name: value for name, value in before.items() if name not in ("images", "epochs")}
    return _divide({**before, **flags}, "compare")


def _divide(values: dict[str, Any], where: str) -> tuple[CompareConfig, TrainConfig, EvaluationConfig]:
    known = [*_COMPARED, *sorted(_TRAINED), *sorted(_EVALUATED)]
    for name in values:
        if name not in known:
            raise UserError(f"{where} has an unknown setting {name!r}. {nearest(str(name), known)}")
    compared, trained, evaluated = (
        {name: value for name, value in values.items() if name in names} for names in (_COMPARED, _TRAINED, _EVALUATED)
    )
    wanted = CompareConfig.parse(compared, where)
    if wanted.prior is not None:
        trained["prior"], evaluated["prior"] = _priors(wanted.prior, where)
    return wanted, TrainConfig.parse(trained, where), EvaluationConfig.parse(evaluated, where)


def _priors(named: list[str], where: str) -> tuple[str, list[str]]:
    """Of the priors that were named the one to train with, and what all are called when they are measured.

    >>> _priors(["standard", "learned:latent=naive", "gaussian"], "compare")
    ('learned:latent=naive', ['standard', 'learned', 'gaussian'])
    """
    learned = [name for name in named if name.partition(":")[0] == "learned"]
    if len(learned) > 1:
        raise UserError(f"{where}: --prior {learned[1]} stands beside {learned[0]}: a model is trained with one prior.")
    called = ["learned" if name in learned else name for name in named]
    return (learned[0] if learned else "standard"), list(dict.fromkeys(called))
