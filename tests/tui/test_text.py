"""Outside text is shown as text: nothing of it is obeyed by the terminal or read as markup, in whatever widget."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import DataTable, Input, Label, OptionList, Static, TextArea

from loratui.tui.text import ControlGuard, cell, line, lines, panel_title
from tests.tui.conftest import run

HOSTILE = [
    "a\x1b[31mb",
    "\x1b]52;c;aGFja2Vk\x07",
    "\x9b31mred",
    "a [cat] and [red]dog[/]",
    "[/nope]",
    "[@click=app.bell]x[/]",
    "left\u202eright",
    "zero\u200bwidth",
    "tab\tbell\x07del\x7f",
    "half \udcff",
    "line\nbreak\r\n",
    "C:\\path\\[x]\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_is_printable_and_keeps_every_visible_letter(text: str) -> None:
    for shown in (line(text).plain, cell(text).plain, panel_title(1, text).plain):
        assert shown.isprintable()
        for letter in text:
            assert not letter.isprintable() or letter in shown


def test_lines_keep_their_line_ends_and_nothing_else() -> None:
    assert lines("one\r\ntwo\x1b").plain == "one\ntwo␛"


@pytest.mark.parametrize("text", HOSTILE)
def test_the_guard_lets_no_control_character_through(text: str) -> None:
    (shown,) = ControlGuard().apply([Segment(text)], Color(0, 0, 0))
    assert shown.text.isprintable()


def test_the_guard_leaves_harmless_lines_alone() -> None:
    segments = [Segment("plain"), Segment("größer ▀ 猫")]
    assert ControlGuard().apply(segments, Color(0, 0, 0)) is segments


@pytest.mark.parametrize("text", HOSTILE)
def test_even_a_widget_that_was_given_raw_text_shows_none_of_it(text: str) -> None:
    class Raw(App[None]):
        def get_line_filters(self):  # type: ignore[no-untyped-def]
            return [*super().get_line_filters(), ControlGuard()]

        def compose(self) -> ComposeResult:
            yield Static(text, markup=False)
            yield Label(text, markup=False)
            yield Input(text)
            yield TextArea(text)
            yield OptionList(text.replace("[", "("))
            yield DataTable()

        def on_mount(self) -> None:
            table = self.query_one(DataTable)
            table.add_column("a")
            table.add_row(cell(text))

    async def story() -> None:
        app = Raw()
        async with app.run_test(size=(80, 40)) as pilot:
            await pilot.pause()
            for y in range(40):
                for strip in [app.screen._compositor.render_strips()[y]]:
                    filtered = strip.apply_filter(ControlGuard(), Color(0, 0, 0))
                    assert all(s.text.isprintable() for s in filtered if not s.control)

    run(story())
