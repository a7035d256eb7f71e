"""The table of a report: its rows, cells and sections, and the same table for a terminal."""
