"""The table of a comparison for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatialvae.report.plots.health import alarms, warnings
from spatialvae.report.tables.cost_note import cost_note
from spatialvae.report.tables.table import RULE, result_table
from spatialvae.results import Results

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["terminal_table"]

WIDEST = 22  # letters of a line in a cell


def terminal_table(results: Results) -> Table:
    """A rich table, a column a model, best values bold with a star (none with one seed), differences under the values.

    The notes, the alarms about the latents and the warnings are its caption.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    content = result_table(results)
    notes = [*content.notes, cost_note(results)]
    notes[0] = f"* {notes[0]}" if notes[0] == RULE else notes[0]
    mind = [f"{content.header[1 + model]}: {alarm}" for model, alarm in alarms(results)]
    mind += warnings(results)
    caption = Text("\n".join(note for note in notes if note), style="dim")
    caption.append("".join(f"\n! {line}" for line in mind), style="not dim yellow")
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", collapse_padding=True, pad_edge=False)
    table.add_column(Text(f"{content.header[0]}, ± {content.intervals}"))
    for label in content.header[1:]:
        table.add_column(Text(label, style="bold"), justify="right")
    for index, row in enumerate(content.rows):
        cells = [Text(text + " *", "bold green") if at == row.best else Text(text) for at, text in enumerate(row.cells)]
        for cell, difference in zip(cells, row.differences, strict=False):
            if difference:
                cell.append(f"\n{_narrow(difference)}", style="not bold dim default")
        last = index + 1 == len(content.rows) or content.rows[index + 1].group != row.group
        table.add_row(Text(row.heading), *cells, end_section=last)
    return table


def _narrow(difference: str) -> str:
    """A long difference in two lines, so that no line breaks within the interval."""
    return difference.replace(" (", "\n(") if len(difference) > WIDEST else difference
