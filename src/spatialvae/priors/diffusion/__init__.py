"""The diffusion prior over whole codes."""
