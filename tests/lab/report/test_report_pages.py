"""Whatever the words are, both renderers show them as words, and tell the same."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from loratui.lab.report import markdownpage, page
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
)
from loratui.lab.report.chart import Chart, Line, share_axis, steps_axis
from loratui.lab.scores.statistics import Rate
from tests.lab.report.reading import picture_links, read_page

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "&lt;b&gt; &amp; &#x3c;i&#62;",
    "a | b `c` *d* _e_ [f](https://example.org) ![g](https://example.org/x.png) # h",
    "https://example.org www.example.org someone@example.org",
    "\u202eright to left\u202c \u2066isolated\u2069 \u200bzero",
    "שלום עולם 1 2 3",
    "\x00\x07\x1b[31mred\x1b[0m\x7f\x9b",
    "line\nbreak\r\n\r\nand more\u2028there",
    "<!-- comment --> <![CDATA[x]]> <?php ?>",
    "]]></svg><svg onload=alert(1)>",
    "---\n# heading\n> quote\n1. one\n+ two\n```\ncode",
    "\ud800 half a character",
    "javascript:alert(1)",
    "ﷺ" * 30 + "e\u0301" * 20,
    "",
    " ",
]


def picture(name: str = "a.png", alt: str = "a picture") -> Picture:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(out, "PNG")
    return Picture(name, out.getvalue(), 4, 3, alt)


def everything(text: str) -> Article:
    """An article that says the text in every place there is."""
    words = ("of ", Said(text), " and ", Strong(text), " and ", Code(text), text)
    badge = Badge("✓", "learned", "learned")
    chart = Chart(text, text, steps_axis(10), share_axis(text), (Line("lora", ((0, 0.1), (10, 0.9))),))
    table = Table((words, "n"), ((words, badge), (text, "1")), words, frozenset({1}))
    plate = Plate(picture("plate.png", text or "-"), words, words)
    blocks: tuple[Block, ...] = (
        Paragraph(words),
        Paragraph(words, "warning"),
        Paragraph(words, "refusal"),
        Bullets((words, text)),
        table,
        Facts(((words, words),)),
        Plates((plate, Plate(None, words, "", text)), words),
        Plates((plate,), words, large=True),
        Sheet((Pair(1, picture("base.png", text or "-"), None, "✓", "?"),), words),
        Figure("chart", (chart, chart), words, (table,), (("lora", text),)),
        Standings((Standing(badge, words, words, Rate(3, 4), Rate(0, 4, 1), 0.2, words, words),), words),
        Commands((f"loratui --run {text}",)),
        Entry(badge, words, words, text, (plate,), struck=True),
        Heading(words),
        Details(words, (Paragraph(words), Details(words, (table,)))),
    )
    return Article(text, words, words, (Section("one", words, blocks), Section("two", words, (Paragraph(text),))))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup_or_leads_outside(text: str) -> None:
    told = read_page(page.render(everything(text)))
    assert told.faults == []
    assert "script" not in told.tags
    assert len(told.pictures) == 4


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable() and text.strip()])
def test_what_can_be_shown_is_shown_letter_by_letter(text: str) -> None:
    shown = read_page(page.render(everything(text))).text
    assert shown.count(" ".join(text.split())) > 20


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_keeps_its_shape_whatever_is_said_in_it(text: str) -> None:
    document, files = markdownpage.render(everything(text), "pictures")
    quiet, _ = markdownpage.render(everything("quiet"), "pictures")
    outside = re.sub(r"^(`{3,})sh\n[\s\S]*?^\1$|`[^`\n]*`", "", document, flags=re.MULTILINE)
    assert set(picture_links(outside)) == {f"pictures/{name}" for name in files}
    assert re.findall(r"^(#+) ", document, re.MULTILINE) == re.findall(r"^(#+) ", quiet, re.MULTILINE)
    for line, like in zip(_tables(document), _tables(quiet), strict=True):
        assert _bars(line) == _bars(like)
    assert not re.search(r"(?<!\\)<[a-zA-Z!?/]", outside)
    assert not re.search(r"(?<!\\):(?=//)|(?<!\\)\]\((?!pictures/)", outside)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", document)
    document.encode("utf-8")


def _tables(document: str) -> list[str]:
    return [line for line in document.splitlines() if line.startswith("|")]


def _bars(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


def test_both_tell_the_same_numbers() -> None:
    html, (document, _) = page.render(everything("gray")), markdownpage.render(everything("gray"), "pictures")
    for words in ("3/4 (30–95 %)", "0/4 (0–49 %), 1 uncertain", "✓ learned"):
        assert words in read_page(html).text
        assert words in document


def test_the_same_article_is_the_same_file_again() -> None:
    assert page.render(everything("gray")) == page.render(everything("gray"))
    assert markdownpage.render(everything("gray"), "x") == markdownpage.render(everything("gray"), "x")


def test_a_page_may_fetch_run_and_send_nothing_whatever_stands_in_it() -> None:
    html = page.render(everything("gray"))
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    assert policy is not None
    assert html.index(policy[0]) < html.index("<style>") < html.index("<body>")
    allowed = dict(part.strip().split(" ", 1) for part in policy[1].split(";"))
    assert allowed == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_a_page_has_both_colours_and_a_way_to_paper() -> None:
    styles = read_page(page.render(everything("gray"))).styles
    assert "prefers-color-scheme:dark" in styles
    assert "@media print" in styles
    assert "image-rendering:pixelated" in styles
