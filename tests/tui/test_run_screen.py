"""The page of a run: the same for a live and for a finished one, with words for every state and a key that helps."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from loratui.lab.notes.observations import read_observations
from loratui.lab.preferences import Preferences
from loratui.lab.run import launch, requests
from loratui.lab.run.events import EventLog, last_event, read_events
from loratui.lab.run.live import LiveWatch
from loratui.lab.run.lock import device_name, device_turn
from loratui.lab.run.runs import RunFolder, list_runs, read_state
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.again import RunAgain
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.startfork import ForkDialog
from loratui.tui.places import Place
from loratui.tui.screens.run import RunScreen
from tests.processes import new_run, train
from tests.tui.conftest import run, runs_of, until

LONG = ("train.steps=100000", "train.checkpoint_every=end", "sample.every=never", "train.probe_every=0")


@pytest.fixture(autouse=True)
def none_left(tmp_path: Path) -> Iterator[None]:
    yield
    for live in LiveWatch(tmp_path / "projects").look():
        launch.stop(live.run, "kill")


def on_page(
    one: RunFolder,
    check: Callable[[BenchApp, RunScreen, Pilot[int]], Awaitable[None]],
    *,
    size: tuple[int, int] = (120, 40),
    readonly: bool = False,
) -> None:
    """Open the page of a run, wait until it is read, and look."""

    async def open_page() -> None:
        place = Place("run", one.project_folder, (one.path,))
        app = BenchApp(one.project_folder.parent, readonly=readonly, preferences=Preferences(), start=place)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.facts.siblings)
            screen = app.screen
            assert isinstance(screen, RunScreen)
            await until(pilot, lambda: screen._known is not None and not screen._looking)
            await pilot.pause()
            await check(app, screen, pilot)

    run(open_page())


def words_of(screen: RunScreen) -> str:
    """The line that says how the run stands."""
    return screen.state_line.words


def numbers_of(screen: RunScreen) -> dict[str, str]:
    return {line[0][0].strip(): line[1][0] for line in screen.numbers.lines if len(line) == 2}


def note_painting(widget: Widget, painted: list[str]) -> None:
    """Write down the widget's id whenever it is to be painted."""
    refresh = widget.refresh

    def noting(*regions: Any, **kinds: Any) -> Any:
        painted.append(widget.id or "")
        return refresh(*regions, **kinds)

    widget.refresh = noting  # type: ignore[method-assign]


def offered(screen: RunScreen) -> set[str]:
    """The actions of a run's page that can be done now."""
    return {
        active.binding.action
        for active in screen.active_bindings.values()
        if active.enabled and (active.binding.id or "").startswith("run.")
    }


def test_a_finished_run_is_all_on_one_page(shelf: Path) -> None:
    one = runs_of(shelf / "shapes")[-1]

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        assert words_of(screen).startswith("✓ finished at step 6")
        assert one.id in words_of(screen)
        assert "2 of 2" in words_of(screen)
        numbers = numbers_of(screen)
        assert numbers["step"] == "6 of 6"
        assert numbers["epoch"] == "2 of 2"
        assert numbers["LoRA"].startswith("rank 2")
        assert numbers["changed"] == "lora.rank: 8 → 2"
        assert (screen.curves.count(), screen.curves.count("probe")) == (6, 3)
        assert any("finished" in "".join(text for text, _ in line) for line in screen.log_panel.lines)
        await until(pilot, lambda: screen.samples.selected)
        assert all(panel.region.area > 0 for panel in screen.panels[:5]), "all panels are in sight"
        assert offered(screen) == {"note", "fork", "sibling(-1)", "sibling(1)", "copy", "trash"}

    on_page(one, look)


def test_in_a_small_terminal_the_numbers_change_the_panel(shelf: Path) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        for number, panel in ((1, screen.chart), (2, screen.numbers), (3, screen.samples), (4, screen.log_panel),
                              (5, screen.notes)):  # fmt: skip
            await pilot.press(str(number))
            await pilot.pause()
            assert [other for other in screen.panels if other.region.area > 0] == [panel]
            assert panel.has_focus or panel.has_focus_within
            assert panel.region.height >= 18
        await pilot.click(screen.tabs, offset=(5, 0))
        await pilot.pause()
        assert screen.chart.has_focus
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: all(panel.region.area > 0 for panel in screen.panels[:5]))

    on_page(runs_of(shelf / "shapes")[0], look, size=(80, 24))


