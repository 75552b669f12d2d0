"""One picture with all that made it: its neighbours, its twin in place, at full size, and outside."""

from __future__ import annotations

import re
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.screen import Screen

from loratui.lab.pictures.gallery import Spot, Where
from loratui.lab.preferences import Preferences
from loratui.lab.run.runs import RunFolder
from loratui.tui import viewer
from loratui.tui.app import BenchApp
from loratui.tui.places import Place
from loratui.tui.screens.picture import PictureScreen
from tests.pictures import draw_sample, file_of, places, sampled_run
from tests.tui.conftest import run, until
from tests.tui.terminal import Terminal

STEPS, SEEDS = (75, 150, 225), (1, 2, 3)
HERE = Where(Spot(0, 25, 2), 1.0, 150)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    for name in ("NO_COLOR", "DISPLAY", "WAYLAND_DISPLAY", "TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sampled(tmp_path: Path) -> RunFolder:
    run_folder = sampled_run(tmp_path, places(STEPS, SEEDS, prompts=2, lengths=(1, 25), scales=(0.5, 1.0)))
    for step in STEPS:
        Image.new("RGB", (60, 40), "white").save(run_folder.samples / f"sheet-step-{step:06d}.png")
    return run_folder


def bench(sampled: RunFolder, path: Path, **options: Any) -> BenchApp:
    place = Place("picture", sampled.project_folder, (sampled.path,), path)
    return BenchApp(sampled.project_folder.parent, preferences=Preferences(), start=place, **options)


async def opened(pilot: Pilot[Any]) -> PictureScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, PictureScreen))
    screen = pilot.app.screen
    assert isinstance(screen, PictureScreen)
    await ready(pilot, screen)
    return screen


async def ready(pilot: Pilot[Any], screen: PictureScreen, path: Path | None = None) -> None:
    """Until this picture, and what is said about it, is on the screen."""

    def done() -> bool:
        wanted = path or screen.path
        key = screen.picture._key
        return (key is not None and key[0] == wanted == screen.path and screen.picture.drawn is not None
                and wanted.name in " ".join(screen.facts.text.split()))  # fmt: skip

    await until(pilot, done)


def test_a_sample_says_all_that_made_it(sampled: RunFolder) -> None:
    async def story() -> None:
        app = bench(sampled, file_of(sampled, HERE))
        async with app.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            words = screen.facts.text
            for part in ("with the LoRA", "a red circle", "seed       2", "25 inference steps", "16x16", "tinyworld",
                         "shapes-000150 at scale 1", "1aaada85c055", "150 steps", sampled.id):  # fmt: skip
                assert part in words
            assert "seed 2 · scale 1 · step 150" in str(screen.picture.border_title)
            assert str(screen.picture.border_subtitle) == "step 2 of 3"
            assert screen.picture.drawn is not None
            assert screen.picture.drawn.size == (16, 16)

    run(story())


def test_every_direction_is_a_key(sampled: RunFolder) -> None:
    walk = [
        ("right", replace(HERE, spot=Spot(0, 25, 3))),
        ("h", HERE),
        ("down", replace(HERE, spot=Spot(1, 25, 2))),
        ("k", HERE),
        ("full_stop", replace(HERE, step=225)),
        ("comma", HERE),
        ("i", replace(HERE, spot=Spot(0, 1, 2))),
        ("i", HERE),
        ("left_square_bracket", replace(HERE, scale=0.5)),
        ("b", replace(HERE, scale=None)),
        ("full_stop", replace(HERE, scale=None, step=225)),
        ("b", replace(HERE, scale=0.5, step=225)),
        ("right_square_bracket", replace(HERE, step=225)),
    ]

    async def story() -> None:
        app = bench(sampled, file_of(sampled, HERE))
        async with app.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            for key, where in walk:
                await pilot.press(key)
                await ready(pilot, screen, file_of(sampled, where))
                assert screen.where == where, key
            await pilot.press("full_stop")
            await until(pilot, lambda: "this is the last step" in str(screen.picture.border_subtitle))
            assert screen.where == walk[-1][1]
            assert screen.place.picture == file_of(sampled, walk[-1][1])

    run(story())


