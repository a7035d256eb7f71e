"""How a likelihood is spelled, and what is said when it is spelled wrong."""

from __future__ import annotations

import pytest

from spatialvae.errors import UserError
from spatialvae.likelihoods import LIKELIHOODS, Gaussian, Logistic


def test_spellings() -> None:
    assert list(LIKELIHOODS) == ["gaussian", "logistic", "logistic-mixture", "pixelcnn", "bernoulli"]
    fixed, learned = LIKELIHOODS.parse("gaussian:scale=0.1"), LIKELIHOODS.parse(" gaussian ")
    assert isinstance(fixed, Gaussian)
    assert isinstance(learned, Gaussian)
    assert (fixed.scale, learned.scale) == (0.1, None)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gausian", ["'gausian'", "'gaussian'"]),
        ("logistic_mixture", ["'logistic_mixture'", "'logistic-mixture'"]),
        ("discretized-logistic", ["'discretized-logistic'", "Did you mean 'logistic'?"]),
        ("", ["''", "gaussian, logistic, logistic-mixture, pixelcnn, bernoulli"]),
        ("gaussian:sigma=1", ["gaussian", "'sigma'", "scale"]),
        ("bernoulli:scale=1", ["bernoulli", "'scale'", "It has none"]),
        ("bernoulli:args=1", ["bernoulli", "'args'", "It has none"]),
        ("gaussian:scale", ["gaussian:scale=", "finite number or none", "gaussian:scale=0.1"]),
        ("gaussian:mean=sigmoid", ["gaussian:mean=sigmoid", "tanh, linear"]),
        ("logistic:mean=liner", ["Did you mean 'linear'?"]),
        ("gaussian:scale=pixels", ["scale is pixel, a finite number or none"]),
        ("logistic-mixture:components=0", ["components=0", "1 to 100"]),
        ("logistic-mixture:components=101", ["components=101", "1 to 100"]),
        ("logistic-mixture:components=2.5", ["components is a whole number"]),
        ("logistic:scale=-1", ["scale=-1", "scale is a number from 0.001 on"]),
        ("gaussian:scale=1e-9", ["scale=1e-09", "scale is a number from 0.001 on"]),
        ("logistic:scale=0.0009", ["scale=0.0009", "scale is a number from 0.001 on"]),
        ("gaussian:scale=0", ["scale=0", "scale is a number from 0.001 on"]),
        ("gaussian:scale=-1", ["scale=-1", "scale is a number from 0.001 on"]),
        ("gaussian:scale=nan", ["gaussian:scale=nan", "finite number or none"]),
        ("gaussian:scale=inf", ["gaussian:scale=inf", "finite number or none"]),
        ("gaussian:scale=wide", ["gaussian:scale=wide", "finite number or none"]),
    ],
)
def test_a_wrong_spelling_is_one_plain_line(spec: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        LIKELIHOODS.parse(spec)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("make", [Gaussian, Logistic])
def test_a_wrong_mean_in_python_is_refused(make: type[Gaussian] | type[Logistic]) -> None:
    with pytest.raises(UserError, match="mean='exact' is not possible: mean is one of tanh, linear"):
        make(mean="exact")  # pyright: ignore[reportArgumentType]


def test_means_are_spelled() -> None:
    assert LIKELIHOODS.spell(Gaussian(mean="linear")) == "gaussian:mean=linear"
    assert LIKELIHOODS.spell(Gaussian(0.1)) == "gaussian:scale=0.1"
