"""The linear probe: how much of the labels a linear classifier reads from the mean codes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.dataset import WHOLE
from spatialvae.data.subset import subset
from spatialvae.errors import UserError
from spatialvae.globals import globals_kept
from spatialvae.metrics.latent.codes import check_images, mean_codes
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.subjects import ModelOnSplit
from spatialvae.model import SpatialVAE

__all__ = ["ProbeDetails", "linear_probe", "measure_probe", "no_probe", "probe"]

MOST_CODES = 10_000
PENALTY = 0.01
MOST_STEPS = 300


@dataclass(frozen=True)
class ProbeDetails:
    """What the accuracy of a linear probe is to be read against."""

    classes: int
    train_images: int
    largest_class: float
    """The share of the most frequent label among the images asked for: the accuracy without seeing the codes."""


def linear_probe(train_codes: Tensor, train_labels: Tensor, codes: Tensor, labels: Tensor, *, seed: int = 0) -> Tensor:
    """Whether each code's label is what a linear classifier says, 0 or 1, float64 [n]; the mean is the accuracy.

    Multinomial logistic regression on standardised codes, scikit-learn's in float32:

        minimise (1/m) sum_i -log softmax(W z_i + b)_{y_i} + 0.01/2 ||W||^2

    One penalty for all, tuned on nothing, and at most 300 steps of L-BFGS. The steps are part of the definition, so
    that not having converged after them is no error and is not warned of. Labels that no training code has count as
    wrong.

    Args:
        train_codes: [m, ...]; of more than 10,000, as many drawn without replacement.
        train_labels: whole numbers [m].
        codes: [n, ...].
        labels: [n].
        seed: of that draw.

    Raises:
        UserError: fewer than two classes among the training codes, or codes that are not all numbers.

    >>> codes, labels = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), torch.tensor([3, 3, 7, 7])
    >>> linear_probe(codes, labels, torch.tensor([[-3.0], [3.0]]), torch.tensor([3, 3]))
    tensor([1., 0.], dtype=torch.float64)
    """
    with globals_kept():
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

    chosen = torch.from_numpy(subset(len(train_codes), MOST_CODES, seed=seed))
    fitted_to, answers = _rows(train_codes[chosen]), train_labels[chosen].numpy()
    if len(np.unique(answers)) < 2:
        raise UserError("A linear probe needs training images of two classes or more; here is one: leave probe out.")
    # C weighs the sum of the losses against 1/2 ||W||^2.
    inverse_penalty = 1 / (PENALTY * len(fitted_to))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=inverse_penalty, max_iter=MOST_STEPS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(fitted_to, answers)
    return torch.from_numpy(classifier.predict(_rows(codes)) == labels.numpy()).double()


def probe(
    model: SpatialVAE, data: ImageData, split: str, limit: int | None = None, *, seed: int = 0
) -> tuple[Tensor, ProbeDetails]:
    """The probe of a model's mean codes: trained on the training split's, asked for those of another.

    Images without a label take no part, on either side.

    Args:
        split: whose images it is asked for; of `train` it is asked for images that it was trained on.
        limit: a `subset` of so many of them only.
        seed: of that subset, and of the 10,000 training images that it is trained on, where there are more.

    Returns:
        0 or 1 an image [n], and what the accuracy is to be read against.

    Raises:
        UserError: what `no_probe` says, images of another shape than the model's, or none.
    """
    if reason := no_probe(data, split):
        raise UserError(f"A linear probe is not possible: {reason}. Leave probe out.")
    train, asked = data.split("train"), data.split(split)
    check_images(model, train, None)
    train_labels, labels = _labels(train), _labels(asked)
    chosen = np.flatnonzero(train_labels >= 0)
    chosen = chosen[subset(len(chosen), MOST_CODES, seed=seed)]
    some = subset(len(asked), check_images(model, asked, limit), seed=seed)
    some = some[labels[some] >= 0]
    answers, labels = train_labels[chosen], labels[some]
    if not np.isin(labels, answers).any():
        raise UserError(f"None of the {len(answers)} training images of the probe is of a class that it is asked for.")
    correct = linear_probe(
        mean_codes(model, train, chosen),
        torch.from_numpy(answers),
        mean_codes(model, asked, some),
        torch.from_numpy(labels),
    )
    largest = np.unique(labels, return_counts=True)[1].max() / len(labels)
    known = len(np.unique(answers))
    return correct, ProbeDetails(known, len(chosen), float(largest))


def measure_probe(subject: ModelOnSplit) -> Measurement:
    """The accuracy of the probe, and what it is to be read against."""
    config = subject.config
    correct, details = probe(subject.model, subject.data, config.split, subject.count, seed=config.seed)
    return Measurement.of(subject.key, correct, details)


def no_probe(data: ImageData, split: str) -> str | None:
    """Why these images allow no linear probe, in a few words; None where they do.

    Without two classes to tell apart, or without an image of a known class to be asked for, an accuracy says nothing.

    >>> some = ImageSplit(np.zeros((3, 1, 8, 8), np.uint8), np.array([1, -1, 1]))
    >>> no_probe(ImageData("own", "own", "0a", 8, 8, 1, {"train": some}, [0.0], 0, ["cat", "dog"]), "train")
    "all training images with a label have one label, 'dog'"
    """
    if "train" not in data.splits:
        return "the data has no training images for a classifier"
    if split == WHOLE:
        return "its classifier learns from the training images, which `split` all holds too"
    counts = {name: np.array(data.class_counts(name)) for name in ("train", split)}
    for name, own in counts.items():
        if not own.any():
            return f"the images of the split '{name}' have no labels"
    known = counts["train"] > 0
    if known.sum() < 2:
        return f"all training images with a label have one label, '{(data.label_names or [])[known.argmax()]}'"
    if not counts[split][known].any():
        return f"no training image is of a class of the split '{split}'"
    return None


def _labels(split: ImageSplit) -> npt.NDArray[np.int64]:
    return np.full(len(split), -1) if split.labels is None else np.asarray(split.labels)


def _rows(codes: Tensor) -> npt.NDArray[np.float32]:
    rows = codes.detach().flatten(1).cpu().float().numpy()
    if not np.isfinite(rows).all():
        raise UserError("The codes for the linear probe are not all numbers: check what they were made from.")
    return rows