def test_the_flip_is_a_repaint_of_the_picture(sampled: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        app = bench(sampled, file_of(sampled, HERE))
        async with app.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            boxes = {widget: widget.region for widget in screen.query("*")}
            await pilot.press("b")
            await ready(pilot, screen, file_of(sampled, replace(HERE, scale=None)))
            assert "base model" in screen.facts.text
            assert str(screen.picture.border_subtitle) == "beside step 2 of 3"
            assert {widget: widget.region for widget in screen.query("*")} == boxes
            laid_out = []
            refresh_layout = Screen._refresh_layout
            monkeypatch.setattr(
                Screen, "_refresh_layout", lambda self, *a, **o: laid_out.append(self) or refresh_layout(self, *a, **o)
            )
            screen._show(file_of(sampled, replace(HERE, scale=None, spot=Spot(0, 25, 3))))
            await ready(pilot, screen)
            assert laid_out == [], "words of the same shape, another picture: nothing moves"

    run(story())


def test_the_footer_and_the_keys_tell_the_truth(sampled: RunFolder, tmp_path: Path) -> None:
    async def story() -> None:
        app = bench(sampled, file_of(sampled, HERE))
        async with app.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            assert "b" in screen.active_bindings
            assert "n" in screen.active_bindings
            await pilot.press("c")
            await ready(pilot, screen, sampled.samples / "sheet-step-000150.png")
            assert "b" not in screen.active_bindings
            await pilot.press("right")
            await ready(pilot, screen, sampled.samples / "sheet-step-000225.png")
            assert "contact sheet" in screen.facts.text
            await pilot.press("c")
            await ready(pilot, screen, file_of(sampled, HERE))
        watching = bench(sampled, file_of(sampled, HERE), readonly=True)
        async with watching.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            assert "n" not in screen.active_bindings
            assert "b" in screen.active_bindings

    run(story())


def test_an_image_of_a_dataset_and_those_beside_it(tmp_path: Path) -> None:
    project = tmp_path / "shapes"
    (project / "dataset").mkdir(parents=True)
    for name in ("image 2", "image 10"):
        Image.new("RGB", (40, 30), "red").save(project / "dataset" / f"{name}.png")
    (project / "dataset" / "image 2.txt").write_text("[red]\x1b]52;c;aGk=\x07 circle\n")

    async def story() -> None:
        picture = project / "dataset" / "image 2.png"
        app = BenchApp(tmp_path, preferences=Preferences(), start=Place("picture", project, (), picture))
        async with app.run_test(size=(80, 24)) as pilot:
            screen = await opened(pilot)
            assert "[red]␛]52;c;aGk=␇ circle" in screen.facts.text
            assert "40x30" in screen.facts.text
            assert str(screen.picture.border_subtitle) == "1 of 2"
            assert "b" not in screen.active_bindings
            await pilot.press("right")
            await ready(pilot, screen, project / "dataset" / "image 10.png")
            assert "there is no image 10.txt" in " ".join(screen.facts.text.split())
            await pilot.press("right", "left")
            await ready(pilot, screen, picture)

    run(story())


def test_a_broken_and_a_missing_picture_say_so(sampled: RunFolder) -> None:
    broken = file_of(sampled, HERE)
    broken.write_bytes(b"x")

    async def story() -> None:
        app = bench(sampled, broken)
        async with app.run_test(size=(100, 30)) as pilot:
            screen = await opened(pilot)
            assert screen.picture.drawn is not None
            assert "not a picture" in screen.picture.drawn.problem
            assert "broken picture" in screen.facts.text
            await pilot.press("b")
            await ready(pilot, screen, file_of(sampled, replace(HERE, scale=None)))
            await pilot.press("b", "y", "v")
            await until(pilot, lambda: "full size needs the terminal" in "".join(n.message for n in app._notifications))

    run(story())


def test_what_a_live_run_draws_can_be_gone_to(sampled: RunFolder) -> None:
    async def story() -> None:
        app = bench(sampled, file_of(sampled, replace(HERE, step=225)))
        async with app.run_test(size=(100, 30)) as pilot:
            screen = await opened(pilot)
            draw_sample(sampled, replace(HERE, step=300))
            await pilot.press("ctrl+r")
            await until(pilot, lambda: screen.gallery is not None and 300 in screen.gallery.steps)
            await pilot.press("full_stop")
            await ready(pilot, screen, file_of(sampled, replace(HERE, step=300)))

    run(story())


def test_the_path_is_copied_where_no_viewer_can_be_opened(sampled: RunFolder) -> None:
    async def story() -> None:
        app = bench(sampled, file_of(sampled, HERE))
        async with app.run_test(size=(100, 30)) as pilot:
            await opened(pilot)
            await pilot.press("o")
            await until(pilot, lambda: app.clipboard == str(file_of(sampled, HERE)))
            assert "no desktop" in "".join(notice.message for notice in app._notifications)

    run(story())


def test_a_viewer_gets_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "my viewer"
    script.write_text(
        f'#!/bin/sh\nprintf "%s" "$2" > "{tmp_path}/seen.part"\nmv "{tmp_path}/seen.part" "{tmp_path}/seen"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    started = []
    popen = viewer.subprocess.Popen
    monkeypatch.setattr(viewer.subprocess, "Popen", lambda *a, **o: started.append(popen(*a, **o)) or started[-1])
    assert viewer.open_outside(tmp_path / "a b;c.png", f"'{script}' --quiet") == ""
    started[0].wait(20)
    assert (tmp_path / "seen").read_text() == str(tmp_path / "a b;c.png")
    assert "not installed" in viewer.open_outside(tmp_path / "a.png", "no-such-viewer-here")
    assert "quotation" in viewer.open_outside(tmp_path / "a.png", "'open")
    if not sys.platform.startswith("darwin"):
        assert "no desktop" in viewer.open_outside(tmp_path / "a.png", "", {})
        shown = viewer.open_outside(tmp_path / "a.png", "", {"DISPLAY": ":0"})
        assert ("xdg-open" in shown) == (shutil.which("xdg-open") is None)


APP = """
import sys
from pathlib import Path
from loratui.lab.preferences import Preferences
from loratui.tui.app import BenchApp
from loratui.tui.places import Place
picture = Path(sys.argv[1])
run = picture.parent.parent.parent
start = Place("picture", run.parent.parent, (run,), picture)
sys.exit(BenchApp(run.parent.parent.parent, preferences=Preferences(pictures=sys.argv[2]), start=start).run())
"""


@pytest.mark.parametrize(
    ("term", "preference", "mark"),
    [
        ("xterm-kitty", "auto", rb"\x1b_Gf=100,a=T,q=2,"),
        ("xterm-256color", "sixel", rb'\x1bP0;1q"1;1;'),
        ("xterm-256color", "auto", rb"\x1b\[38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m"),
    ],
    ids=["kitty", "sixel", "blocks"],
)
def test_full_size_on_a_real_terminal_and_back(sampled: RunFolder, term: str, preference: str, mark: bytes) -> None:
    command = [sys.executable, "-c", APP, str(file_of(sampled, HERE)), preference]
    with Terminal(command, 100, 30, env={"TERM": term}) as screen:
        screen.wait_for("with the LoRA")
        screen.settle()
        start = len(screen.raw)
        screen.press("v")
        screen.wait_for("any key comes back", since=start)
        raw = bytes(screen.raw[start:])
        assert re.search(mark, raw)
        assert f"seed 2 · scale 1 · step 150 · {file_of(sampled, HERE).name}" in screen.text(start)
        back = len(screen.raw)
        screen.press("ctrl+c")  # any key, this one too
        screen.wait_for("with the LoRA", since=back)
        if term == "xterm-kitty":
            assert b"\x1b_Ga=d" in screen.raw[back:], "the picture is taken off the terminal again"
        screen.settle()
        screen.press("q")
        assert screen.wait() == 0


def test_a_hang_up_at_full_size_ends_the_bench(sampled: RunFolder) -> None:
    command = [sys.executable, "-c", APP, str(file_of(sampled, HERE)), "blocks"]
    with Terminal(command, 100, 30) as screen:
        screen.wait_for("with the LoRA")
        screen.settle()
        start = len(screen.raw)
        screen.press("v")
        screen.wait_for("any key comes back", since=start)
        screen.hang_up()
        assert screen.wait() is not None


def test_a_note_is_about_the_picture_and_its_step(shelf: Path) -> None:
    from loratui.lab.notes.observations import read_observations
    from loratui.lab.run.runs import list_runs
    from loratui.tui.dialogs.note import NoteDialog

    trained = list_runs(shelf / "shapes")[0]
    picture = next((trained.samples / "step-000006").glob("p00-seed1-*"))

    async def story() -> None:
        app = bench(trained, picture)
        async with app.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            assert "expected   colour gray · shape circle" in screen.facts.text
            await pilot.press("n")
            await until(pilot, lambda: isinstance(app.screen, NoteDialog))
            await pilot.press(*"grey", "enter")
            await until(pilot, lambda: read_observations(trained))
            (observation,) = read_observations(trained)
            assert observation.step == 6
            assert observation.pictures == (str(picture.relative_to(trained.path)),)

    run(story())
