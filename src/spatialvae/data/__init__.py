"""Any source of images to one memory-mapped uint8 cache with fixed splits."""

from spatialvae.data.anything import as_image_data
from spatialvae.data.dataset import ImageData, ImageSplit
from spatialvae.data.options import ImageOptions, parse_image_size
from spatialvae.data.prepare import prepare
from spatialvae.data.sources import SOURCES

__all__ = ["SOURCES", "ImageData", "ImageOptions", "ImageSplit", "as_image_data", "parse_image_size", "prepare"]
