"""The version: the one place that states it, read by the package, its metadata and the command line."""

__all__ = ["__version__"]

__version__ = "0.1.0"
