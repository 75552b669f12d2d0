"""An article as one HTML file that needs nothing else: no script, no font, no resource from anywhere.

Every text is made plain and escaped here, whatever it was before.
"""

from __future__ import annotations

import base64
import html
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from loratui import __version__
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
    Pair,
    Paragraph,
    Picture,
    Plate,
    Plates,
    Said,
    Section,
    Sheet,
    Standing,
    Standings,
    Strong,
    Table,
    Words,
    bare,
    pieces,
)
from loratui.lab.report.style import STYLE
from loratui.lab.report.wording import p_words

_PERCENT = re.compile(r"\(?\b\d+(?:–\d+)? %\)?")
# A second wall behind the escaping: nothing is fetched, run or sent, whatever a text should come to mean.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_MANY = 7  # pictures in a row from which on they are smaller
_PIXELS = 128  # pictures up to here are shown pixel by pixel


def render(article: Article) -> str:
    """The whole file."""
    return "".join(_Page().page(article))


def text(value: object) -> str:
    """Any text, harmless inside an element and inside a quoted attribute."""
    return html.escape(plain(value))


def inline(words: Words) -> str:
    """Words inside an element; a percentage stays on one line with its interval."""
    return "".join(map(_piece, pieces(words)))


def _piece(piece: object) -> str:
    if isinstance(piece, Said):
        return f"<bdi>{text(piece.text)}</bdi>"
    if isinstance(piece, Strong):
        return f"<strong>{text(piece.text)}</strong>"
    if isinstance(piece, Code):
        return f"<code>{text(piece.text)}</code>"
    return _PERCENT.sub(r'<span class="whole">\g<0></span>', text(piece))


def _badge(badge: Badge) -> str:
    sign = f'<span aria-hidden="true">{text(badge.sign)}</span>'
    return f'<span class="badge {text(badge.kind)}">{sign} {text(badge.word)}</span>'


def _image(picture: Picture, extra: str = "") -> str:
    data = base64.b64encode(picture.data).decode("ascii")
    small = ' class="pixels"' if max(picture.width, picture.height) <= _PIXELS else ""
    return (f'<img{small} src="data:image/png;base64,{data}" width="{picture.width}" height="{picture.height}" '
            f'alt="{text(picture.alt)}"{extra}>')  # fmt: skip


