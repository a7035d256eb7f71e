"""Flow matching over whole codes."""
