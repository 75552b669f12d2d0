"""The observations of a project can be searched, and taken along as Markdown that no note can break."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from loratui.lab import markdown
from loratui.lab.errors import LabError
from loratui.lab.notes.notebook import to_markdown, verdict_words, wanted
from loratui.lab.notes.observations import Observation

FOLDER = Path("/projects/shapes")
RUN = "20260101-120000-shapes-40df"


def said(note: str = "", **changes: object) -> Observation:
    plain = Observation("cafe", RUN, FOLDER / "runs" / RUN, 1767268800.0, 1767268800.0, note)
    return replace(plain, **changes)  # type: ignore[arg-type]


def parsed(text: str) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def shown(tokens: list[Token]) -> str:
    """All text a reader sees."""
    parts: list[str] = []
    for token in tokens:
        if token.children is not None:
            parts.append("".join("\n" if t.type.endswith("break") else t.content for t in token.children))
    return "\n".join(parts)


# -- finding ----------------------------------------------------------------------------------------------------------

BOOK = [
    said("all grey", id="1", feature="grey", verdict="learned", step=750),
    said("at 12:30 still coloured", id="2", feature="Grey background", verdict="partly", step=75),
    said("a circle", id="3", verdict="not shown", run="20260102-120000-shapes-1587", by="coverage"),
    said("struck", id="4", struck=True),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "1234"),
        ("GREY", "12"),
        ("feature:grey", "12"),
        ('feature:"grey background"', "2"),
        ("feature:none", "34"),
        ("verdict:learned", "1"),
        ("verdict:l", "1"),
        ("verdict:not", "3"),
        ("verdict:none", "4"),
        ("run:1587", "3"),
        ("by:person", "124"),
        ("by:coverage", "3"),
        ("step:75", "2"),
        ("struck:no", "123"),
        ("struck:yes", "4"),
        ("-verdict:learned grey", "2"),
        ('"still coloured"', "2"),
        ("12:30", "2"),
        ("nobody:home", ""),
        ("learned", "1"),
    ],
)
def test_a_filter_shows_what_it_says(text: str, found: str) -> None:
    assert "".join(o.id for o in wanted(text).of(BOOK)) == found


@pytest.mark.parametrize(("text", "words"), [("verdict:lernd", "not shown"), ("struck:maybe", "struck:yes"),
                                             ("step:many", "step:750")])  # fmt: skip
def test_a_filter_that_can_not_be_meant_is_refused_with_the_words_there_are(text: str, words: str) -> None:
    with pytest.raises(LabError, match=words):
        wanted(text)


def test_verdicts_have_a_sign_beside_the_word() -> None:
    assert [verdict_words(v) for v in ("learned", "partly", "not shown", "uncertain", "")] == [
        "✓ learned", "~ partly", "✗ not shown", "? uncertain", "· no verdict"]  # fmt: skip


# -- Markdown ---------------------------------------------------------------------------------------------------------

INJECTIONS = [
    "# a heading",
    "a\n===\nb",
    "a\n\n---\n\nb",
    "> quoted",
    "- a list\n- of two",
    "1. numbered\n2) twice",
    "+ plus",
    "```\ncode\n```",
    "    indented code",
    "~~~\ntildes",
    "`code` and ``more``",
    "**bold** _slanted_ ~~gone~~",
    "[link](javascript:alert(1)) ![picture](http://example.com/x.png)",
    "<script>alert(1)</script><!-- hidden",
    "<b>bold</b> &amp; &#60;",
    "a | b\n--- | ---\nc | d",
    "[ref]: http://example.com\n\n[ref]",
    "<http://example.com>",
    "line  \nbreak\\",
    "$$x$$ @somebody #1",
    "\x1b]52;c;AAAA\x07 \u202e \u200b \r\n x \u2028 y",
    "* star\n* star",
    ":::note",
]


@pytest.mark.parametrize("note", INJECTIONS)
def test_a_note_is_a_paragraph_whatever_it_holds(note: str) -> None:
    tokens = parsed(to_markdown([said(note, feature=note, step=3)], note))
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds <= {"heading", "paragraph", "inline", "table", "thead", "tbody", "tr", "th", "td"}
    assert [t.tag for t in tokens if t.type == "heading_open"] == ["h1", "h2", "h3"]
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner <= {"text", "text_special", "hardbreak", "softbreak"}
    words = [word for word in re.findall(r"\w+", note.replace("\u2028", "")) if word.isascii()]
    text = shown(tokens)
    assert all(word in text for word in words)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_signs_of_markdown_are_shown_as_they_were_written() -> None:
    for note in (
        "**bold** _x_ `c` [a](b) <b> &amp; 1 | 2 ~~x~~ # \\ *",
        "C:\\path\\[x]",
        "(:3",
        "a_b_c",
        "50 % @ step",
    ):
        assert note in shown(parsed(to_markdown([said(note)])))


def test_pictures_are_linked_from_where_the_document_is() -> None:
    pictures = ("samples/step-000750/p00 (1).png", "samples/base/ü[x].png")
    observation = said("a", pictures=pictures)
    for folder, start in ((None, f"runs/{RUN}/"), (FOLDER / "runs", f"{RUN}/"), (Path("/projects/other"),
                                                                              f"../shapes/runs/{RUN}/")):  # fmt: skip
        tokens = parsed(to_markdown([observation], folder=folder))
        images = [child for token in tokens for child in token.children or () if child.type == "image"]
        assert [image.attrs["src"] for image in images] == [
            f"{start}samples/step-000750/p00%20%281%29.png",
            f"{start}samples/base/%C3%BC%5Bx%5D.png",
        ]
        assert images[0].content.endswith("p00 (1).png")


def test_the_document_tells_when_where_and_how_sure_in_time_order() -> None:
    later = said("later", time=1767268800.0 + 90000, feature="grey", verdict="learned", step=750)
    text = to_markdown(
        [later, said("first", verdict="uncertain"), said("gone", struck=True)], "Shapes", question="Why?"
    )
    seen = shown(parsed(text))
    assert seen.startswith("Shapes\nWhy?")
    assert seen.index("first") < seen.index("later")
    assert "grey: ✓ learned · shapes-40df · step 750" in seen
    assert "? uncertain" in seen
    assert "struck out" in seen
    rows = [line for line in text.splitlines() if line.startswith("| ✓ learned")]
    assert rows == ["| ✓ learned | 1 |"]


def test_earlier_wordings_come_along_only_when_they_are_asked_for() -> None:
    old = said("old # words", verdict="partly")
    observation = said("new words", verdict="learned", history=(old,))
    assert "old" not in to_markdown([observation])
    text = shown(parsed(to_markdown([observation], history=True)))
    assert "~ partly — old # words" in text


def test_a_project_without_observations_says_so() -> None:
    assert "No observations yet." in to_markdown([])


def test_a_very_long_note_is_told_whole() -> None:
    assert "word " * 20_000 in to_markdown([said("word " * 20_000 + "end")])


def test_a_table_of_outside_text_keeps_its_columns() -> None:
    text = markdown.table(("a|b", "c"), [("x | y", "z\nnew"), ("", "`q`")])
    tokens = parsed(text)
    assert [t.type for t in tokens].count("td_open") == 4
    assert [t.type for t in tokens].count("th_open") == 2
