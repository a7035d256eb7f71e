"""A training loop of your own: the model is an `nn.Module`, and its bound is a tensor."""

import os

import torch
from torch.utils.data import DataLoader, TensorDataset

import spatialvae as sv

EPOCHS = int(float(os.environ.get("EPOCHS", "2")))

torch.manual_seed(0)
images = sv.prepare("digits")
print(images)
train, test = (torch.from_numpy(images.split(name).images.copy()) for name in ("train", "test"))

latent = sv.latents.MatrixNormalMaps(maps=8, height=3, width=3)
model = sv.SpatialVAE(latent=latent, image_shape=(1, 8, 8))
optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)

for epoch in range(max(1, EPOCHS)):
    model.train()
    for (batch,) in DataLoader(TensorDataset(train), batch_size=64, shuffle=True):  # uint8, or floats in [-1, 1]
        loss = -model.elbo(batch).bound.mean()  # nats per image
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        terms = model.elbo(test)
    print(f"epoch {epoch}: test bound {terms.bound.mean():.1f} nats, of which KL {terms.kl.mean():.1f}")

print("samples:", tuple(model.sample(16, seed=0).shape))
