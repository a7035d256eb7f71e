"""Metrics of the density: bounds on log p(x)."""
