"""How fast it is: the real loop against bare ones, stage by stage, and beside the machine's own peak."""

from spatialvae.benchmarking.bench import bench
from spatialvae.benchmarking.machine import describe_machine
from spatialvae.benchmarking.random_images import random_images
from spatialvae.benchmarking.result import Measured
from spatialvae.benchmarking.timing import Spread, interleaved, ratios

__all__ = ["Measured", "Spread", "bench", "describe_machine", "interleaved", "random_images", "ratios"]