class _Page:
    """Renders blocks; counts what needs a name of its own."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._how: dict[type, Callable[[Any], str]] = {
            Paragraph: self._paragraph,
            Bullets: self._bullets,
            Table: self._table,
            Facts: self._facts,
            Plates: self._plates,
            Sheet: self._sheet,
            Figure: self._figure,
            Standings: self._standings,
            Commands: self._commands,
            Entry: self._entry,
            Heading: self._heading,
            Details: self._details,
        }

    def page(self, article: Article) -> Iterator[str]:
        yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        yield f'<meta name="generator" content="loratui {text(__version__)}">\n'
        yield '<meta name="color-scheme" content="light dark">\n'
        yield f"<title>{text(bare(article.title))}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        yield f'<header>\n<p class="kicker">LoRA lab report</p>\n<h1>{inline(article.title)}</h1>\n'
        yield f'<p class="byline">{inline(article.byline)}</p>\n</header>\n<main>\n'
        for number, section in enumerate(article.sections):
            yield self._section(section)
            if number == 0:
                yield self._contents(article.sections[1:])
        yield f"</main>\n<footer><p>Written by loratui {text(__version__)}.</p></footer>\n</body>\n</html>\n"

    def _contents(self, sections: Sequence[Section]) -> str:
        links = "".join(f'<li><a href="#{text(s.id)}">{inline(s.title)}</a></li>' for s in sections)
        return f'<nav aria-label="What follows"><ul>{links}</ul></nav>\n'

    def _section(self, section: Section) -> str:
        return (f'<section id="{text(section.id)}">\n<h2>{inline(section.title)}</h2>\n{self._blocks(section.blocks)}'
                "</section>\n")  # fmt: skip

    def _blocks(self, blocks: Sequence[Block]) -> str:
        return "".join(self._how[type(block)](block) + "\n" for block in blocks)

    # -- words ----------------------------------------------------------------------------------------------------

    def _paragraph(self, block: Paragraph) -> str:
        if block.tone in ("warning", "refusal"):
            sign = "✗ Refused. " if block.tone == "refusal" else "! "
            return f'<p class="{block.tone}" role="note"><strong>{sign}</strong>{inline(block.words)}</p>'
        return f'<p class="{block.tone}">{inline(block.words)}</p>' if block.tone else f"<p>{inline(block.words)}</p>"

    def _bullets(self, block: Bullets) -> str:
        return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in block.items)}</ul>"

    def _heading(self, block: Heading) -> str:
        level = min(6, max(3, block.level))
        return f"<h{level}>{inline(block.words)}</h{level}>"

    def _facts(self, block: Facts) -> str:
        rows = "".join(f"<div><dt>{inline(term)}</dt><dd>{inline(words)}</dd></div>" for term, words in block.rows)
        return f'<dl class="facts">{rows}</dl>'

    def _commands(self, block: Commands) -> str:
        return f"<pre><code>{chr(10).join(map(text, block.lines))}</code></pre>"

    def _details(self, block: Details) -> str:
        return f"<details><summary>{inline(block.summary)}</summary>\n{self._blocks(block.blocks)}</details>"

    def _table(self, block: Table) -> str:
        return self._scrolled(block)

    def _scrolled(self, block: Table) -> str:
        caption = f"<caption>{inline(block.caption)}</caption>" if block.caption else ""
        heads = "".join(
            f'<th scope="col"{self._right(block, i)}>{inline(w)}</th>' for i, w in enumerate(block.headings)
        )
        rows = "".join(
            f"<tr>{''.join(self._cell(block, i, cell) for i, cell in enumerate(row))}</tr>" for row in block.rows
        )
        label = bare(block.caption) if block.caption else ", ".join(filter(None, map(bare, block.headings)))
        return (f'<div class="scroll" role="region" tabindex="0" aria-label="Table: {text(label)}"><table>{caption}'
                f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>")  # fmt: skip

    @staticmethod
    def _right(block: Table, column: int) -> str:
        return ' class="number"' if column in block.numbers else ""

    def _cell(self, block: Table, column: int, cell: Words | Badge) -> str:
        inside = _badge(cell) if isinstance(cell, Badge) else inline(cell)
        return f"<td{self._right(block, column)}>{inside}</td>"

    # -- pictures -------------------------------------------------------------------------------------------------

    def _plates(self, block: Plates) -> str:
        kind = "plates large" if block.large else "plates many" if len(block.plates) > _MANY else "plates"
        return (f'<figure class="{kind}"><div class="row">{"".join(map(self._plate, block.plates))}</div>'
                f"<figcaption>{inline(block.caption)}</figcaption></figure>")  # fmt: skip

    def _plate(self, plate: Plate) -> str:
        shown = _image(plate.picture) if plate.picture else f'<span class="missing">{text(plate.missing)}</span>'
        below = f"<small>{inline(plate.below)}</small>" if plate.below else ""
        words = f"<p>{inline(plate.words)}{below}</p>" if plate.words or below else ""
        return f'<div class="plate">{shown}{words}</div>'

    def _sheet(self, block: Sheet) -> str:
        pairs = "".join(map(self._pair, block.pairs))
        return (f'<figure class="sheet"><div class="row">{pairs}</div>'
                f"<figcaption>{inline(block.caption)}</figcaption></figure>")  # fmt: skip

    def _pair(self, pair: Pair) -> str:
        def half(picture: Picture | None, marks: str, name: str) -> str:
            shown = _image(picture) if picture else '<span class="missing">not drawn</span>'
            marked = f'<span class="marks">{text(marks)}</span>' if marks else ""
            return f'<div class="{name}">{shown}{marked}</div>'

        base, lora = half(pair.base, pair.base_marks, "of-base"), half(pair.lora, pair.lora_marks, "of-lora")
        return f'<div class="pair"><div class="halves">{base}{lora}</div><p>seed {pair.seed}</p></div>'

    # -- numbers --------------------------------------------------------------------------------------------------

    def _figure(self, block: Figure) -> str:
        charts = "".join(map(self._chart, block.charts))
        keys = "".join(f'<li><span class="key {text(role)}"></span>{text(what)}</li>' for role, what in block.keys)
        legend = f'<ul class="keys">{keys}</ul>' if keys else ""
        tables = "".join(map(self._scrolled, block.tables))
        numbers = f"<details><summary>The numbers</summary>{tables}</details>" if tables else ""
        alone = " alone" if len(block.charts) == 1 else ""
        return (f'<figure class="charts{alone}">{legend}<div class="row">{charts}</div>'
                f"<figcaption>{inline(block.caption)}</figcaption>{numbers}</figure>")  # fmt: skip

    def _chart(self, one: chart.Chart) -> str:
        axis = f'<p class="axis">{text(one.y.label)}</p>' if one.y.label != one.title else ""
        drawn = chart.inline(one, f"chart-{next(self._numbers)}")
        return (f'<div class="one"><p class="title"><bdi>{text(one.title)}</bdi></p>{axis}'
                f'{drawn}<p class="axis x">{text(one.x.label)}</p></div>')  # fmt: skip

    def _standings(self, block: Standings) -> str:
        marks = "<span>0</span><span>50</span><span>100 %</span>"
        scale = f'<li class="scale" aria-hidden="true"><div class="line">{marks}</div></li>'
        rows, before = "", ""
        for row in block.rows:
            where = inline(row.where)
            rows += f'<li class="group">{where}</li>' if where != before else ""
            rows, before = rows + self._standing(row), where
        return (f'<figure class="standings"><ul>{scale}{rows}</ul>'
                f"<figcaption>{inline(block.caption)}</figcaption></figure>")  # fmt: skip

    def _standing(self, row: Standing) -> str:
        said = f'<span class="said">{inline(row.said)}</span>' if row.said else ""
        return (
            f'<li><div class="what"><p>{_badge(row.badge)} <strong>{inline(row.expectation)}</strong></p>'
            f'<p class="why">{inline(row.why)} <span>{text(p_words(row.p))}.</span>{said}</p></div>'
            f'<div class="line">{chart.strip(row.lora, row.base)}</div>'
            f'<dl class="rates"><div class="lora"><dt>LoRA</dt><dd>{inline(row.lora.words)}</dd></div>'
            f'<div class="base"><dt>base</dt><dd>{inline(row.base.words)}</dd></div></dl></li>'
        )

    def _entry(self, block: Entry) -> str:
        parts = plain(block.text, newlines=True).strip().split("\n\n")
        note = "".join(
            f"<p><bdi>{'<br>'.join(map(html.escape, part.split(chr(10))))}</bdi></p>" for part in parts if part
        )
        plates = f'<div class="row">{"".join(map(self._plate, block.plates))}</div>' if block.plates else ""
        struck = " struck" if block.struck else ""
        gone = ' <span class="badge none">struck out</span>' if block.struck else ""
        return (f'<article class="entry plates{struck}"><h4>{_badge(block.badge)}{gone} {inline(block.title)}</h4>'
                f'<p class="about">{inline(block.about)}</p>{note}{plates}</article>')  # fmt: skip
