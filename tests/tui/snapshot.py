"""A screen as text that can be compared: its cells, and below them the style of each cell as a letter.

Nothing of it depends on how Textual writes an SVG; that is only the picture for whoever has to look at a difference.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from textual.app import App

FOLDER = Path(__file__).parent / "snapshots"
LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "!#$%&*+-/:;<=>?@^_~"
MONOSPACE = '"Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace'
_ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")


def dump(app: App[Any]) -> str:
    """What is on the screen: a line of text for each row, then a line of style letters for each, then the letters."""
    cells: list[str] = []
    looks: list[str] = []
    letters: dict[str, str] = {}
    for strip in _strips(app):
        row, look = "", ""
        for text, style, control in strip:
            if control or text.startswith("\x1b"):
                continue
            words = _words(style)
            letter = letters.setdefault(words, LETTERS[len(letters) % len(LETTERS)])
            row += text
            look += letter * cell_len(text)
        cells.append(row)
        looks.append(look)
    told = [f"{letter} {words}" for words, letter in letters.items()]
    return "\n".join([f"{app.size.width}x{app.size.height}", *(f"│{row}│" for row in cells), *looks, *told]) + "\n"


def _strips(app: App[Any]) -> Iterable[Iterable[tuple[str, Style | None, object]]]:
    """The rows of the screen, with those of the screens that shine through a dialog."""
    console = Console(width=app.size.width, height=app.size.height, force_terminal=True, color_system="truecolor")
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    return console.render_lines(update, console.options.update(height=app.size.height), pad=False)


def _words(style: Style | None) -> str:
    if style is None:
        return "plain"
    colours = [colour.get_truecolor().hex if colour is not None else "-" for colour in (style.color, style.bgcolor)]
    return " ".join([" on ".join(colours), *(name for name in _ATTRIBUTES if getattr(style, name))])


def picture(app: App[Any], title: str = "") -> str:
    """The screen as an SVG that needs nothing from outside and is the same each time."""
    return without_fonts(app.export_screenshot(title=title))


def without_fonts(svg: str) -> str:
    """An SVG of Textual's without its web fonts and comments, and without the number that is another each time."""
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face\s*\{[^}]*\}\s*", "", svg)
    svg = re.sub(r"font-family:\s*Fira Code[^;]*;", f"font-family: {MONOSPACE};", svg)
    return re.sub(r"terminal-\d+-", "terminal-", svg)
