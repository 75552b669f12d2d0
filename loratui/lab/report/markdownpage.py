"""An article as Markdown, with its pictures and charts as files: the same blocks as the page, in CommonMark and tables.

Every text is made plain and escaped here, whatever it was before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from loratui import __version__
from loratui.lab.markdown import escape, paragraphs
from loratui.lab.plain import plain
from loratui.lab.report import chart
from loratui.lab.report.article import (
    Article,
    Badge,
    Block,
    Bullets,
    Code,
    Commands,
    Details,
    Entry,
    Facts,
    Figure,
    Heading,
    Paragraph,
    Picture,
    Plate,
    Plates,
    Sheet,
    Standings,
    Strong,
    Table,
    Words,
    pieces,
)
from loratui.lab.report.wording import p_words


def render(article: Article, folder: str) -> tuple[str, dict[str, bytes]]:
    """The document, and its files by name; it names them below `folder`."""
    writer = _Writer(folder)
    parts = [f"# {inline(article.title)}", inline(article.byline)]
    for section in article.sections:
        parts += [f"## {inline(section.title)}", *writer.blocks(section.blocks)]
    parts.append(f"Written by loratui {escape(__version__)}.")
    return "\n\n".join(part for part in parts if part) + "\n", writer.files


def inline(words: Words) -> str:
    """Words on one line. Spaces at the ends of pieces stay."""
    return "".join(_piece(piece) for piece in pieces(words)).strip()


def _piece(piece: object) -> str:
    if isinstance(piece, Strong):
        inside = piece.text.strip()
        return f"**{escape(inside)}**{' ' * (piece.text != piece.text.rstrip())}" if inside else ""
    if isinstance(piece, Code):
        inside = plain(" ".join(piece.text.split()))
        return f"`{inside}`" if inside and "`" not in inside and "|" not in inside else escape(inside)
    raw = piece if isinstance(piece, str) else getattr(piece, "text", "")
    if not raw.strip():
        return " " if raw else ""
    return " " * raw[0].isspace() + escape(raw) + " " * raw[-1].isspace()


class _Writer:
    """Renders blocks, and gathers the files that they need."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.files: dict[str, bytes] = {}
        self._how: dict[type, Callable[[Any], list[str]]] = {
            Paragraph: self._paragraph,
            Bullets: lambda block: ["\n".join(f"- {inline(item)}" for item in block.items)],
            Table: self._table,
            Facts: lambda block: [_table(("", ""), [(inline(a), inline(b)) for a, b in block.rows])],
            Plates: self._plates,
            Sheet: self._sheet,
            Figure: self._figure,
            Standings: self._standings,
            Commands: self._commands,
            Entry: self._entry,
            Heading: lambda block: [f"{'#' * min(6, max(3, block.level))} {inline(block.words)}"],
            Details: lambda block: [f"**{inline(block.summary)}**", *self.blocks(block.blocks)],
        }

    def blocks(self, blocks: Sequence[Block]) -> list[str]:
        return [part for block in blocks for part in self._how[type(block)](block) if part]

    def _paragraph(self, block: Paragraph) -> list[str]:
        signs = {"warning": "**!** ", "refusal": "**✗ Refused.** "}
        return [signs.get(block.tone, "") + inline(block.words)]

    def _table(self, block: Table) -> list[str]:
        rows = [tuple(_cell(cell) for cell in row) for row in block.rows]
        heads = tuple(inline(words) for words in block.headings)
        caption = [f"*{inline(block.caption)}*"] if block.caption else []
        return [*caption, _table(heads, rows, block.numbers)]

    def _commands(self, block: Commands) -> list[str]:
        lines = [plain(line) for line in block.lines]
        fence = "`" * max(3, 1 + max((len(run) for line in lines for run in _backticks(line)), default=0))
        return [f"{fence}sh\n" + "\n".join(lines) + f"\n{fence}"]

    # -- pictures -------------------------------------------------------------------------------------------------

    def _image(self, picture: Picture) -> str:
        self.files[picture.name] = picture.data
        return f"![{escape(picture.alt)}]({self.folder}/{picture.name})"

    def _shown(self, picture: Picture | None, otherwise: str) -> str:
        return self._image(picture) if picture is not None else escape(otherwise)

    def _plates(self, block: Plates) -> list[str]:
        if block.large:
            return [*(self._shown(p.picture, p.missing) for p in block.plates), f"*{inline(block.caption)}*"]
        return [self._plate_table(block.plates), f"*{inline(block.caption)}*"]

    def _plate_table(self, plates: Sequence[Plate]) -> str:
        return _table(("", "", ""), [
            (self._shown(p.picture, p.missing), inline(p.words), inline(p.below)) for p in plates
        ])  # fmt: skip

    def _sheet(self, block: Sheet) -> list[str]:
        rows = [
            (str(pair.seed), self._shown(pair.base, "not drawn"), escape(pair.base_marks),
             self._shown(pair.lora, "not drawn"), escape(pair.lora_marks))
            for pair in block.pairs
        ]  # fmt: skip
        return [_table(("seed", "base", "", "with the LoRA", ""), rows), f"*{inline(block.caption)}*"]

    # -- numbers --------------------------------------------------------------------------------------------------

    def _figure(self, block: Figure) -> list[str]:
        shown = []
        for number, one in enumerate(block.charts, 1):
            name = f"{block.name}-{number:02d}.svg"
            self.files[name] = chart.standalone(one).encode("utf-8")
            shown.append(f"![{escape(f'{one.title}: {one.about}')}]({self.folder}/{name})")
        caption = f"*{inline(block.caption)}*"
        return [*shown, caption, *(part for table in block.tables for part in self._table(table))]

    def _standings(self, block: Standings) -> list[str]:
        rows = []
        for row in block.rows:
            said = f" {inline(row.said)}" if row.said else ""
            rows.append((_cell(row.badge), inline(row.expectation), inline(row.where), escape(row.lora.words),
                         escape(row.base.words), escape(p_words(row.p)), inline(row.why) + said))  # fmt: skip
        heads = ("verdict", "expected", "prompt", "with the LoRA", "base", "test", "why")
        return [_table(heads, rows), f"*{inline(block.caption)}*"]

    def _entry(self, block: Entry) -> list[str]:
        struck = " (struck out)" if block.struck else ""
        parts = [
            f"#### {_cell(block.badge)}: {inline(block.title)}{struck}",
            inline(block.about),
            paragraphs(block.text),
        ]
        return [*parts, self._plate_table(block.plates)] if block.plates else parts


def _cell(cell: Words | Badge) -> str:
    return f"{escape(cell.sign)} {escape(cell.word)}" if isinstance(cell, Badge) else inline(cell)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int] = frozenset()) -> str:
    """Cells are Markdown already."""
    rules = ["---:" if column in numbers else "---" for column in range(len(heads))]
    lines = [" | ".join(cell or " " for cell in row) for row in (heads, rules, *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _backticks(line: str) -> list[str]:
    import re

    return re.findall(r"`+", line)
