"""`MatrixNormal` in Pyro: `pyro.sample` wants its own mixin beside a distribution of PyTorch.

pip install pyro-ppl
"""

import os

import pyro
import torch
from pyro.distributions import Normal
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.infer import SVI, TraceMeanField_ELBO
from pyro.optim import Adam
from torch.distributions import constraints

from spatialvae import distributions

EPOCHS = int(float(os.environ.get("EPOCHS", "20")))
ROWS, COLUMNS, NOISE = 3, 4, 0.5


class MatrixNormal(distributions.MatrixNormal, TorchDistributionMixin):
    """The same distribution with the methods that Pyro calls; `expand` is the library's own."""


def model(observed: torch.Tensor) -> None:
    """A matrix with correlated rows, seen several times through noise."""
    rows = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.64, 0.48, 0.6]])
    prior = MatrixNormal(torch.zeros(ROWS, COLUMNS), row_scale_tril=rows, column_scale=torch.ones(COLUMNS))
    matrix = pyro.sample("matrix", prior)
    with pyro.plate("seen", len(observed)):
        pyro.sample("observed", Normal(matrix, NOISE).to_event(2), obs=observed)


def guide(observed: torch.Tensor) -> None:
    """q(matrix): a mean, and a scale for each row and each column."""
    loc = pyro.param("loc", torch.zeros(ROWS, COLUMNS))
    row = pyro.param("row", torch.ones(ROWS), constraint=constraints.positive)
    column = pyro.param("column", torch.ones(COLUMNS), constraint=constraints.positive)
    pyro.sample("matrix", MatrixNormal(loc, row_scale=row, column_scale=column))


pyro.set_rng_seed(0)
truth = torch.randn(ROWS, COLUMNS)
observed = truth + NOISE * torch.randn(50, ROWS, COLUMNS)
svi = SVI(model, guide, Adam({"lr": 0.05}), TraceMeanField_ELBO())
for _ in range(10 * max(1, EPOCHS)):
    loss = svi.step(observed)
print(f"loss: {loss:.1f}, error of the mean: {(pyro.param('loc') - truth).abs().mean():.3f}")
