"""Metrics of images beside their reconstructions."""
