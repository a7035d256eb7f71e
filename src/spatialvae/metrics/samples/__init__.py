"""Metrics of sets of images, such as the samples of a prior."""