def test_brackets_go_through_the_runs_of_the_project(shelf: Path) -> None:
    first, second = runs_of(shelf / "shapes")

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        depth = len(app.screen_stack)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.place.runs == (first.path,))
        await until(pilot, lambda: app.screen.facts.siblings)  # type: ignore[attr-defined]
        await pilot.press("left_square_bracket")
        assert app.screen.place.runs == (first.path,), "there is none before the first"  # type: ignore[attr-defined]
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.place.runs == (second.path,))
        assert len(app.screen_stack) == depth, "escape goes back to where one came from, not through the runs"

    on_page(second, look)


def test_a_run_whose_loss_was_nan_says_which_step_and_what_to_do(shelf: Path) -> None:
    one = new_run(shelf / "shapes")
    with EventLog(one.events_file) as log:
        log.emit("state", state="running", step=0, total=6, device="cpu")
        log.emit("step", step=1, epoch=1, loss=0.5, smoothed=0.5, lr=1e-4, it_s=2.0, memory=0)
        log.emit("step", step=2, epoch=1, loss=math.nan, smoothed=math.nan, lr=1e-4, it_s=2.0, memory=0)
        log.emit("state", state="failed", reason="step 3: the loss is nan, on circle.png; \x1b[31m[b]lower it[/b]")
    (one.path / "traceback.txt").write_text("Traceback")

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        words = words_of(screen)
        assert words.startswith("✗ failed: step 3: the loss is nan, on circle.png; ␛[31m[b]lower it[/b]")
        assert "traceback.txt" in words
        assert "press u to try again from the start" in words
        assert numbers_of(screen)["loss"] == "nan smoothed, nan raw"
        assert [step for step, kind in screen.curves.marks if kind == "nan"] == [2, 3]
        assert "resume" in offered(screen)

    on_page(one, look)


def test_a_run_that_nobody_took_up_says_how_to_start_it(shelf: Path) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        assert words_of(screen).startswith("◌ queued: no worker has taken it up yet: press u to start it")
        assert "press u" in screen.chart.empty_words
        assert numbers_of(screen)["step"] == "0 of 6"
        assert offered(screen) >= {"resume", "fork", "trash"}
        assert offered(screen).isdisjoint({"pause", "unpause", "stop", "checkpoint", "sample"})

    on_page(new_run(shelf / "shapes"), look)


def test_an_interrupted_run_says_from_where_it_goes_on_and_does(shelf: Path) -> None:
    one = new_run(shelf / "shapes")
    assert train(one, kill_at=5) == -9

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        assert words_of(screen).startswith("! interrupted at step 5 of 6: press u to go on from step 3, which is saved")
        await pilot.press("u")
        await until(pilot, lambda: words_of(screen).startswith("✓ finished at step 6"), 60)
        assert screen.curves.count() == 6, "what the killed one did twice counts once"
        assert "resume" not in offered(screen)

    on_page(one, look)


