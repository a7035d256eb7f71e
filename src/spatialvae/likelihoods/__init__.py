"""p(x|z): decoder output -> distribution over images; each file registers its likelihood in `LIKELIHOODS`."""

# The table has the order of these imports.
# isort: off
from spatialvae.likelihoods.base import LIKELIHOODS, AbstractLikelihood, AbstractPixels
from spatialvae.likelihoods.gaussian import Gaussian
from spatialvae.likelihoods.logistic import Logistic
from spatialvae.likelihoods.logistic_mixture import LogisticMixture
from spatialvae.likelihoods.pixelcnn import PixelCNN
from spatialvae.likelihoods.bernoulli import Bernoulli
# isort: on

__all__ = [
    "LIKELIHOODS",
    "AbstractLikelihood",
    "AbstractPixels",
    "Bernoulli",
    "Gaussian",
    "Logistic",
    "LogisticMixture",
    "PixelCNN",
]
