"""The bench around its screens: going places, palettes, help, header and footer, readonly, preferences, the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from loratui.lab.preferences import Preferences, read_preferences, write_preference
from loratui.tui.app import BenchApp
from loratui.tui.commands import PlaceCommands
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.go import GoMenu
from loratui.tui.dialogs.help import HelpDialog, help_text
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen
from loratui.tui.screens.preferences import PreferencesScreen
from loratui.tui.screens.projects import ProjectsScreen
from loratui.tui.widgets.footer import BenchFooter
from loratui.tui.widgets.header import BenchHeader
from tests.frozen import finish, freeze_run, write_bare_project
from tests.tui.conftest import run, until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`grey` with a finished run, and `idea` without any."""
    shelf = tmp_path / "projects"
    write_bare_project(shelf / "grey", 'question = "Is grey learned?"\n', "a.png", "b.png")
    finish(freeze_run(shelf / "grey", 0))
    write_bare_project(shelf / "idea", "")
    return shelf


@asynccontextmanager
async def bench(folder: Path, size: tuple[int, int] = (120, 40), **options: Any) -> AsyncIterator[Pilot[int]]:
    app = BenchApp(folder, preferences=options.pop("preferences", Preferences()), **options)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, BenchScreen))
        if isinstance(app.screen, ProjectsScreen):
            await until(pilot, lambda: app.here is not None and app.here.project)
        yield pilot


def app_of(pilot: Pilot[int]) -> BenchApp:
    assert isinstance(pilot.app, BenchApp)
    return pilot.app


async def at(pilot: Pilot[int], screen: str) -> BenchScreen:
    await until(pilot, lambda: (here := app_of(pilot).here) is not None and here.place.screen == screen)
    here = app_of(pilot).here
    assert here is not None
    return here


def header(pilot: Pilot[int]) -> str:
    return pilot.app.screen.query_one(BenchHeader).render_line(0).text


def footer(pilot: Pilot[int]) -> str:
    return pilot.app.screen.query_one(BenchFooter).render_line(0).text


def test_g_and_a_letter_go_to_every_screen_of_the_project_and_escape_goes_back(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder) as pilot:
            for letter, name in (("d", "dataset"), ("s", "settings"), ("n", "notes"), ("c", "compare"), ("r", "run")):
                await pilot.press("g")
                await until(pilot, lambda: isinstance(pilot.app.screen, GoMenu))
                await pilot.press(letter)
                screen = await at(pilot, name)
                assert screen.project == folder / "grey"
                await pilot.pause()
            await pilot.press("escape")
            await at(pilot, "compare")
            await pilot.press("minus")
            await at(pilot, "run")
            await pilot.press("minus")
            await at(pilot, "compare")

    run(story())


def test_tabs_in_the_header_and_words_in_the_footer_can_be_clicked(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder) as pilot:
            await pilot.click(BenchHeader, offset=(header(pilot).index("Settings") + 2, 0))
            await at(pilot, "settings")
            await until(pilot, lambda: "Help" in footer(pilot))
            await pilot.click(BenchFooter, offset=(footer(pilot).index("Help") + 1, 0))
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpDialog))

    run(story())


def test_a_project_without_runs_says_so_instead_of_opening_an_empty_page(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder, start=Place("dataset", folder / "idea")) as pilot:
            await at(pilot, "dataset")
            app_of(pilot).go_to_named("run")
            await pilot.pause()
            assert (await at(pilot, "dataset")).project == folder / "idea"
            assert "no runs yet" in str([note.message for note in app_of(pilot)._notifications])

    run(story())


def test_from_where_it_was_opened_escape_leads_to_the_projects(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder, start=Place("settings", folder / "grey")) as pilot:
            await at(pilot, "settings")
            app_of(pilot).back()
            await at(pilot, "projects")
            app_of(pilot).back()
            await at(pilot, "projects")

    run(story())


def test_colon_lists_every_place_and_goes_there(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder) as pilot:
            await pilot.press("colon")
            await until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette))
            titles = [title for title, _, _ in PlaceCommands(app_of(pilot).here).commands()]
            assert "idea settings" in titles
            assert any(title.startswith("grey run ") for title in titles)
            pilot.app.screen.query_one(Input).value = "idea settings"
            await pilot.pause()
            await until(pilot, lambda: pilot.app.screen.query("CommandList").first().option_count)
            await pilot.press("enter")
            await at(pilot, "settings")
            here = app_of(pilot).here
            assert here is not None
            assert here.project == folder / "idea"

    run(story())


