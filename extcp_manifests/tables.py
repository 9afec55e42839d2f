"""Tables for notebooks."""

from collections.abc import Iterable
from html import escape


def html_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table as HTML, in which every cell is text."""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = [f"<tr>{cells}</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"
