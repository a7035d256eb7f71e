"""Which images numbers are of, on data that is sorted, written twice, or cropped, beside what the obvious way gives.

    python benchmarks/which_images.py --data mnist --out runs/which-images

- Sorted by label: the classes among the images that a prior is fitted to, beside those among as many first ones; and
  `nll` beside the bound of the same images and of all.
- Every picture written twice, by two settings of PNG: test images that are pixel for pixel in another split, beside
  how many there are where the hash of the file decides.
- A run that crops: PSNR of pictures prepared as the run's own were, beside that of the same ones cropped to the centre.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from spatialvae.config import EvaluationConfig, ModelOptions, Optimisation, TrainConfig
from spatialvae.data import ImageData, ImageOptions, prepare
from spatialvae.data.dataset import SPLITS
from spatialvae.data.user_pictures import read_pictures
from spatialvae.metrics import evaluate, peak_signal_to_noise
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.training import train

TWICE, CROPPED, MARGIN = 1000, 400, 6
"""Pictures written twice; pictures of the cropped run, and how many pixels wide a frame is put around them."""
TEST = 0.05
"""The share of the images that is set apart for testing."""


def sorted_by_label(data: ImageData, config: TrainConfig, out: Path) -> dict[str, object]:
    arrays = {}
    for name in SPLITS:
        split = data.split(name)
        if split.labels is None:
            raise SystemExit("--data wants labels.")
        order = np.argsort(split.labels, kind="stable")
        arrays |= {f"{name}_images": split.take(order), f"{name}_labels": split.labels[order]}
    np.savez(out / "sorted.npz", **arrays)
    data = prepare(str(out / "sorted.npz"))
    model = train(config, data, out / "sorted").model
    with PosteriorCodes(model, data) as codes:
        fitted = {**codes.provenance, "classes": sum(count > 0 for count in codes.labels.counts or ())}
    first = arrays["train_labels"][: fitted["images"]]
    measured = evaluate(model, data, EvaluationConfig(metrics="bound,nll", prior=["standard"]))
    nats = {name: measured.metrics[name].as_dict() for name in ("nll", "nll_bound", "elbo")}
    return {"fitted_to": fitted, "classes_of_the_first": len(np.unique(first)), "nats": nats}


def written_twice(images: np.ndarray, out: Path) -> dict[str, object]:
    folder, by_file = out / "twice", []
    folder.mkdir(parents=True, exist_ok=True)
    for place, picture in enumerate(pictures(images)):
        hashes = []
        for level in (1, 9):
            path = folder / f"{place:05d}-{level}.png"
            picture.save(path, compress_level=level)
            hashes.append(int.from_bytes(hashlib.blake2b(path.read_bytes(), digest_size=8).digest(), "big") / 2**64)
        by_file.append([fraction < TEST for fraction in hashes])
    data = prepare(str(folder))
    parts = {name: {image.tobytes() for image in split.images} for name, split in data.splits.items()}
    others = set.union(*(own for name, own in parts.items() if name != "test"))
    test = [image.tobytes() in others for image in data.split("test").images]
    split_pairs = sum(one != other for one, other in by_file)
    return {"test_images": len(test), "also_elsewhere": sum(test), "by_the_hash_of_the_file": split_pairs}


def cropped(images: np.ndarray, config: TrainConfig, out: Path) -> dict[str, object]:
    """A frame of noise around every picture, which the run's crop takes off and a crop to the centre keeps."""
    folder, side = out / "framed", images.shape[-1]
    folder.mkdir(parents=True, exist_ok=True)
    wide = side + 2 * MARGIN
    for place, image in enumerate(images):
        framed = np.random.default_rng(place).integers(0, 256, (len(image), wide, wide), dtype=np.uint8)
        framed[:, MARGIN:-MARGIN, MARGIN:-MARGIN] = image
        next(pictures(framed[None])).save(folder / f"{place:05d}.png")
    options = ImageOptions(image_size=(side, side), crop=str(side))
    data = prepare(str(folder), options)
    model = train(config, data, out / "cropped").model
    results = {}
    for name, way in (("as_the_run", data.options), ("cropped_to_the_centre", replace(options, crop="center"))):
        chosen, _, _ = read_pictures([folder], way, data.channels)
        results[name] = peak_signal_to_noise(chosen, model.reconstruct(chosen)).mean().item()
    prepared = torch.from_numpy(data.split("all").images)
    results["of_the_prepared_images"] = peak_signal_to_noise(prepared, model.reconstruct(prepared)).mean().item()
    return results


def pictures(images: np.ndarray) -> Iterator[Image.Image]:
    for image in images:
        yield Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--images", type=int, default=60_000, help="length of each training")
    parser.add_argument("--out", type=Path, default=Path("runs/which-images"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = prepare(arguments.data)
    config = TrainConfig(model=ModelOptions(latent="tensor-normal"), optimisation=Optimisation(images=arguments.images))
    test = data.split("test").images
    results = {
        "data": data.name,
        "images": arguments.images,
        "sorted_by_label": sorted_by_label(data, config, arguments.out),
        "written_twice": written_twice(test[:TWICE], arguments.out),
        "cropped": cropped(test[:CROPPED], config.model_copy(update={"images": 20 * CROPPED}), arguments.out),
    }
    print(json.dumps(results, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