def test_a_live_run_is_held_saved_drawn_stopped_and_gone_on_with_from_its_page(shelf: Path) -> None:
    one = new_run(shelf / "shapes", *LONG)
    launch.start(one)

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: screen.curves.last_step > 5, 60)
        await until(pilot, lambda: words_of(screen).startswith("▶ running"))
        assert "/100,000" in words_of(screen)
        assert offered(screen) >= {"pause", "stop", "checkpoint", "sample"}
        assert offered(screen).isdisjoint({"unpause", "resume", "trash"})

        await pilot.press("p")
        await until(pilot, lambda: words_of(screen).startswith("‖ paused"))
        held = screen.curves.last_step
        assert "unpause" in offered(screen)
        await pilot.press("p")
        await until(pilot, lambda: screen.curves.last_step > held)
        assert "pause" not in requests.pending(one)

        await pilot.press("c")
        await until(pilot, lambda: any(kind == "checkpoint" for _, kind in screen.curves.marks))
        assert last_event(one.events_file, "checkpoint")

        await pilot.press("S")
        field = await until(pilot, lambda: app.screen.query("Input"))
        field.first(Input).value = "red circle --d 7"
        await pilot.press("enter")
        await until(pilot, lambda: screen.samples.gallery.steps, 60)
        assert "red circle" in {p.text for p in _prompts(screen)}

        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")  # the answer that is ready is no
        await pilot.pause()
        assert "stop" not in requests.pending(one)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: words_of(screen).startswith("■ stopped"), 60)
        stopped = read_state(one).step
        assert f"press u to go on from step {stopped:,}" in words_of(screen)

        await pilot.press("u")
        await until(pilot, lambda: screen.standing.alive and screen.curves.last_step > stopped, 60)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: words_of(screen).startswith("■ stopped"), 60)

    on_page(one, look)
    steps = [event["step"] for event in read_events(one.events_file)[0] if event["kind"] == "step"]
    assert steps == list(range(1, len(steps) + 1)), "it went on where it was"


def _prompts(screen: RunScreen) -> list[Any]:
    gallery = screen.samples.gallery
    return [gallery.prompt(number) for number in range(1, 9)]


def test_a_run_that_waits_says_for_whom_and_shows_the_queue(shelf: Path) -> None:
    one = new_run(shelf / "shapes")

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: "behind 1: the other one" in words_of(screen), 60)
        assert words_of(screen).startswith("◌ queued: waiting for ")
        await until(pilot, lambda: screen.queue.region.area > 0)
        await pilot.press("7")
        assert screen.queue.has_focus_within
        launch.stop(one, "ask")
        await until(pilot, lambda: not screen.standing.alive, 60)

    with device_turn(device_name("auto"), label="the other one") as mine:
        assert mine
        launch.start(one)
        on_page(one, look)
    assert read_state(one).name == "stopped"


def test_a_worker_that_does_not_stop_can_be_ended_harder_each_time_asked(shelf: Path, monkeypatch: Any) -> None:
    one = new_run(shelf / "shapes", *LONG)
    launch.start(one)
    ways: list[str] = []
    stop = launch.stop

    def noting(folder: RunFolder, how: Any) -> None:
        ways.append(how)
        if how == "kill":
            stop(folder, how)

    monkeypatch.setattr(launch, "stop", noting)

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: screen.curves.last_step > 0, 60)
        for word in ("Stop this run?", "SIGTERM?", "Kill it?"):
            await pilot.press("s")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            assert word in app.screen.query_one("#box").border_title
            await pilot.press("y")
            await until(pilot, lambda: app.screen is screen)
            await app.workers.wait_for_complete([w for w in app.workers if w.group == "stop"])
        await until(pilot, lambda: words_of(screen).startswith("! interrupted"), 30)

    on_page(one, look)
    monkeypatch.undo()
    assert ways == ["ask", "term", "kill"]


def test_again_with_one_change_starts_a_new_run_and_goes_to_its_page(shelf: Path) -> None:
    one = runs_of(shelf / "shapes")[0]

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, RunAgain))
        await pilot.press(*"lora.ra", "tab")
        field = app.screen.query_one(Input)
        assert field.value == "lora.rank="
        await pilot.press(*"wide", "enter")
        assert isinstance(app.screen, RunAgain), "what is no rank is not taken"
        assert "whole number" in str(app.screen.query_one("#fault").content)  # type: ignore[attr-defined]
        field.value = "lora.rank=4"
        await pilot.press("enter")
        plan = await until(pilot, lambda: isinstance(app.screen, ForkDialog) and app.screen)
        await until(pilot, lambda: plan.can_start)
        assert "lora.rank: 8 → 4" in str(plan.query_one("#found Static").content)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen is not screen, 60)
        child = app.screen
        assert isinstance(child, RunScreen)
        await until(pilot, lambda: words_of(child).startswith("✓ finished"), 60)
        assert numbers_of(child)["parent"] == one.id
        assert "lora.rank: 8 → 4" in numbers_of(child)["changed"]
        await pilot.press("escape")
        assert app.screen is screen

    on_page(one, look)
    assert len(list_runs(shelf / "shapes")) == 3


