"""Networks that turn images into features: EfficientNet-Lite0, a TorchScript file, or torch-fidelity's Inception."""

from __future__ import annotations

import hashlib
import importlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from spatialvae.data.batches import to_device
from spatialvae.devices import fastest_device
from spatialvae.errors import UserError, last_line, meant
from spatialvae.imagenet import NAME, SHA256, SIDE, imagenet
from spatialvae.sizes import spell_shape

__all__ = [
    "RESIZING",
    "FeatureNetwork",
    "arguments",
    "as_colour",
    "check_features",
    "images_at_once",
    "open_script",
    "others_code",
]

INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
"""Of inception-2015-12-05.pt, the TorchScript Inception that the FID of StyleGAN and its followers is computed with."""

NAMED = ("imagenet", "inception")
"""The networks that have names."""
INCEPTION_SIZE = (299, 299)
OWN_RESIZING = f"bicubic antialiased to {SIDE}x{SIDE}"
SIDES = (32, 64, 224, 299)  # what image classifiers are trained on
RESIZING = f"as they are, else bilinear antialiased to the first of {SIDES} that the network takes"
AT_ONCE = 500
CPU = torch.device("cpu")
PIXELS_AT_ONCE = 2**21  # one float activation with 64 channels at full size takes 512 MiB


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A network from uint8 images [B 3 H W] to features [B F], and which one it is: name and sha256.

    `is_inception` holds for the Inception of the FID alone; distances on any other network are called after it.

    >>> network = FeatureNetwork("mean-colour", "0a", False, lambda images: images.float().mean((2, 3)))
    >>> network.extract([torch.full((2, 3, 8, 8), 7, dtype=torch.uint8)]).tolist()
    [[7.0, 7.0, 7.0], [7.0, 7.0, 7.0]]
    >>> network.title, network.resize(8, 8)
    ('Fréchet distance, mean-colour', 'none')
    """

    name: str
    sha256: str
    is_inception: bool
    forward: Callable[[Tensor], Any] = field(repr=False)
    device: torch.device = CPU
    """Where `forward` wants its images."""
    own_size: tuple[int, int] | None = None
    """What `forward` itself resizes images to, if it does."""
    own_resizing: str = "none"
    """How it does, in words."""
    _sizes: dict[tuple[int, int], tuple[int, int] | None] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, spec: str | os.PathLike[str], device: torch.device | None = None) -> FeatureNetwork:
        """The network of a TorchScript file; "imagenet", EfficientNet-Lite0; or "inception", torch-fidelity's.

        The two that have names are there where the extras `imagenet` and `fid` are installed.

        It computes on `device`, by default a GPU where there is one, in the format of its weights.

        TorchScript is interpreted by torch, it is no Python and nothing is unpickled. It can still compute anything
        for any length of time, so open only files that you trust.

        Raises:
            UserError: no such file, not TorchScript, or torch-fidelity or its weights are missing.
        """
        device = device or fastest_device()
        if spec == "inception":
            return cls("inception", *_fidelity_inception(device), device)
        if spec == "imagenet":
            return cls(NAME, SHA256, False, imagenet(device), device, (SIDE, SIDE), OWN_RESIZING)
        if not Path(spec).expanduser().is_file() and (hint := meant(str(spec), NAMED)):
            raise UserError(f"{spec} is not a file of a network. {hint}")
        module, sha256 = open_script(spec, device)
        options = {"return_features": True} if "return_features" in arguments(module) else {}
        forward = partial(module, **options)
        return cls(Path(spec).stem, sha256, sha256 == INCEPTION_SHA256, forward, device)

    @property
    def title(self) -> str:
        """What the Fréchet distance on these features is called."""
        return "FID" if self.is_inception else f"Fréchet distance, {self.name}"

    def size(self, height: int, width: int) -> tuple[int, int] | None:
        """The size that images of height x width must be brought to; None where the network takes them as they are.

        Found by trying it on two black images: their own size first, then 32, 64, 224 and 299 squared.

        Raises:
            UserError: the network takes no uint8 images of any of these sizes.
        """
        if (height, width) not in self._sizes:
            self._sizes[height, width] = self._first_taken(height, width)
        return self._sizes[height, width]

    def resize(self, height: int, width: int) -> str:
        """What is done to images of height x width, in words: "none" or "bilinear antialiased to 32x32"."""
        size = self.size(height, width)
        return f"bilinear antialiased to {size[0]}x{size[1]}" if size else self.own_resizing

    def extract(self, batches: Iterable[Tensor]) -> Tensor:
        """The features of all images in batches of any length: uint8 [B C H W] each -> float32 [N F] on the CPU.

        Grey images are repeated to three channels; images of a size that the network refuses are resized.

        Raises:
            UserError: no images, images of several sizes, an error of the network's own, or features that are not
                finite numbers [B F].
        """
        parts: list[Tensor] = []
        shape: torch.Size | None = None
        for images in batches:
            colour = as_colour(images)
            shape = shape or images.shape[1:]
            if images.shape[1:] != shape:
                raise UserError(
                    f"Images of {spell_shape(shape)} and of {spell_shape(images.shape[1:])}: all must be of one size."
                )
            parts += [self._features(part) for part in colour.split(self._at_once(*shape[1:]))]
        if not sum(map(len, parts)):
            raise UserError("There are no images to take features of: at least one is wanted.")
        return torch.cat(parts)

    def _at_once(self, height: int, width: int) -> int:
        inside = INCEPTION_SIZE if self.is_inception else self.own_size
        return images_at_once(*(inside or self.size(height, width) or (height, width)))

    def _first_taken(self, height: int, width: int) -> tuple[int, int] | None:
        refusals: list[UserError] = []
        for size in ((height, width), *((side, side) for side in SIDES)):
            try:
                with others_code(f"{self.name} takes no uint8 images [B 3 {height} {width}]"):
                    self.forward(torch.zeros(2, 3, *size, dtype=torch.uint8, device=self.device))
            except UserError as refusal:
                refusals.append(refusal)
                continue
            return None if size == (height, width) else size
        raise refusals[0]

    def _features(self, images: Tensor) -> Tensor:
        size = self.size(*images.shape[2:])
        images = to_device(images, self.device)
        with others_code(f"{self.name} refuses images {list(images.shape)}"):
            features = self.forward(_resized(images, size) if size else images)
        if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(images):
            output = list(features.shape) if isinstance(features, Tensor) else f"a {type(features).__name__}"
            raise UserError(
                f"{self.name} puts out {output} for {len(images)} images: features [{len(images)} F] are wanted."
            )
        if not features.is_floating_point() or not features.isfinite().all():
            raise UserError(f"{self.name} puts out features that are not finite floating numbers: use another network.")
        return features.float().cpu().clone()  # a clone made out here is an ordinary tensor, not one of inference mode


@contextmanager
def others_code(complaint: str) -> Iterator[None]:
    """Whatever a user's network raises inside becomes a UserError of one line, "`complaint`: the reason"; no gradients.

    A file can raise anything: torch.jit.Error, which is no RuntimeError, where a scripted assertion fails.
    """
    try:
        with torch.inference_mode():
            yield
    except Exception as error:
        raise UserError(f"{complaint}: {last_line(error)}") from None


def open_script(path: str | os.PathLike[str], device: torch.device) -> tuple[torch.jit.ScriptModule, str]:
    """The TorchScript module of a file, on `device` and in eval mode, and the file's sha256.

    Raises:
        UserError: no such file, or it is not TorchScript.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"{path} is not a file: the path of a TorchScript file is wanted, as torch.jit.save writes it.")
    with warnings.catch_warnings():
        # torch.export has no format yet in which the published networks exist.
        warnings.filterwarnings("ignore", r"`torch\.jit\.load` is ", DeprecationWarning)
        try:
            with file.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            module = torch.jit.load(os.fspath(file), map_location=device).eval()
            arguments(module)
        except (OSError, RuntimeError, ValueError, AttributeError):
            raise UserError(f"{path} is not TorchScript: a file as torch.jit.save writes it is wanted.") from None
    return module, sha256


