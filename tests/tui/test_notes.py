"""What is written in the bench is in the run's file, once, with its history; what is not saved is not lost either."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, Static

from loratui.lab.notes.drafts import Draft, find_draft, save_draft
from loratui.lab.notes.observations import Observation, edit, observe, read_observations
from loratui.lab.preferences import Preferences
from loratui.lab.run.runs import RunFolder
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.ask import Ask
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.note import NoteArea, NoteDialog, VerdictRow
from loratui.tui.places import Place
from loratui.tui.screens.notes import NotesScreen
from loratui.tui.screens.run import RunScreen
from loratui.tui.widgets.notes import NotesPanel
from loratui.tui.widgets.thumb import Thumb
from tests.tui.conftest import run, runs_of, until

WIDE = (120, 40)
HOSTILE = "\x1b]52;c;AAAA\x07[red]x[/] [/nope] \x9b31m\u202e"


@pytest.fixture
def project(shelf: Path) -> Path:
    return shelf / "shapes"


@asynccontextmanager
async def bench(
    place: Place, *, readonly: bool = False, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot[int]]:
    assert place.project is not None
    app = BenchApp(place.project.parent, preferences=Preferences(), readonly=readonly, start=place)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: getattr(app.screen, "place", None) == place and app.screen.is_mounted)
        yield pilot


async def dialog(pilot: Pilot[int], kind: type[Any] = NoteDialog) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen.is_mounted)
    return pilot.app.screen


async def write(pilot: Pilot[int], text: str) -> None:
    await pilot.press(*({" ": "space", ",": "comma", ":": "colon"}.get(letter, letter) for letter in text))


async def shown(pilot: Pilot[int], holds: Callable[[NotesScreen], Any]) -> NotesScreen:
    def ready() -> NotesScreen | None:
        screen = pilot.app.screen
        return screen if isinstance(screen, NotesScreen) and screen.is_mounted and holds(screen) else None

    found: NotesScreen = await until(pilot, ready)
    return found


def words(screen: Any, selector: str) -> str:
    return str(screen.query_one(selector, Static).content)


# -- the dialog -------------------------------------------------------------------------------------------------------


def test_a_note_with_verdict_and_feature_is_in_the_file_with_its_picture(project: Path) -> None:
    folder = runs_of(project)[0]
    picture = next(folder.samples.glob("step-000006/*.png"))

    async def story() -> None:
        async with bench(Place("run", project, (folder.path,))) as pilot:
            pilot.app.push_screen(NoteDialog(folder, 6, (picture,)))
            opened = await dialog(pilot)
            await write(pilot, "all grey")
            await pilot.press("ctrl+j")
            await write(pilot, "truly")
            await pilot.press("tab")
            await write(pilot, "grey")
            await pilot.press("tab", "l")
            assert opened.query_one(VerdictRow).verdict == "learned"
            assert opened.query_one(Thumb).path == picture
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))

    run(story())
    (found,) = read_observations(folder)
    assert (found.note, found.feature, found.verdict, found.step) == ("all grey\ntruly", "grey", "learned", 6)
    assert found.picture_paths == (picture,)
    assert find_draft(folder) is None


@pytest.mark.parametrize(
    ("key", "verdict"), [("l", "learned"), ("p", "partly"), ("n", "not shown"), ("u", "uncertain")]
)
def test_a_verdict_is_one_key_from_anywhere_and_has_sign_and_word(project: Path, key: str, verdict: str) -> None:
    folder = runs_of(project)[0]

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            pilot.app.push_screen(NoteDialog(folder))
            opened = await dialog(pilot)
            pilot.app.post_message(events.Key(f"alt+{key}", key))  # a terminal sends the letter with it
            row = opened.query_one(VerdictRow)
            await until(pilot, lambda: row.verdict == verdict)
            assert opened.query_one(NoteArea).text == ""
            assert re.search(rf"{key} . {verdict}", str(row.render()))
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, NotesScreen))

    run(story())
    assert [o.verdict for o in read_observations(folder)] == [verdict]


def test_what_is_missing_is_said_and_the_dialog_stays(project: Path) -> None:
    folder = runs_of(project)[0]

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            pilot.app.push_screen(NoteDialog(folder))
            opened = await dialog(pilot)
            await pilot.press("enter")
            await until(pilot, lambda: "needs a note or a verdict" in words(opened, "#fault"))
            await write(pilot, "x")
            await until(pilot, lambda: not words(opened, "#fault"))

    run(story())
    assert read_observations(folder) == []


def test_features_used_before_in_the_project_are_offered(project: Path) -> None:
    first, second = runs_of(project)
    observe(first, "a", feature="background")

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            pilot.app.push_screen(NoteDialog(second))
            opened = await dialog(pilot)
            await until(pilot, lambda: "background" in words(opened, "#known"))
            await pilot.press("a", "tab")
            await write(pilot, "ba")
            field = opened.query_one("#feature", Input)
            await until(pilot, lambda: field._suggestion == "background")
            await pilot.press("right", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, NotesScreen))

    run(story())
    assert read_observations(second)[0].feature == "background"


def test_leaving_with_text_asks_and_no_is_ready(project: Path) -> None:
    folder = runs_of(project)[0]

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            pilot.app.push_screen(NoteDialog(folder))
            await dialog(pilot)
            await write(pilot, "half a thought")
            await pilot.press("escape")
            await dialog(pilot, Confirm)
            await pilot.press("enter")
            opened = await dialog(pilot)
            assert opened.query_one(NoteArea).text == "half a thought"
            await pilot.press("escape")
            await dialog(pilot, Confirm)
            await pilot.press("y")
            await until(pilot, lambda: isinstance(pilot.app.screen, NotesScreen))
            pilot.app.push_screen(NoteDialog(folder))
            await dialog(pilot)
            await pilot.press("escape")  # nothing was written, so nothing is asked
            await until(pilot, lambda: isinstance(pilot.app.screen, NotesScreen))

    run(story())
    assert read_observations(folder) == []
    assert list(folder.path.glob(".note-draft-*")) == []


def test_a_bench_that_ends_keeps_what_was_being_written_and_offers_it(project: Path) -> None:
    folder = runs_of(project)[0]

    async def ends() -> None:
        async with bench(Place("notes", project)) as pilot:
            pilot.app.push_screen(NoteDialog(folder, 3))
            await dialog(pilot)
            await write(pilot, "not saved")
            await pilot.press("alt+p")
            assert isinstance(pilot.app, BenchApp)
            pilot.app.leave(129)  # what a lost terminal does

    async def goes_on() -> None:
        async with bench(Place("notes", project)) as pilot:
            pilot.app.push_screen(NoteDialog(folder))
            opened = await dialog(pilot)
            await until(pilot, lambda: "not saved" in words(opened, "#draft"))
            await pilot.press("ctrl+o")
            assert opened.query_one(NoteArea).text == "not saved"
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, NotesScreen))

    run(ends())
    assert find_draft(folder) == Draft("not saved", "", "partly", 3)
    run(goes_on())
    (found,) = read_observations(folder)
    assert (found.note, found.verdict, found.step) == ("not saved", "partly", 3)
    assert find_draft(folder) is None


def test_the_draft_of_an_edit_goes_on_as_that_edit(project: Path) -> None:
    folder = runs_of(project)[0]
    old = observe(folder, "grey", verdict="partly")
    save_draft(folder, Draft("grey all over", "", "learned", None, (), old.id))

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            pilot.app.push_screen(NoteDialog(folder))
            opened = await dialog(pilot)
            await until(pilot, lambda: words(opened, "#draft"))
            await pilot.press("ctrl+o", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, NotesScreen))

    run(story())
    (found,) = read_observations(folder)
    assert (found.id, found.note, found.verdict, len(found.history)) == (old.id, "grey all over", "learned", 1)


# -- all notes of a project -------------------------------------------------------------------------------------------


def seeded(project: Path) -> list[Observation]:
    first, second = runs_of(project)
    picture = next(first.samples.glob("step-000006/*.png"))
    a = observe(first, "coloured at first", feature="grey", verdict="partly", step=3)
    a = edit(first, a.id, note="grey in the end", verdict="learned")
    return [a, observe(first, HOSTILE, feature="[b]x", pictures=[picture]),
            observe(second, "a circle", feature="shape", verdict="not shown")]  # fmt: skip


def test_all_runs_are_told_with_the_history_of_the_one_under_the_cursor(project: Path) -> None:
    seeded(project)

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            screen = await shown(pilot, lambda s: s.table.row_count == 3)
            assert [o.verdict for o in screen.observations] == ["learned", "", "not shown"]
            await pilot.press("home")
            await until(pilot, lambda: "grey in the end" in words(screen, "#words"))
            assert "✓ learned" in words(screen, "#words")
            assert "~ partly" in words(screen, "#history")
            assert "coloured at first" in words(screen, "#history")
            await pilot.press("down")
            await until(pilot, lambda: screen.query(Thumb).first().path is not None)
            assert "\x1b" not in words(screen, "#words")
            assert "[red]x[/]" in words(screen, "#words")

    run(story())


def test_the_filter_finds_by_feature_verdict_and_run_and_says_what_it_can_not_read(project: Path) -> None:
    seeded(project)
    second = runs_of(project)[1].id[-4:]

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            screen = await shown(pilot, lambda s: s.table.row_count == 3)
            for text, count in (("feature:grey", 1), ("verdict:not", 1), (f"run:{second}", 1), ("nothing like it", 0)):
                await pilot.press("slash")
                screen.query_one("#find", Input).value = text
                await until(pilot, lambda count=count: screen.table.row_count == count)
            assert "Nothing matches" in words(screen, "#words")
            screen.query_one("#find", Input).value = "verdict:lernd"
            await until(pilot, lambda: "not shown" in str(screen.query_one("#find").border_subtitle))
            await pilot.press("escape")
            await until(pilot, lambda: screen.table.row_count == 3)
            assert screen.focused is screen.table

    run(story())


def test_editing_keeps_the_wording_before_and_the_text_that_was_not_touched(project: Path) -> None:
    _, hostile, _ = seeded(project)

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            screen = await shown(pilot, lambda s: s.table.row_count == 3)
            await pilot.press("home", "down", "enter")
            opened = await dialog(pilot)
            assert "\x1b" not in opened.query_one(NoteArea).text
            await pilot.press("alt+u", "ctrl+s")
            await shown(pilot, lambda s: s.observations[1].verdict == "uncertain")
            assert screen.selected is not None
            assert screen.selected.id == hostile.id

    run(story())
    found = next(o for o in read_observations(runs_of(project)[0]) if o.id == hostile.id)
    assert (found.note, found.feature, found.verdict) == (HOSTILE, "[b]x", "uncertain")
    assert [old.verdict for old in found.history] == [""]


def test_striking_out_asks_and_can_be_taken_back(project: Path) -> None:
    seeded(project)
    file = runs_of(project)[0].observations_file
    before = file.read_bytes()

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            await shown(pilot, lambda s: s.table.row_count == 3)
            await pilot.press("home", "d")
            await dialog(pilot, Confirm)
            await pilot.press("enter")  # the answer that is ready is no
            await shown(pilot, lambda s: True)
            assert file.read_bytes() == before
            for struck in (True, False):
                await pilot.press("d")
                await dialog(pilot, Confirm)
                await pilot.press("y")
                await shown(pilot, lambda s, struck=struck: s.observations[0].struck is struck)
                assert file.read_bytes().startswith(before)

    run(story())


def test_a_new_note_on_this_screen_asks_which_run(project: Path) -> None:
    first, second = runs_of(project)

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            await shown(pilot, lambda s: s.has_class("-empty"))
            await pilot.press("n")
            await dialog(pilot, Choose)
            await pilot.press("down", "enter")
            await dialog(pilot)
            await write(pilot, "as a whole")
            await pilot.press("enter")
            await shown(pilot, lambda s: s.table.row_count == 1 and not s.has_class("-empty"))

    run(story())
    assert [o.note for o in read_observations(first)] == ["as a whole"]
    assert read_observations(second) == []


def test_what_another_program_writes_appears(project: Path) -> None:
    folder = runs_of(project)[0]
    observe(folder, "first")

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            screen = await shown(pilot, lambda s: s.table.row_count == 1)
            observe(folder, "second")
            await pilot.press("ctrl+r")
            await until(pilot, lambda: screen.table.row_count == 2)

    run(story())


def test_export_asks_where_and_never_replaces_a_file_unasked(project: Path) -> None:
    seeded(project)
    file = project / "notes.md"

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            await shown(pilot, lambda s: s.table.row_count == 3)
            for answer, content in (
                ("", "# Observations of shapes"),
                ("enter", "mine"),
                ("y", "# Observations of shapes"),
            ):
                await pilot.press("E")
                await dialog(pilot, Choose)
                await pilot.press("enter")
                asked = await dialog(pilot, Ask)
                assert asked.query_one(Input).value == str(file)
                await pilot.press("enter")
                if answer:
                    await dialog(pilot, Confirm)
                    await pilot.press(answer)
                await shown(pilot, lambda s: True)
                await pilot.app.workers.wait_for_complete()
                assert file.read_text(encoding="utf-8").startswith(content)
                file.write_text("mine", encoding="utf-8") if answer != "y" else None

    run(story())
    text = file.read_text(encoding="utf-8")
    assert "grey in the end" in text
    assert "\x1b" not in text
    assert "](runs/" in text


def test_a_broken_file_is_told_and_the_others_are_shown(project: Path) -> None:
    first, second = runs_of(project)
    observe(first, "fine")
    second.observations_file.write_text("[[observation\n", encoding="utf-8")

    async def story() -> None:
        async with bench(Place("notes", project)) as pilot:
            await shown(pilot, lambda s: s.table.row_count == 1)
            await until(pilot, lambda: any("observations.toml" in n.message for n in pilot.app._notifications))

    run(story())
    assert second.observations_file.read_text(encoding="utf-8") == "[[observation\n"


def test_keys_lead_to_the_run_and_to_the_picture(project: Path) -> None:
    _, hostile, _ = seeded(project)

    async def story() -> None:
        for key, screen, picture in (("o", "run", None), ("v", "picture", hostile.picture_paths[0])):
            async with bench(Place("notes", project)) as pilot:
                await shown(pilot, lambda s: s.table.row_count == 3)
                await pilot.press("home", "down", key)
                place = Place(screen, project, (hostile.folder,), picture)
                await until(pilot, lambda place=place: getattr(pilot.app.screen, "place", None) == place)

    run(story())


def test_looking_only_changes_nothing(project: Path) -> None:
    seeded(project)
    before = {folder: folder.observations_file.read_bytes() for folder in runs_of(project)}

    async def story() -> None:
        async with bench(Place("notes", project), readonly=True) as pilot:
            await shown(pilot, lambda s: s.table.row_count == 3)
            await pilot.press("home", "enter", "d", "n", "E")
            await pilot.app.workers.wait_for_complete()
            assert isinstance(pilot.app.screen, NotesScreen)

    run(story())
    assert before == {folder: folder.observations_file.read_bytes() for folder in runs_of(project)}


def test_at_80x24_the_list_and_the_observation_are_both_there(project: Path) -> None:
    seeded(project)

    async def story() -> None:
        async with bench(Place("notes", project), size=(80, 24)) as pilot:
            screen = await shown(pilot, lambda s: s.table.row_count == 3)
            assert screen.table.size.height >= 4
            assert screen.detail.size.height >= 6
            assert screen.table.virtual_size.width <= screen.table.size.width

    run(story())


# -- the panel of a run -----------------------------------------------------------------------------------------------


def test_the_panel_of_a_run_lists_writes_edits_and_strikes_out(project: Path) -> None:
    folder = runs_of(project)[0]
    observe(folder, HOSTILE, verdict="learned", feature="grey", step=3)

    async def story() -> None:
        async with bench(Place("run", project, (folder.path,))) as pilot:
            panel = pilot.app.screen.query_one(NotesPanel)
            await until(pilot, lambda: panel.table.row_count == 1)
            assert [str(c) for c in panel.table.get_row_at(0)][:3] == ["✓ learned", "grey", "@3"]
            panel.table.focus()
            await pilot.press("n")
            await dialog(pilot)
            await write(pilot, "more")
            await pilot.press("enter")
            await until(pilot, lambda: len(panel.observations) == 2)
            assert panel.table.cursor_row == 1  # the newest is last, and stood on
            await pilot.press("enter")
            await dialog(pilot)
            await write(pilot, " of it")
            await pilot.press("enter")
            await until(pilot, lambda: panel.observations[-1].note == "more of it")
            await pilot.press("d")
            await dialog(pilot, Confirm)
            await pilot.press("y")
            await until(pilot, lambda: panel.observations[-1].struck)
            assert str(panel.table.get_row_at(1)[0]) == "struck out"

    run(story())
    tables = tomllib.loads(folder.observations_file.read_text(encoding="utf-8"))["observation"]
    assert [table.get("note", "") for table in tables] == [HOSTILE, "more", "more of it", ""]


def test_an_empty_panel_teaches_the_key(project: Path) -> None:
    folder: RunFolder = runs_of(project)[0]

    async def story() -> None:
        async with bench(Place("run", project, (folder.path,))) as pilot:
            panel = pilot.app.screen.query_one(NotesPanel)
            await until(pilot, lambda: panel.has_class("-empty"))
            assert "press n" in str(panel.query_one(Static).content)
            folder.observations_file.write_text("[[observation\n", encoding="utf-8")
            panel.reload()
            await until(pilot, lambda: "line 1" in str(panel.query_one(Static).content))

    run(story())
