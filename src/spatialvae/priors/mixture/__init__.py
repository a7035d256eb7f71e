"""The mixture of Gaussians over whole codes."""
