"""The table of a comparison for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spatialvae.report.table import result_table

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["terminal_table"]


def terminal_table(comparison: dict[str, Any]) -> Table:
    """A rich table, a column a model, best values bold with a star; the notes are its caption."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    content = result_table(comparison)
    notes = ["* " + content.notes[0], *content.notes[1:]]
    caption = Text("\n".join(notes), style="dim")
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", collapse_padding=True, pad_edge=False)
    table.add_column(Text(content.header[0]))
    for label in content.header[1:]:
        table.add_column(Text(label, style="bold"), justify="right")
    for index, row in enumerate(content.rows):
        cells = [Text(text + " *", "bold green") if at == row.best else Text(text) for at, text in enumerate(row.cells)]
        last = index + 1 == len(content.rows) or content.rows[index + 1].group != row.group
        table.add_row(Text(row.heading), *cells, end_section=last)
    return table
