"""One picture in a box: the right cells, a repaint and never a layout, and words where there is no picture."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from loratui.lab.pictures.thumbnails import Cells
from loratui.tui import pixels
from loratui.tui.pixels import SHADES, Drawn, Look, Pixels, draw, look_of, strips
from loratui.tui.widgets.thumb import Thumb
from tests.tui.conftest import run, until


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with all colours, and nothing remembered of other tests' pictures."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("loratui.tui.widgets.thumb.PIXELS", Pixels())


class ThumbApp(App[None]):
    CSS = "Thumb { width: 8; height: 4; }"

    def __init__(self, *pictures: Path) -> None:
        super().__init__()
        self.pictures = pictures
        self.opened: list[Path] = []

    def compose(self) -> ComposeResult:
        for picture in self.pictures or (None,):
            yield Thumb(picture)

    @property
    def thumb(self) -> Thumb:
        return self.query_one(Thumb)

    def on_thumb_opened(self, event: Thumb.Opened) -> None:
        self.opened.append(event.path)


def flat(path: Path, colour: str | tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def shown(thumb: Thumb) -> str:
    return "\n".join(thumb.render_line(y).text for y in range(thumb.size.height))


def letters(thumb: Thumb) -> str:
    """The words in a box too narrow for them."""
    return "".join(shown(thumb).split())


def colours(thumb: Thumb, y: int) -> list[tuple[str, str, int]]:
    """Upper and lower colour of a line's segments, and how many cells each has."""
    found = []
    for segment in thumb.render_line(y):
        assert segment.style is not None
        assert segment.style.bgcolor is not None
        lower = segment.style.bgcolor.get_truecolor().hex
        upper = segment.style.color.get_truecolor().hex if segment.text[0] == "▀" and segment.style.color else lower
        found.append((upper, lower, len(segment.text)))
    return found


async def painted(pilot: Pilot[Any], thumb: Thumb, path: Path) -> None:
    def is_shown() -> bool:
        return thumb._key is not None and thumb._key[0] == path and thumb.drawn is not None

    await until(pilot, is_shown)


def test_two_pixels_a_cell_and_equal_cells_are_one_segment(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8), (255, 0, 0))
    for x in range(4):
        picture.putpixel((x, 1), (0, 0, 255))
    picture.save(tmp_path / "a.png")

    async def story() -> None:
        app = ThumbApp(tmp_path / "a.png")
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, tmp_path / "a.png")
            assert colours(app.thumb, 0) == [("#ff0000", "#0000ff", 4), ("#ff0000", "#ff0000", 4)]
            assert colours(app.thumb, 3) == [("#ff0000", "#ff0000", 8)]
            assert app.thumb.render_line(0).text == "▀▀▀▀    "

    run(story())


def test_another_picture_is_no_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = flat(tmp_path / "a.png", "red"), flat(tmp_path / "b.png", "blue", (16, 4))
    layouts = []
    refresh_layout = Screen._refresh_layout

    def counted(self: Screen[Any], *args: Any, **options: Any) -> None:
        layouts.append(self)
        refresh_layout(self, *args, **options)

    async def story() -> None:
        app = ThumbApp(first)
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, first)
            monkeypatch.setattr(Screen, "_refresh_layout", counted)
            for path in (second, tmp_path / "none.png", first):
                app.thumb.show(path)
                await painted(pilot, app.thumb, path)
            app.thumb.show(None)
            await until(pilot, lambda: letters(app.thumb) == "nopicture")
            assert layouts == []

    run(story())


def test_of_pictures_run_through_only_the_last_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [flat(tmp_path / f"{n}.png", (10 * n, 0, 0)) for n in range(8)]
    decoded = []
    monkeypatch.setattr("loratui.tui.widgets.thumb.draw", lambda key, known: decoded.append(key[0]) or draw(key, known))

    async def story() -> None:
        app = ThumbApp()
        async with app.run_test() as pilot:
            await pilot.pause()
            for path in paths:
                app.thumb.show(path)
            await painted(pilot, app.thumb, paths[-1])
            assert decoded == [paths[-1]]

    run(story())


