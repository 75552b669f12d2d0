"""Runs stand beside each other: first what differs, with a warning or a refusal, then losses, pictures and notes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Static

from loratui.lab.notes import comparison
from loratui.lab.notes.comparison import MeasureRow
from loratui.lab.notes.observations import observe, read_observations
from loratui.lab.preferences import Preferences
from loratui.lab.run.runs import RunFolder
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.note import NoteDialog
from loratui.tui.dialogs.report import Report
from loratui.tui.places import Place
from loratui.tui.screens.compare import CompareScreen
from loratui.tui.widgets.alignedpictures import AlignedPictures
from loratui.tui.widgets.chartparts import span_of
from loratui.tui.widgets.losschart import LossChart
from loratui.tui.widgets.runpanels import PanelTabs
from loratui.tui.widgets.runpicker import RunPicker
from tests.processes import new_run
from tests.tui.conftest import run, runs_of, until

WIDE = (120, 40)


@pytest.fixture
def project(shelf: Path) -> Path:
    return shelf / "shapes"


@asynccontextmanager
async def bench(
    project: Path, *runs: RunFolder, size: tuple[int, int] = WIDE, readonly: bool = False
) -> AsyncIterator[tuple[Pilot[int], Any]]:
    place = Place("compare", project, tuple(folder.path for folder in runs))
    app = BenchApp(project.parent, preferences=Preferences(), readonly=readonly, start=place)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: getattr(app.screen, "place", None) == place and app.screen.is_mounted)
        screen = app.screen
        if len(runs) > 1:
            await until(pilot, lambda: screen.aligned is not None and screen.query_one("#features").columns)
        yield pilot, screen


def verdict(screen: CompareScreen) -> str:
    return str(screen.query_one("#verdict", Static).content)


def cells(screen: CompareScreen, table: str) -> list[list[str]]:
    rows = screen.query_one(table)
    return [[str(cell) for cell in rows.get_row_at(n)] for n in range(rows.row_count)]


def test_what_differs_stands_first_and_only(project: Path) -> None:
    async def story() -> None:
        async with bench(project, *runs_of(project)) as (pilot, screen):
            await until(pilot, lambda: "One factor differs" in verdict(screen))
            assert verdict(screen).startswith("✓ ")
            assert cells(screen, "#rows") == [["lora.rank", "8", "2"]]
            titles = [Content.from_markup(str(panel.border_title)).plain for panel in screen.panels]
            assert titles[:4] == ["1 What differs", "2 Loss", "3 Pictures", "4 Observations"]
            names = str(screen.query_one("#runs", Static).content)
            assert names.index(" A ") < names.index(runs_of(project)[0].id[-4:]) < names.index(" B ")

    run(story())


def test_more_than_one_factor_is_a_warning_and_the_same_experiment_a_refusal_in_words(project: Path) -> None:
    first = runs_of(project)[0]
    others = [new_run(project, "lora.rank=2", "train.learning_rate=1e-3"), new_run(project)]

    async def story() -> None:
        for other, sign, words in (
            (others[0], "! ", "cannot be put down to one"),
            (others[1], "✗ Refused", "the same"),
        ):
            async with bench(project, first, other) as (pilot, screen):
                await until(pilot, lambda screen=screen, words=words: words in verdict(screen))
                assert verdict(screen).startswith(sign)

    run(story())


def test_losses_are_overlaid_and_pictures_are_aligned_with_the_base_first(project: Path) -> None:
    runs = runs_of(project)

    async def story() -> None:
        async with bench(project, *runs) as (pilot, screen):
            chart, pictures = screen.query_one(LossChart), screen.query_one(AlignedPictures)
            await until(pilot, lambda: chart.series and pictures.selected)
            assert [series.curves.run for series in chart.series] == runs
            assert span_of(chart.series).last == 6
            assert [column.label for column in pictures.aligned.columns] == ["base", "A", "B"]
            assert pictures.step == 6
            await pilot.press("3")
            column, picture = pictures.selected
            assert (column.label, picture.step, picture.path.parent.parent.parent) == ("A", 6, runs[0].path)
            await pilot.press("right")
            assert pictures.selected[1].path.parent.parent.parent == runs[1].path
            await pilot.press("comma")
            assert (pictures.step, chart.cursor) == (3, 3)
            assert pictures.selected[1].path.parent.name == "step-000003"
            await pilot.press("full_stop")
            assert pictures.step == 6

    run(story())


def test_the_page_shows_the_pictures_themselves(project: Path) -> None:
    async def story() -> None:
        async with bench(project, *runs_of(project)) as (pilot, screen):
            pictures = screen.query_one(AlignedPictures)
            await until(pilot, lambda: pictures._view is not None and pictures._view.drawn
                        and all(pictures._view.drawn.values()))  # fmt: skip
            painted = [pictures.render_line(y) for y in range(pictures.size.height)]
            colours = {segment.style.bgcolor.triplet for strip in painted for segment in strip
                       if segment.style and segment.style.bgcolor}  # fmt: skip
            assert len(colours) > 20

    run(story())


def test_a_note_is_about_the_picture_that_is_stood_on(project: Path) -> None:
    runs = runs_of(project)

    async def story() -> None:
        async with bench(project, *runs) as (pilot, screen):
            pictures = screen.query_one(AlignedPictures)
            await until(pilot, lambda: pictures.selected)
            await pilot.press("3", "right", "comma", "n")
            await until(pilot, lambda: isinstance(pilot.app.screen, NoteDialog))
            await pilot.press("x", "enter")
            await until(pilot, lambda: screen.features)
            assert cells(screen, "#features")[0][2].startswith("· @3 x")

    run(story())
    (found,) = read_observations(runs[1])
    assert (found.step, len(found.pictures)) == (3, 1)
    assert found.picture_paths[0].parent.name == "step-000003"


def test_observations_stand_side_by_side_and_open_in_full(project: Path) -> None:
    first, second = runs_of(project)
    observe(first, "all of them \x1b[31m[red]x[/nope]", feature="grey", verdict="learned")
    observe(second, "half of them", feature="Grey", verdict="partly")

    async def story() -> None:
        async with bench(project, first, second) as (pilot, screen):
            await until(pilot, lambda: screen.features)
            ((feature, a, b),) = cells(screen, "#features")
            assert feature == "grey"
            assert a.startswith("✓ learned all")
            assert b.startswith("~ partly half")
            await pilot.press("4", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Report))
            text = "".join(str(widget.content) for widget in pilot.app.screen.query(Static))
            assert "all of them ␛[31m[red]x[/nope]" in text
            assert "half of them" in text

    run(story())


def test_measures_have_a_panel_as_soon_as_there_are_some(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(comparison, "MEASURES", [])
        async with bench(project, *runs_of(project)) as (pilot, screen):
            assert not screen.query_one("#measures").display
            monkeypatch.setattr(
                comparison, "MEASURES", [lambda runs: [MeasureRow("colour gray", ("3/4", "1/4"), "p=0.5")]]
            )
            screen.look()
            await until(pilot, lambda: screen.query_one("#measures").display)
            assert cells(screen, "#measures") == [["colour gray", "3/4", "1/4", "p=0.5"]]
            await pilot.press("5")
            await until(pilot, lambda: screen.focused is screen.query_one("#measures"))

    run(story())


def test_what_the_pictures_of_the_runs_show_is_told_with_its_base(project: Path) -> None:
    async def story() -> None:
        async with bench(project, *runs_of(project)) as (pilot, screen):
            await until(pilot, lambda: screen.query_one("#measures").display)
            first = cells(screen, "#measures")[0]
            assert first[0] == "colour gray · myshape · 2 steps"
            assert all("/2 (" in text for text in first[1:3])
            assert "base " in first[3]
            assert "shared seeds" in first[3]

    run(story())


def test_a_small_terminal_shows_one_panel_at_a_time_by_its_number(project: Path) -> None:
    async def story() -> None:
        async with bench(project, *runs_of(project), size=(80, 24)) as (pilot, screen):
            assert screen.query_one(PanelTabs).display
            for number, name in enumerate(("differs", "loss", "pictures", "seen"), start=1):
                await pilot.press(str(number))
                await until(pilot, lambda name=name: [p.id for p in screen.panels if p.display] == [name])
                await until(pilot, lambda: screen.focused is not None and screen.focused.display)
                assert screen.panels[number - 1] in screen.focused.ancestors_with_self
                assert screen.panels[number - 1].size.height > 12
            await pilot.resize_terminal(120, 40)
            await until(pilot, lambda: all(panel.display for panel in screen.panels))

    run(story())


def test_runs_are_chosen_by_marking_across_projects(project: Path, shelf: Path) -> None:
    first, second = runs_of(project)
    other = shelf / "other"
    (other / "runs").mkdir(parents=True)
    moved = RunFolder(second.path.rename(other / "runs" / second.id))

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            picker = screen.query_one(RunPicker)
            await until(pilot, lambda: picker.table.row_count == 2)
            assert not screen.check_action("step", ())
            await pilot.press("enter")  # none is marked: nothing to compare
            assert (pilot.app.screen, picker.marked) == (screen, [])
            await pilot.press("space")
            assert picker.marked == [first.path]
            await pilot.press("enter")  # the marked one with the one under the cursor
            place = Place("compare", project, (first.path, moved.path))
            await until(pilot, lambda: getattr(pilot.app.screen, "place", None) == place)
            await until(pilot, lambda: "One factor" in verdict(pilot.app.screen))
            await pilot.press("c")
            await until(pilot, lambda: pilot.app.screen is screen)
            assert picker.marked == [first.path]

    run(story())


def test_the_run_one_comes_from_is_marked_already(project: Path) -> None:
    first = runs_of(project)[0]

    async def story() -> None:
        app = BenchApp(project.parent, preferences=Preferences(), start=Place("run", project, (first.path,)))
        async with app.run_test(size=WIDE) as pilot:
            await until(pilot, lambda: getattr(app.screen, "place", None) == Place("run", project, (first.path,)))
            await pilot.press("g", "c")
            await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.is_mounted)
            picker = app.screen.query_one(RunPicker)
            await until(pilot, lambda: picker.table.row_count == 2)
            assert picker.marked == [first.path]

    run(story())


def test_no_runs_and_no_observations_have_words_that_teach(project: Path, shelf: Path) -> None:
    async def story() -> None:
        async with bench(project, *runs_of(project)) as (_, screen):
            assert "Press n" in cells(screen, "#features")[0][0]
        empty = shelf / "empty"
        empty.mkdir()
        (empty / "project.toml").write_text("", encoding="utf-8")
        app = BenchApp(shelf / "empty", preferences=Preferences(), start=Place("compare", empty))
        async with app.run_test(size=WIDE) as pilot:
            await until(pilot, lambda: isinstance(app.screen, CompareScreen))
            await until(pilot, lambda: "Start one" in str(app.screen.query_one("#told", Static).content))

    run(story())


def test_a_damaged_record_is_told_and_the_rest_is_shown(project: Path) -> None:
    first, second = runs_of(project)
    second.record_file.write_text("[run\n", encoding="utf-8")

    async def story() -> None:
        async with bench(project, first, second) as (pilot, screen):
            await until(pilot, lambda: "cannot be read" in verdict(screen))
            await until(pilot, lambda: screen.query_one(LossChart).series)

    run(story())


def test_looking_only_offers_no_note(project: Path) -> None:
    async def story() -> None:
        async with bench(project, *runs_of(project), readonly=True) as (pilot, screen):
            await pilot.press("n")
            await pilot.pause()
            assert pilot.app.screen is screen

    run(story())
