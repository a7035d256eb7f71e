"""`MatrixNormal` in a plain PyTorch model: a small VAE of digits, without the rest of the library."""

import os

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.functional import softplus

from spatialvae.distributions import MatrixNormal

EPOCHS = int(float(os.environ.get("EPOCHS", "20")))
ROWS, COLUMNS = 4, 4


class VAE(nn.Module):
    """The code is one matrix [4, 4]; the encoder puts out its mean and a scale for each row and each column."""

    def __init__(self) -> None:
        super().__init__()
        outputs = ROWS * COLUMNS + ROWS + COLUMNS
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, outputs))
        self.decoder = nn.Sequential(nn.Linear(ROWS * COLUMNS, 128), nn.ReLU(), nn.Linear(128, 64))

    def posterior(self, x: Tensor) -> MatrixNormal:
        mean, row, column = self.encoder(x).split([ROWS * COLUMNS, ROWS, COLUMNS], dim=-1)
        return MatrixNormal(
            mean.unflatten(-1, (ROWS, COLUMNS)),
            row_scale=softplus(row) + 1e-3,
            column_scale=softplus(column) + 1e-3,
        )

    def loss(self, x: Tensor) -> Tensor:
        q = self.posterior(x)
        prior = Independent(Normal(torch.zeros(ROWS, COLUMNS), 1.0), 2)
        pixels = Independent(Normal(self.decoder(q.rsample().flatten(-2)), 0.25), 1)
        return (kl_divergence(q, prior) - pixels.log_prob(x)).mean()  # the divergence is in closed form


torch.manual_seed(0)
digits = torch.tensor(load_digits().data, dtype=torch.float32) / 16
model = VAE()
optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
for _epoch in range(max(1, EPOCHS)):
    for batch in digits[torch.randperm(len(digits))].split(128):
        loss = model.loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
print(f"loss after {max(1, EPOCHS)} epochs: {model.loss(digits):.1f} nats per image")
print("covariance across the rows of one code:", model.posterior(digits[:1]).row_covariance[0].diagonal())