def test_a_picture_that_comes_late_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = flat(tmp_path / "slow.png", "red"), flat(tmp_path / "fast.png", "blue")
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def drawing(key: Any, known: Drawn | None) -> Drawn:
        if key[0] == slow:
            began.set()
            go_on.wait(20)
            ended.set()
        return draw(key, known)

    monkeypatch.setattr("loratui.tui.widgets.thumb.draw", drawing)

    async def story() -> None:
        app = ThumbApp()
        async with app.run_test() as pilot:
            await pilot.pause()
            app.thumb.show(slow)
            await until(pilot, began.is_set)
            await until(pilot, lambda: letters(app.thumb) == "loading…")
            app.thumb.show(fast)
            await painted(pilot, app.thumb, fast)
            go_on.set()
            await until(pilot, ended.is_set)
            await pilot.pause()
            assert colours(app.thumb, 0) == [("#0000ff", "#0000ff", 8)]

    run(story())


def test_a_known_picture_is_there_at_once_and_looked_after(tmp_path: Path) -> None:
    first, second = flat(tmp_path / "a.png", "red"), flat(tmp_path / "b.png", "blue")

    async def story() -> None:
        app = ThumbApp(first)
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, first)
            app.thumb.show(second)
            await painted(pilot, app.thumb, second)
            flat(first, "lime", (8, 9))
            app.thumb.show(first)
            assert colours(app.thumb, 0)[0][0] == "#ff0000", "no waiting for a picture that is known"
            await until(pilot, lambda: any(upper == "#00ff00" for upper, _, _ in colours(app.thumb, 0)))

    run(story())


def test_what_is_no_picture_is_words(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"[red]nothing[/]")

    async def story() -> None:
        app = ThumbApp(tmp_path / "broken.png")
        app.CSS = "Thumb { width: 40; height: 8; }"
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, tmp_path / "broken.png")
            assert "✗ no picture here" in shown(app.thumb)
            assert "not a picture in PNG" in shown(app.thumb)
            app.thumb.show(None)
            await until(pilot, lambda: "no picture" in shown(app.thumb))

    run(story())


def test_a_caption_is_text_and_takes_the_last_row(tmp_path: Path) -> None:
    first = flat(tmp_path / "a.png", "red")

    async def story() -> None:
        app = ThumbApp()
        async with app.run_test() as pilot:
            await pilot.pause()
            app.thumb.show(first, "[b]\x1b[2J")
            await painted(pilot, app.thumb, first)
            assert app.thumb.render_line(3).text == "[b]␛[2J "
            assert len(app.thumb.drawn.strips) == 3 if app.thumb.drawn else False
            app.thumb.show(first, "far too long for it")
            await until(pilot, lambda: app.thumb.render_line(3).text == "far too…")

    run(story())


def test_a_click_says_which_picture(tmp_path: Path) -> None:
    first = flat(tmp_path / "a.png", "red")

    async def story() -> None:
        app = ThumbApp(first)
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, first)
            await pilot.click(Thumb)
            await until(pilot, lambda: app.opened)
            assert app.opened == [first]
            app.thumb.show(None)
            await pilot.click(Thumb)
            await pilot.pause()
            assert app.opened == [first]

    run(story())


def test_a_resized_box_gets_a_picture_of_its_size(tmp_path: Path) -> None:
    first = flat(tmp_path / "a.png", "red", (64, 64))

    async def story() -> None:
        app = ThumbApp(first)
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, first)
            app.thumb.styles.width, app.thumb.styles.height = 20, 10
            await until(pilot, lambda: app.thumb.drawn is not None and len(app.thumb.drawn.strips) == 10)
            assert colours(app.thumb, 9) == [("#ff0000", "#ff0000", 20)]

    run(story())


def test_without_colour_brightness_is_ink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    picture = Image.new("RGB", (8, 8), "white")
    for y in range(8):
        for x in range(4):
            picture.putpixel((x, y), (0, 0, 0))
    picture.save(tmp_path / "a.png")

    async def story() -> None:
        app = ThumbApp(tmp_path / "a.png")
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, tmp_path / "a.png")
            assert app.thumb.render_line(0).text == "    ████"
            app.theme = "textual-light"
            await until(pilot, lambda: app.thumb.render_line(0).text == "████    ")

    run(story())