def test_help_is_about_the_focused_panel_and_lists_its_keys_from_the_bindings(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder) as pilot:
            words = help_text(pilot.app, pilot.app.screen).plain
            assert "Everywhere" in words
            assert "Go to another screen of this project" in words
            for binding in ProjectsScreen.BINDINGS:
                if binding.show and pilot.app.screen.check_action(binding.action, ()):  # type: ignore[union-attr]
                    assert binding.tooltip in words  # type: ignore[union-attr]

    run(story())


def test_the_footer_promises_no_dead_key_and_fits_80_columns(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder, (80, 24), readonly=True) as pilot:
            await until(pilot, lambda: footer(pilot).strip())
            assert "Run now" not in footer(pilot)
            assert "New" not in footer(pilot)
            assert "readonly" in header(pilot)
            assert len(footer(pilot)) <= 80

    run(story())


def test_a_readonly_bench_changes_no_file(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    async def story() -> None:
        async with bench(folder, readonly=True) as pilot:
            for key in (
                "n",
                "R",
                "M",
                "x",
                "d",
                "u",
                "z",
                "g",
                "d",
                "enter",
                "x",
                "y",
                "b",
                "i",
                "g",
                "s",
                "u",
                "space",
            ):
                await pilot.press(key)
            await pilot.press("escape", "escape", "g", "r")
            for key in ("n", "s", "p", "u", "f", "c", "d"):
                await pilot.press(key)
            await app_of(pilot).action_quit()

    run(story())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_key_can_be_remapped_and_the_footer_says_so(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder, preferences=Preferences(keymap={"bench.help": "h"})) as pilot:
            await pilot.press("h")
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpDialog))

    run(story())


def test_faults_in_the_preferences_are_told_and_stop_nothing(folder: Path, own_config: Path) -> None:
    own_config.parent.mkdir(parents=True)
    own_config.write_text('thme = "nord"\n[keymap]\n"bench.help" = 1\n')

    async def story() -> None:
        app = BenchApp(folder)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: len(app._notifications) == 2)
            assert "did you mean theme?" in str([note.message for note in app._notifications])

    run(story())


def test_preferences_are_changed_on_their_screen_and_kept_in_the_file(folder: Path, own_config: Path) -> None:
    async def story() -> None:
        async with bench(folder) as pilot:
            app_of(pilot).go(Place("preferences"))
            screen = await at(pilot, "preferences")
            assert isinstance(screen, PreferencesScreen)
            await until(pilot, lambda: screen.values.row_count)
            screen.values.move_cursor(row=3)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.focused, Input))
            field = pilot.app.focused
            assert isinstance(field, Input)
            field.value = "100"
            await pilot.press("enter")
            await pilot.pause()
            assert not own_config.exists(), "what does not fit is not saved"
            field.value = "4"
            await pilot.press("enter")
            await until(pilot, lambda: read_preferences()[0].refresh == 4.0)
            assert app_of(pilot).preferences.refresh == 4.0
            await until(pilot, lambda: pilot.app.screen is screen)
            await pilot.press("u")
            await until(pilot, lambda: read_preferences()[0].refresh == 2.0)

    run(story())


def test_a_theme_is_kept_for_the_next_time(folder: Path) -> None:
    write_preference("theme", "textual-light")

    async def story() -> None:
        app = BenchApp(folder)
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.theme == "textual-light")

    run(story())


def test_a_question_defaults_to_no(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder) as pilot:
            answers: list[bool | None] = []
            for keys in (("enter",), ("escape",), ("n",), ("y",), ("right", "enter")):
                pilot.app.push_screen(Confirm("Delete [red]everything[/]?", "all of it"), answers.append)
                await until(pilot, lambda: isinstance(pilot.app.screen, Confirm) and pilot.app.focused is not None)
                await pilot.press(*keys)
                await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
            assert answers == [False, False, False, True, True]

    run(story())


def test_a_size_of_nothing_and_one_of_everything_are_survived(folder: Path) -> None:
    async def story() -> None:
        async with bench(folder) as pilot:
            for size in ((1, 1), (10, 3), (300, 90), (80, 24)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
            assert header(pilot).startswith(" loratui")

    run(story())
