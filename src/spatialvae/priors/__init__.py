"""What p(z) can be: the paper's N(0, I), one that is trained with the model, and those fitted after training.

`PRIORS` is the table of all of them by name. A prior of your own is a frozen dataclass that extends
`AbstractModelFamily`, `AbstractDirectFamily` or `AbstractTrainedFamily` and registers itself there.
"""

# In the order of lists in messages.
# isort: off
from spatialvae.priors.base import (
    PRIORS,
    AbstractDirectFamily,
    AbstractFamily,
    AbstractFittedFamily,
    AbstractModelFamily,
    AbstractPrior,
)
from spatialvae.priors.standard import StandardFamily, standard_normal
from spatialvae.priors.learned import LearnedFamily, LearnedPrior
from spatialvae.priors.gaussian import GaussianFamily, GaussianPrior
from spatialvae.priors.mixture.mixture import MixtureFamily, MixturePrior
from spatialvae.priors.flow.flow import FlowFamily, FlowPrior
from spatialvae.priors.flow_matching.flow_matching import FlowMatchingFamily, FlowMatchingPrior

# isort: on
from spatialvae.priors.code_distribution import AbstractCodeDistribution
from spatialvae.priors.codes import Codes
from spatialvae.priors.flow.coupling import seen_flat
from spatialvae.priors.labels import Labels
from spatialvae.priors.names import names_of, parse_family, parse_own, prior_title
from spatialvae.priors.signal import signal_directions
from spatialvae.priors.trained import AbstractTrainedFamily, AbstractTrainedPrior

__all__ = [
    "PRIORS",
    "AbstractCodeDistribution",
    "AbstractDirectFamily",
    "AbstractFamily",
    "AbstractFittedFamily",
    "AbstractModelFamily",
    "AbstractPrior",
    "AbstractTrainedFamily",
    "AbstractTrainedPrior",
    "Codes",
    "FlowFamily",
    "FlowMatchingFamily",
    "FlowMatchingPrior",
    "FlowPrior",
    "GaussianFamily",
    "GaussianPrior",
    "Labels",
    "LearnedFamily",
    "LearnedPrior",
    "MixtureFamily",
    "MixturePrior",
    "StandardFamily",
    "names_of",
    "parse_family",
    "parse_own",
    "prior_title",
    "seen_flat",
    "signal_directions",
    "standard_normal",
]