def test_a_note_is_about_the_step_or_the_picture_under_the_cursor(shelf: Path) -> None:
    one = runs_of(shelf / "shapes")[0]

    async def write(pilot: Pilot[int], text: str) -> None:
        await pilot.press("n")
        await until(pilot, lambda: pilot.app.screen.query("#note"))
        await pilot.press(*text, "ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("1", "left", "left", "left")
        await write(pilot, "dip")
        await until(pilot, lambda: screen.samples.selected)
        await pilot.press("3")
        await write(pilot, "grey")
        await until(pilot, lambda: len(screen.notes.observations) == 2)

    on_page(one, look)
    step, picture = read_observations(one)
    assert (step.note, step.step, step.pictures) == ("dip", 4, ())
    assert (picture.note, picture.step) == ("grey", 6)
    assert picture.pictures[0].startswith("samples/")


def test_a_deleted_run_lies_in_the_trash_of_its_project(shelf: Path) -> None:
    one = runs_of(shelf / "shapes")[-1]

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        assert one.path.is_dir()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: app.screen is not screen and not isinstance(app.screen, Confirm))

    on_page(one, look)
    assert not one.path.exists()
    [trashed] = (one.path.parent / ".trash").iterdir()
    assert (trashed / "run.toml").is_file()
    assert len(runs_of(shelf / "shapes")) == 1


def test_in_readonly_a_run_can_be_watched_and_not_touched(shelf: Path) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        assert offered(screen) == {"sibling(-1)", "sibling(1)", "copy"}
        before = {path: path.stat().st_mtime_ns for path in shelf.rglob("*")}
        await pilot.press(*"psufncSd")
        await pilot.pause()
        assert app.screen is screen
        assert {path: path.stat().st_mtime_ns for path in shelf.rglob("*")} == before

    on_page(new_run(shelf / "shapes"), look, readonly=True)


def test_new_events_of_another_process_appear_and_what_stays_is_not_painted_again(shelf: Path) -> None:
    one = new_run(shelf / "shapes", "train.steps=1000")
    with EventLog(one.events_file) as log:
        log.emit("state", state="running", step=0, total=1000, device="cpu")

    def add(first: int, last: int) -> None:
        with EventLog(one.events_file) as log:
            for step in range(first, last):
                log.emit("step", step=step, epoch=1, loss=1 / step, smoothed=1 / step, lr=1e-4, it_s=9.0, memory=0)

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        add(1, 50)
        await until(pilot, lambda: screen.curves.last_step == 49)
        await until(pilot, lambda: numbers_of(screen)["step"] == "49 of 1,000")
        await until(pilot, lambda: screen.chart._waiting is None and not screen._looking)
        await pilot.pause()
        painted: list[str] = []
        for widget in (screen.chart, screen.numbers, screen.state_line, screen.log_panel, screen.samples):
            note_painting(widget, painted)
        screen.look()
        await until(pilot, lambda: not screen._looking)
        assert painted == [], "nothing came"
        add(50, 55)
        screen.look()
        await until(pilot, lambda: screen.curves.last_step == 54 and screen.chart._waiting is None)
        assert set(painted) <= {"loss", "numbers", "state", "log"}
        assert "numbers" in painted

    on_page(one, look)


def test_a_damaged_record_is_told_and_the_rest_is_shown(shelf: Path) -> None:
    one = runs_of(shelf / "shapes")[-1]
    one.record_file.write_text("[run\n")
    with one.events_file.open("ab") as file:
        file.write(json.dumps({"kind": "message", "t": "?", "text": ["odd"]}).encode() + b"\n{torn")

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        assert "cannot be read" in numbers_of(screen)["record"]
        assert words_of(screen).startswith("✓ finished")
        assert screen.curves.count() == 6
        assert "fork" not in offered(screen)

    on_page(one, look)
