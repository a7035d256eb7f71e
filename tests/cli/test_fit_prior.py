"""`fit-prior`, and what sampling makes of the priors that it leaves beside a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from spatialvae.store import load
from tests.cli.conftest import SETTINGS
from tests.cli.program import spatialvae
from tests.conftest import smooth_images
from tests.metrics.script_files import MeanColour, saved


@pytest.fixture
def features(tmp_path: Path) -> Path:
    return saved(MeanColour(), tmp_path / "features.pt")


@pytest.fixture(scope="session")
def labelled(shared: Path) -> Path:
    """A finished run on two classes of pictures, dark and bright."""
    for label, level in (("bright", 200), ("dark", 30)):
        for index, image in enumerate(smooth_images(60, channels=1, height=8, width=8)):
            path = shared / "classes" / label / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image[0] // 5 + level).astype(np.uint8)).save(path)
    out = shared / "labelled"
    settings = (*SETTINGS, "--images", 1000, "--learning-rate", 0.005)
    done = spatialvae("train", "--data", shared / "classes", *settings, "--out", out)
    assert done.code == 0, done.err
    return out


def test_it_fits_says_how_well_and_keeps(own_run: Path) -> None:
    result = spatialvae("fit-prior", own_run, "--prior", "mixture:components=3", "--json").json
    assert result["default"] == "gaussian"  # until told otherwise
    assert result["fitted"]["mixture:components=3"]["n"] == 3  # validation images
    assert (own_run / "prior-mixture-components=3.safetensors").is_file()
    again = spatialvae("fit-prior", own_run, "--prior", "mixture:components=3")
    assert "fitted before, kept (--overwrite" in again.out
    model = load(own_run)
    assert set(model.priors) == {"gaussian", "mixture:components=3"}
    assert spatialvae("sample", own_run, "--prior", "mixture:components=3", "--out", own_run / "a.png").code == 0


def test_it_says_that_sample_still_draws_from_another(own_run: Path) -> None:
    printed = spatialvae("fit-prior", own_run, "--prior", "mixture:components=3").out
    assert (
        "sample still draws from gaussian: say `sample --prior mixture:components=3`,\n  or make it the default"
        in printed
    )
    assert "`fit-prior --prior mixture:components=3 --default`" in printed
    assert f"next: spatialvae sample {own_run} --prior mixture:components=3 --out samples.png" in printed
    assert spatialvae("sample", own_run, "--out", own_run / "a.png", "--json").json["prior"] == "gaussian"


def test_a_familys_name_means_the_one_that_was_fitted_of_it(own_run: Path, tmp_path: Path) -> None:
    assert spatialvae("fit-prior", own_run, "--prior", "mixture:components=2").code == 0
    picture = tmp_path / "a.png"
    assert spatialvae("sample", own_run, "--count", 1, "--out", picture).code == 0
    lines = {
        "sample": (own_run,),
        "interpolate": (own_run,),
        "traverse": (own_run,),
        "inpaint": (own_run, picture, "--region", "0,0"),
        "influence": (own_run,),
    }
    for command, rest in lines.items():
        out = tmp_path / f"{command}.png"
        result = spatialvae(command, *rest, "--prior", "mixture", "--out", out, "--json").json
        assert result.get("prior", "mixture:components=2") == "mixture:components=2", command
    result = spatialvae("evaluate", own_run, "--metrics", "prior_gain", "--prior", "mixture", "--json").json
    assert "prior_gain/mixture:components=2" in result["metrics"]
    assert spatialvae("fit-prior", own_run, "--prior", "mixture:components=3").code == 0
    message = spatialvae("sample", own_run, "--prior", "mixture", "--out", tmp_path / "b.png").complaint
    assert (
        "Several priors of the family mixture were fitted: choose mixture:components=2 or mixture:components=3"
        in message
    )


def test_the_default_is_what_sample_draws_from(own_run: Path) -> None:
    printed = spatialvae("fit-prior", own_run, "--prior", "mixture:components=2", "--default").out
    assert "samples come from: mixture:components=2" in printed
    assert spatialvae("sample", own_run, "--out", own_run / "a.png", "--json").json["prior"] == "mixture:components=2"


def test_the_best_by_held_out_frechet_becomes_the_default(own_run: Path, features: Path) -> None:
    flags = ("--prior", "gaussian", "--prior", "mixture:components=2", "--features", features, "--generated", 20)
    result = spatialvae("fit-prior", own_run, *flags, "--default", "--json").json
    distances = {name: value["value"] for name, value in result["frechet"].items() if name != "reconstructions"}
    assert set(distances) == {"standard", "gaussian", "mixture:components=2"}
    assert result["default"] == min(distances, key=lambda name: distances[name]) == load(own_run).priors.default


def test_labels(labelled: Path, tmp_path: Path) -> None:
    assert spatialvae("fit-prior", labelled, "--prior", "mixture:components=2").code == 0
    means = []
    for label in (0, 1, "bright", "dark"):  # the classes' names in their order
        flags = ("--prior", "mixture:components=2", "--label", label, "--count", 30)
        message = spatialvae("sample", labelled, *flags, "--out", tmp_path / f"{label}.npz").out
        assert message.startswith(f"30 pictures of class {label} from the mixture:components=2 prior: ")
        with np.load(tmp_path / f"{label}.npz") as file:
            means.append(file["images"].mean())
    assert means[0] > means[1] + 20
    assert means[:2] == means[2:]
    counts = load(labelled).priors["mixture:components=2"].labels.counts
    assert counts is not None
    assert counts[0] + counts[1] == spatialvae("data", labelled.parent / "classes", "--json").json["splits"]["train"]
    flags = ("--prior", "mixture:components=2", "--out", tmp_path / "c.png")
    message = spatialvae("sample", labelled, *flags, "--label", 2).complaint
    assert "--label 2 does not exist: labels go from 0 to 1, nearest 1" in message
    assert (
        "--label bark does not exist. Did you mean 'dark'"
        in spatialvae("sample", labelled, *flags, "--label", "bark").complaint
    )
    assert "knows no labels" in spatialvae("sample", labelled, "--label", 0, "--out", tmp_path / "d.png").complaint


def test_flow_matching_is_trained_resumed_and_drawn_from(own_run: Path, tmp_path: Path) -> None:
    name = "flow-matching:width=16,blocks=1"
    flags = ("--prior", name, "--images", 60, "--batch-size", 20, "--warmup", 0)
    assert spatialvae("fit-prior", own_run, *flags).code == 0
    for steps in (2, 6):
        flags = ("--prior", name, "--steps", steps, "--count", 3, "--out", tmp_path / f"{steps}.npz")
        assert spatialvae("sample", own_run, *flags).code == 0
    assert (
        "--steps 5 is for flow-matching"
        in spatialvae("sample", own_run, "--steps", 5, "--out", tmp_path / "a").complaint
    )
    flags = ("--prior", name, "--label", 0, "--out", tmp_path / "b.png")
    assert "knows no labels" in spatialvae("sample", own_run, *flags).complaint
    flags = ("--prior", name, "--guidance", 2, "--out", tmp_path / "b.png")
    assert "--guidance 2 is for flow-matching with labels" in spatialvae("sample", own_run, *flags).complaint


def test_guidance_and_mirrored_codes(labelled: Path, features: Path, tmp_path: Path) -> None:
    name = "flow-matching:width=16,blocks=1"
    training = ("--images", 60, "--batch-size", 20, "--warmup", 0, "--flip")
    assert spatialvae("fit-prior", labelled, "--prior", name, *training).code == 0
    kept = [set(load_file(path)) for path in (labelled / "codes").glob("*.safetensors")]
    assert {"train", "mirrored", "held_out"} in kept
    flags = ("--prior", name, "--count", 3)
    for guidance in (1, 3):
        out = tmp_path / f"{guidance}.npz"
        assert spatialvae("sample", labelled, *flags, "--guidance", guidance, "--out", out).code == 0
    flags = ("--features", features, "--generated", 20, "--metrics", "frechet", "--prior", name)
    plain, guided = (
        spatialvae("evaluate", labelled, *flags, *more, "--json").json["metrics"][f"frechet/{name}"]["value"]
        for more in ((), ("--guidance", 4, "--steps", 3))
    )
    assert plain != guided
    result = spatialvae("evaluate", labelled, *flags, "--guidance", 4, "--json").json
    assert (result["provenance"]["guidance"], "steps" in result["provenance"]) == (4, False)
    refused = spatialvae("evaluate", labelled, *flags[:-2], "--prior", "standard", "--steps", 3).complaint
    assert "--steps 3 is for draws from flow-matching priors, and none of standard is one: leave it out" in refused


def test_sampling_noise_is_told(labelled: Path, tmp_path: Path) -> None:
    message = spatialvae("sample", labelled, "--prior", "standard", "--out", tmp_path / "a.png")
    assert "of the draws from N(0, I) lie where hardly any image is encoded to" in message.err
    assert "--prior gaussian" in message.err
    assert "hardly any" not in spatialvae("sample", labelled, "--out", tmp_path / "b.png").err


def test_evaluate_measures_the_named_priors(own_run: Path, features: Path) -> None:
    flags = ("--features", features, "--generated", 20, "--metrics", "frechet")
    result = spatialvae("evaluate", own_run, *flags, "--prior", "standard", "--json").json
    assert [key for key in result["metrics"] if "/" in key] == ["frechet/reconstructions", "frechet/standard"]
    message = spatialvae("evaluate", own_run, *flags, "--prior", "mixture").complaint
    assert "has no prior 'mixture' yet, only standard, gaussian" in message
    assert "fit-prior and --prior mixture" in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--prior", "mixtur"), "There is no prior 'mixtur'. Did you mean 'mixture'"),
        (("--prior", "mixture:components=0"), "components=0 is not possible"),
        (("--prior", "flow-matching:width=12"), "width=12 is no multiple of 8: the nearest is width=8"),
        (("--prior", "flow:couplings=1"), "use at least couplings=2"),
        (("--images", 100, "--epochs", 3), "give --images or --epochs, not both"),
        (("--prior", "mixture:components=two"), "components is a whole number"),
        (("--prior", "mixture:components=900"), "components=900 is more than there are codes (11"),
        (("--prior", "gaussian", "--prior", "mixture", "--default"), "wants --features imagenet or FILE.pt"),
    ],
)
def test_bad_input(own_run: Path, flags: tuple[str, ...], words: str) -> None:
    assert words in spatialvae("fit-prior", own_run, *flags).complaint
    assert sorted(own_run.glob("prior-*")) == [own_run / "prior-gaussian.safetensors"]


def test_a_prior_of_another_run_is_refused(own_run: Path, labelled: Path, tmp_path: Path) -> None:
    assert spatialvae("fit-prior", labelled, "--prior", "mixture:components=2").code == 0
    name = "prior-mixture-components=2.safetensors"
    (own_run / name).write_bytes((labelled / name).read_bytes())
    flags = ("--prior", "mixture:components=2", "--out", tmp_path / "a.png")
    assert "was fitted to other weights than this model's" in spatialvae("sample", own_run, *flags).complaint
