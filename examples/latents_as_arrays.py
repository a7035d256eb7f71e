"""Codes and labels as NumPy arrays: how well do the latents tell the digits apart?"""

import os

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

import spatialvae as sv

EPOCHS = float(os.environ.get("EPOCHS", "5"))

images = sv.prepare("digits")
run = sv.train("matrix-normal", images, out="runs/latents-as-arrays", epochs=EPOCHS)


def codes(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The posterior means of a split's images, [N, maps * height * width], and their labels, [N]."""
    split = images.split(name)
    with torch.no_grad():
        posterior = run.model.encode(torch.from_numpy(split.images.copy()))
    return posterior.mean.flatten(1).numpy(), split.labels


(train, train_labels), (test, test_labels) = codes("train"), codes("test")
print("codes:", train.shape, train.dtype, "labels:", images.label_names)
classifier = LogisticRegression(max_iter=500).fit(train, train_labels)
print(f"accuracy on test codes: {classifier.score(test, test_labels):.2f}")