def arguments(module: torch.jit.ScriptModule) -> dict[str, bool]:
    """The arguments of a TorchScript module's forward by name, and whether each must be given."""
    schema: Any = module.forward.schema  # type: ignore[reportFunctionMemberAccess]: a script method has one
    return {item.name: not item.has_default_value() for item in schema.arguments[1:]}


def as_colour(images: Tensor) -> Tensor:
    """uint8 images [B 3 H W]; grey ones [B 1 H W] are repeated to three channels.

    Raises:
        UserError: other types and other numbers of channels.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        output = f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)}"
        raise UserError(f"The network needs uint8 images [B C H W] with 1 or 3 channels; {output} are not.")
    return images.expand(-1, 3, -1, -1)


def images_at_once(height: int, width: int) -> int:
    """How many images of this size go through a network together: at most 500, fewer of large ones."""
    return max(1, min(AT_ONCE, PIXELS_AT_ONCE // (height * width)))


def check_features(features: Tensor, others: Tensor) -> None:
    """Raise `UserError` unless both are finite [n F] of the same F with at least two rows each."""
    for each in (features, others):
        if each.ndim != 2 or len(each) < 2:
            raise UserError(f"Features of shape {list(each.shape)}: [n F] with n of at least 2 images is wanted.")
        if not each.isfinite().all():
            raise UserError("Features that are not finite numbers: look for NaN in the images or the network.")
    if features.shape[1] != others.shape[1]:
        raise UserError(
            f"Features of {features.shape[1]} and of {others.shape[1]} numbers: both sets must come from one network."
        )


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    resized = interpolate(images.float(), size, mode="bilinear", align_corners=False, antialias=True)
    return resized.round().clamp(0, 255).to(torch.uint8)


def _fidelity_inception(device: torch.device) -> tuple[str, bool, Callable[[Tensor], Any]]:
    """torch-fidelity's Inception for `FeatureNetwork`: sha256 of its weights, that it is Inception, its forward."""
    try:
        source: Any = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ImportError:
        raise UserError(
            'The network "inception" needs torch-fidelity: pip install "spatialvae[fid]" -c constraints.txt\n'
            "A TorchScript file does without it: give the path of inception-2015-12-05.pt."
        ) from None
    try:
        extractor = source.FeatureExtractorInceptionV3("inception", ["2048"])
    except (OSError, RuntimeError) as error:  # it downloads its weights on first use
        raise UserError(
            f"torch-fidelity could not get its weights ({last_line(error)}).\n"
            "A TorchScript file does without them: give the path of inception-2015-12-05.pt."
        ) from None
    digest = hashlib.sha256()
    for name, tensor in sorted(extractor.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    extractor.to(device)
    return digest.hexdigest(), True, lambda images: extractor(images)[0]
