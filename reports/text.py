"""What is drawn for the terminal, as plain text and as HTML."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

from rich.console import Console

from reports.cleaning import without_controls

WIDTH = 110
"""Characters of a line where there is no terminal to ask."""
Draw = Callable[[Any, Console], None]
_PAGE = '<pre style="font-family: monospace; line-height: 1.25; overflow-x: auto; white-space: pre">{code}</pre>\n'


def console(**settings: Any) -> Console:
    """A console that prints texts as they are: names and notes may hold what rich takes for markup ("[link=…]")."""
    return Console(highlight=False, markup=False, emoji=False, **settings)


def as_text(value: Any, draw: Draw) -> str:
    """``value`` as ``draw`` draws it, without colours; lines end without blanks."""
    text = StringIO()
    draw(without_controls(value), console(file=text, width=WIDTH, color_system=None))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def as_html(value: Any, draw: Draw) -> str:
    """``value`` as ``draw`` draws it, as one preformatted element of a page; all that it says is escaped."""
    drawn = console(file=StringIO(), record=True, width=WIDTH, color_system="truecolor", force_terminal=True)
    draw(without_controls(value), drawn)
    return drawn.export_html(inline_styles=True, code_format=_PAGE)
