"""What only maps can have: codes cut and put together by cells, walks through them, and what each cell does."""

from spatialvae.editing.cells import parse_cells, pixels_of
from spatialvae.editing.correlation import SiteCorrelations, site_correlation, site_correlations
from spatialvae.editing.influence import Influence, influence
from spatialvae.editing.inpaint import inpaint
from spatialvae.editing.interpolate import between_draws, between_pictures
from spatialvae.editing.transplant import transplant
from spatialvae.editing.traverse import Direction, component_directions, part_directions, traverse

__all__ = [
    "Direction",
    "Influence",
    "SiteCorrelations",
    "between_draws",
    "between_pictures",
    "component_directions",
    "influence",
    "inpaint",
    "parse_cells",
    "part_directions",
    "pixels_of",
    "site_correlation",
    "site_correlations",
    "transplant",
    "traverse",
]
