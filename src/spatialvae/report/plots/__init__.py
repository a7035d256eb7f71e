"""The figures of a report: SVG plots, and pictures in rows."""
