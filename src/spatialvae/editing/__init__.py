"""What only maps can have: codes cut and put together by cells, walks through them, and what each cell does."""

from spatialvae.editing.cells import check_cells, parse_cells, parse_numbers, pixels_of
from spatialvae.editing.correlation import SiteCorrelations, site_correlation, site_correlations
from spatialvae.editing.decoded import posterior_of
from spatialvae.editing.directions import MOST_DIRECTIONS, draws_of
from spatialvae.editing.influence import Influence, influence
from spatialvae.editing.inpaint import inpaint
from spatialvae.editing.interpolate import between_draws, between_pictures
from spatialvae.editing.transplant import transplant
from spatialvae.editing.traverse import Direction, component_directions, part_directions, traverse

__all__ = [
    "MOST_DIRECTIONS",
    "Direction",
    "Influence",
    "SiteCorrelations",
    "between_draws",
    "between_pictures",
    "check_cells",
    "component_directions",
    "draws_of",
    "influence",
    "inpaint",
    "parse_cells",
    "parse_numbers",
    "part_directions",
    "pixels_of",
    "posterior_of",
    "site_correlation",
    "site_correlations",
    "transplant",
    "traverse",
]
