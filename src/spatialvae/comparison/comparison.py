"""A finished comparison: its results and the folder that its runs, figures and reports lie in."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from spatialvae.files import write_json
from spatialvae.records import as_json, read
from spatialvae.report import html_table, result_table, terminal_table, write_report
from spatialvae.report.models import labels
from spatialvae.results import FORMAT, ModelResult, Results

__all__ = ["FILE", "Comparison"]

FILE = "comparison.json"
WIDTH = 120
"""Letters of a line of the table in `repr`."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `compare` returns: the results, and where they lie.

    Its `repr` is the table of the report, for a terminal; a notebook shows the same table as HTML.
    """

    folder: Path
    results: Results

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Comparison:
        """The comparison that lies in `folder`, of this version or an earlier one; its file is fine too.

        Raises:
            UserError: no comparison.json there, or one that is damaged or of a newer version of this program.
        """
        path = Path(folder).expanduser()
        path = path if path.suffix == ".json" else path / FILE
        return cls(path.parent, read(Results, path, format=FORMAT))

    def write(self) -> tuple[Path, Path]:
        """comparison.json, report.md and report.html in the folder; the paths of both reports.

        Raises:
            UserError: a figure's file is missing, or its path leaves the folder.
        """
        write_json(self.folder / FILE, self.as_dict())
        return write_report(self.folder, self.results)

    def as_dict(self) -> dict[str, Any]:
        """The content of comparison.json."""
        return as_json(self.results)

    @property
    def report(self) -> Path:
        """The report as one page for a browser."""
        return self.folder / "report.html"

    @property
    def models(self) -> tuple[ModelResult, ...]:
        """A latent each, in the order of the table."""
        return self.results.models

    @property
    def best(self) -> dict[str, str | None]:
        """By metric, the label of the best model; None where the intervals leave a tie or there is one seed."""
        names = labels(self.results)
        return {key: None if index is None else names[index] for key, index in self.results.best.items()}

    def __repr__(self) -> str:
        from rich.console import Console

        stream = io.StringIO()
        Console(width=WIDTH, no_color=True, file=stream).print(terminal_table(self.results))
        return f"{stream.getvalue()}report: {self.report}"

    def _repr_html_(self) -> str:
        return f"{html_table(result_table(self.results))}<p>report: <code>{escape(str(self.report))}</code></p>"
