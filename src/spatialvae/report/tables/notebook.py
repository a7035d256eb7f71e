"""The table of a comparison for a notebook."""

from __future__ import annotations

from html import escape

from spatialvae.report.tables.table import ResultTable

__all__ = ["html_table"]


def html_table(table: ResultTable) -> str:
    """An HTML table without styles of its own, best values bold, differences under the values, the notes below.

    >>> from spatialvae.report.tables.table import Row
    >>> row = Row("bound", "nats", "", "likelihood", ("1", "2"), best=1)
    >>> html_table(ResultTable(("quantity", "<a>", "b"), (row,), ())).partition("<tbody>")[2]
    '<tr><th>bound (nats)</th><td>1</td><td><b>2</b></td></tr></tbody></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    body = ""
    for row in table.rows:
        cells = [
            f"<b>{escape(cell)}</b>" if index == row.best else escape(cell) for index, cell in enumerate(row.cells)
        ]
        for index, difference in enumerate(row.differences):
            cells[index] += f"<br><small>{escape(difference)}</small>" if difference else ""
        body += f"<tr><th>{escape(row.heading)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in table.notes)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
