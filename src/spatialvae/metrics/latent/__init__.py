"""Metrics of the codes: where information lies, what is in use, how codes are spread."""