def test_256_colours_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORTERM")
    first = flat(tmp_path / "a.png", (200, 30, 30))

    async def story() -> None:
        app = ThumbApp(first)
        async with app.run_test() as pilot:
            await painted(pilot, app.thumb, first)
            assert app.console.color_system == "256"
            assert "48;5;160" in app.thumb.render_line(0).render(app.console)

    run(story())


def test_a_photograph_of_30_by_15_is_about_18_kilobytes() -> None:
    from rich.console import Console

    noise = [Image.effect_noise((30, 30), 60) for _ in range(3)]
    cells = Cells(30, 15, 0, 0, 30, 30, Image.merge("RGB", noise).tobytes(), (30, 30))
    console = Console(color_system="truecolor", force_terminal=True)
    drawn = strips(cells, _look())
    assert [strip.cell_length for strip in drawn] == [30] * 15
    assert sum(len(strip.render(console).encode()) for strip in drawn) < 20_000
    flat_cells = Cells(30, 15, 0, 0, 30, 30, bytes([250, 251, 252] * 900), (30, 30))
    assert sum(len(strip.render(console).encode()) for strip in strips(flat_cells, _look())) < 900


def test_colours_that_no_eye_tells_apart_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    row = bytes([100, 100, 100, 103, 98, 100, 104, 100, 100, 105, 100, 100])
    (strip,) = strips(Cells(4, 1, 0, 0, 4, 2, row + row, (4, 2)), _look())
    assert [segment.text for segment in strip] == ["   ", " "]


def test_the_letterbox_is_the_background_and_an_odd_row_ends_in_it() -> None:
    cells = Cells(5, 3, 1, 1, 2, 3, bytes([255, 0, 0] * 6), (2, 3))
    drawn = strips(cells, _look())
    assert [strip.text for strip in drawn] == ["     ", "     ", " ▀▀  "]
    assert all(strip.cell_length == 5 for strip in drawn)
    last = list(drawn[2])[1]
    assert last.style is not None
    assert last.style.bgcolor is not None
    assert last.style.bgcolor.triplet == _look().background.triplet


def test_every_brightness_has_a_shade() -> None:
    look = _look()._replace(colour="")
    for shade in range(256):
        (strip,) = strips(Cells(1, 1, 0, 0, 1, 2, bytes([shade] * 6), (1, 2)), look)
        assert strip.text in SHADES


def test_the_store_forgets_what_was_not_used_for_longest(tmp_path: Path) -> None:
    store = Pixels(most=25)  # each has ten segments
    look = _look()
    cells = Cells(10, 10, 0, 0, 10, 20, bytes(600), (10, 20))
    keys = [(tmp_path / f"{n}.png", 10, 10, look) for n in range(3)]
    for key in keys[:2]:
        store.put(key, Drawn(strips(cells, look), (10, 20), None))
    assert store.get(keys[0]) is not None
    store.put(keys[2], Drawn(strips(cells, look), (10, 20), None))
    assert [store.get(key) is not None for key in keys] == [True, False, True]


def test_a_file_that_did_not_change_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = flat(tmp_path / "a.png", "red")
    key = (path, 8, 4, _look())
    first = draw(key)
    monkeypatch.setattr(pixels, "thumbnail", None)
    assert draw(key, first) is first


def _look() -> Look:
    from rich.color import Color

    return Look(Color.from_rgb(18, 18, 18), Color.from_rgb(220, 220, 220), "truecolor", True)


def test_the_look_follows_the_widget(tmp_path: Path) -> None:
    async def story() -> None:
        app = ThumbApp()
        async with app.run_test() as pilot:
            await pilot.pause()
            before = look_of(app.thumb)
            assert before.dark
            app.theme = "textual-light"
            await pilot.pause()
            assert not look_of(app.thumb).dark
            assert look_of(app.thumb).background != before.background

    run(story())
