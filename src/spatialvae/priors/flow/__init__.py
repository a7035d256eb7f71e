"""The normalizing flow over whole codes."""
