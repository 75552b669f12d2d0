"""The settings screen: what is changed there is what project.toml says, and nothing else in it is."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from loratui.lab.preferences import Preferences
from loratui.lab.project.textdraft import draft_file
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.prompt import PromptDialog
from loratui.tui.places import Place
from loratui.tui.screens.settings import SettingsScreen
from tests.processes import new_run, write_project
from tests.tui.conftest import run, until

TEXT = """\
question = "What is learned first?"   # said once

[dataset]
repeats = 5       # often

[train]
epochs = 2        # 3 images x 5 repeats x 2 epochs = 30 steps
# the rate that the paper used
learning_rate = 1e-4

[sample]
seeds = [1, 2]

[[sample.prompt]]
text = "myshape"  # the tag alone
"""


@pytest.fixture
def project(tiny_model: Path, tmp_path: Path) -> Path:
    folder = write_project(tmp_path / "shelf" / "shapes", tiny_model)
    (folder / "project.toml").write_text(f"{TEXT}\n[base]\nmodel = '{tiny_model}'\n", encoding="utf-8")
    return folder


@asynccontextmanager
async def bench(
    project: Path, size: tuple[int, int] = (120, 40), readonly: bool = False, runs: tuple[Path, ...] = ()
) -> AsyncIterator[tuple[Pilot[int], SettingsScreen]]:
    app = BenchApp(project.parent, readonly=readonly, preferences=Preferences(), start=Place("settings", project, runs))
    async with app.run_test(size=size) as pilot:
        screen = await until(pilot, lambda: app.here if isinstance(app.here, SettingsScreen) else None)
        await until(pilot, lambda: (screen.is_mounted and screen.form.rows) or screen.unreadable or screen.text_mode)
        yield pilot, screen


def text_of(project: Path) -> str:
    return (project / "project.toml").read_text(encoding="utf-8")


def values(project: Path) -> dict[str, Any]:
    return tomllib.loads(text_of(project))


async def type_in(pilot: Pilot[int], text: str) -> None:
    """Replace the field's text, as a person does."""
    pilot.app.focused.value = ""  # type: ignore[union-attr]
    await pilot.press(*[{" ": "space", ",": "comma", "-": "minus", ".": "full_stop"}.get(c, c) for c in text])


def shown(screen: SettingsScreen, panel: str) -> str:
    return str(screen.query_one(f"#{panel} Static", Static).content)


def test_a_value_is_edited_in_place_and_only_it_changes_in_the_file(project: Path) -> None:
    before = text_of(project)

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            screen.form_list.go_to("train.epochs")
            await pilot.press("enter")
            assert isinstance(pilot.app.focused, Input) and pilot.app.focused.value == "2"
            await type_in(pilot, "30")
            await pilot.press("enter")
            assert text_of(project) == before.replace("epochs = 2        #", "epochs = 30       #")
            await until(pilot, lambda: "30 epochs" in shown(screen, "steps"))
            assert pilot.app.focused is screen.form_list

    run(story())


def test_a_wrong_value_is_told_as_it_is_typed_and_never_saved(project: Path) -> None:
    before = text_of(project)

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            screen.form_list.go_to("train.epochs")
            await pilot.press("enter")
            await type_in(pilot, "2x")
            assert "expected a whole number" in str(screen.editor.message.content)
            await pilot.press("enter")
            assert screen.editor.is_open and text_of(project) == before
            await pilot.press("escape")
            assert not screen.editor.is_open and text_of(project) == before
            assert screen.form.row("train.epochs").text == "2"

    run(story())


def test_choices_and_switches_turn_with_space_and_defaults_come_back_with_u(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as (pilot, screen):
            screen.form_list.go_to("lora.targets")
            await pilot.press("space")
            assert values(project)["lora"]["targets"] == "linear"
            await pilot.press("left", "left")
            assert values(project)["lora"]["targets"] == "conv"
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, Choose)
            await pilot.press("escape")
            screen.form_list.go_to("dataset.flip")
            await pilot.press("space")
            assert values(project)["dataset"]["flip"] is True
            screen.form_list.go_to("lora.targets")
            await pilot.press("u")
            assert "targets" not in text_of(project)
            screen.form_list.go_to("train.checkpoint_every")  # a number or a word
            await pilot.press("space", "enter")
            assert values(project)["train"]["checkpoint_every"] == "end"
            await type_in(pilot, "10")
            await pilot.press("down")
            assert values(project)["train"]["checkpoint_every"] == 10
            assert screen.form_list.key == "train.max_minutes"

    run(story())


def test_undo_and_redo_write_the_file(project: Path) -> None:
    before = text_of(project)

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            for key in ("dataset.flip", "dataset.buckets"):
                screen.form_list.go_to(key)
                await pilot.press("space")
            changed = text_of(project)
            await pilot.press("z", "z")
            assert text_of(project) == before
            await pilot.press("Z", "Z")
            assert text_of(project) == changed
            assert screen.check_action("redo", ()) is False

    run(story())


def test_help_and_marks_say_what_is_known_of_a_key(project: Path) -> None:
    parent = new_run(project, "lora.rank=2")

    async def story() -> None:
        async with bench(project, runs=(parent.path,)) as (pilot, screen):
            row = screen.form.row("lora.rank")
            assert (row.other, row.is_changed) == ("2", False)
            screen.form_list.go_to("lora.rank")
            await pilot.pause()
            told = shown(screen, "help")
            for words in ("more can hold more", "from 1 to 4096", "Default 8", "network_dim", f"2 in {parent.id}"):
                assert words in told
            screen.form_list.go_to("dataset.keep_tags")
            await pilot.press("enter")
            await type_in(pilot, "1")
            await pilot.press("enter")
            assert "every tag stays in place" in shown(screen, "help")
            await until(pilot, lambda: "shuffle_tags" in shown(screen, "steps"))

    run(story())


def test_keys_are_found_by_what_other_trainers_call_them(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as (pilot, screen):
            await pilot.press("slash")
            await type_in(pilot, "network_dim")
            assert [line.key for line in screen.form_list.lines if hasattr(line, "key")] == ["lora.rank"]
            await pilot.press("enter", "enter")
            await type_in(pilot, "4")
            await pilot.press("enter")
            assert values(project)["lora"]["rank"] == 4
            await pilot.press("escape")
            assert len(screen.form_list.lines) > 50 and screen.form_list.key == "lora.rank"

    run(story())


def test_steps_say_what_differs_and_what_the_check_finds(project: Path) -> None:
    new_run(project)
    (project / "dataset" / "circle.txt").unlink()

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            await until(pilot, lambda: "against" in shown(screen, "steps"))
            told = shown(screen, "steps")
            assert "3 images × 5 repeats × 2 epochs ÷ batch 1 = 30 steps" in told
            assert "no run here yet: the first one will tell" in told
            assert "has no caption file" in told and "1 warning" in str(screen.steps_panel.border_title)
            screen.form_list.go_to("lora.rank")
            await pilot.press("enter")
            await type_in(pilot, "2")
            await pilot.press("enter")
            await until(pilot, lambda: "2 things differ" in shown(screen, "steps"))

    run(story())


def test_prompts_are_added_edited_moved_and_removed(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as (pilot, screen):
            await pilot.press("4")
            await until(pilot, lambda: pilot.app.focused is screen.prompts)
            await pilot.press("n")
            await until(pilot, lambda: isinstance(pilot.app.screen, PromptDialog))
            await type_in(pilot, "circle")
            await pilot.press("down", "down")
            await type_in(pilot, "7 x")
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, PromptDialog)  # seeds are numbers
            await type_in(pilot, "7")
            await pilot.press("enter")
            await until(pilot, lambda: pilot.app.screen is screen)
            assert values(project)["sample"]["prompt"] == [{"text": "myshape"}, {"text": "circle", "seeds": [7]}]
            await pilot.press("K")
            assert [prompt["text"] for prompt in values(project)["sample"]["prompt"]] == ["circle", "myshape"]
            assert 'text = "myshape"  # the tag alone' in text_of(project)
            await pilot.press("d", "d")
            assert "prompt" not in values(project)["sample"]
            await pilot.press("z", "z")
            assert len(values(project)["sample"]["prompt"]) == 2

    run(story())


def test_the_text_is_saved_when_it_is_in_order_and_kept_as_a_draft_when_not(project: Path) -> None:
    before = text_of(project)

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            screen.form_list.go_to("train.epochs")
            await pilot.press("T")
            assert screen.view.area.cursor_location == (6, 0)
            screen.view.area.text = before.replace("epochs = 2 ", "epochs = 0 ")
            await until(pilot, lambda: screen.view.faults)
            assert screen.view.faults[0].line == 7 and screen.view.area.faulty == {6}
            assert "line 7: train.epochs: expected a whole number" in str(screen.view.said.content)
            await pilot.press("escape")
            assert text_of(project) == before and not screen.text_mode
            assert "epochs = 0 " in draft_file(project).read_text(encoding="utf-8")
            await pilot.press("T")  # the draft is there again
            assert "epochs = 0 " in screen.view.text
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await pilot.press("enter")  # no is under the cursor
            assert text_of(project) == before
            screen.view.area.text = before.replace("epochs = 2 ", "epochs = 9 ")
            await until(pilot, lambda: not screen.view.faults)
            await pilot.press("ctrl+s")
            await until(pilot, lambda: text_of(project) == before.replace("epochs = 2 ", "epochs = 9 "))
            assert not draft_file(project).exists()
            await pilot.press("escape")
            assert screen.form.row("train.epochs").text == "9"
            await pilot.press("z")
            assert text_of(project) == before

    run(story())


def test_typed_text_is_dropped_only_after_asking_and_followed_by_the_steps(project: Path) -> None:
    before = text_of(project)

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            await pilot.press("T")
            screen.view.area.text = before.replace("epochs = 2 ", "epochs = 40 ")
            await until(pilot, lambda: "× 40 epochs" in shown(screen, "steps"))
            await pilot.press("ctrl+r")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await pilot.press("y")
            await until(pilot, lambda: screen.view.text == before)
            assert text_of(project) == before and not draft_file(project).exists()

    run(story())


def test_a_broken_file_opens_as_text_at_the_first_faulty_line(project: Path) -> None:
    (project / "project.toml").write_text(TEXT.replace("seeds = [1, 2]", "seeds = [1, 2"), encoding="utf-8")

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            assert screen.text_mode and screen.view.faults
            assert screen.view.area.cursor_location[0] + 1 == screen.view.faults[0].line
            screen.view.area.text = TEXT
            await pilot.press("ctrl+s")
            await until(pilot, lambda: text_of(project) == TEXT)
            await pilot.press("escape")
            assert screen.form.row("sample.seeds").text == "1, 2"

    run(story())


@pytest.mark.parametrize("content", [None, b"[train]\n# caf\xe9\n"])
def test_a_file_that_cannot_be_read_is_told_with_what_to_do(project: Path, content: bytes | None) -> None:
    file = project / "project.toml"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)

    async def story() -> None:
        async with bench(project) as (pilot, screen):
            assert "ctrl+r reads it again" in shown(screen, "help")
            await pilot.press("enter", "space", "u", "T", "4", "n")
            file.write_text(TEXT, encoding="utf-8")
            await pilot.press("1", "ctrl+r")
            assert screen.form.row("train.epochs").text == "2"

    run(story())


def test_another_programs_change_is_taken_in_and_a_clash_is_asked_about(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as (pilot, screen):
            file = project / "project.toml"
            file.write_text(text_of(project).replace("repeats = 5 ", "repeats = 6 "), encoding="utf-8")
            screen.form_list.go_to("dataset.flip")
            await pilot.press("space")
            assert "repeats = 6 " in text_of(project) and values(project)["dataset"]["flip"] is True
            screen.form_list.go_to("train.epochs")
            await pilot.press("enter")
            file.write_text(text_of(project).replace("epochs = 2 ", "epochs = 50 "), encoding="utf-8")
            await type_in(pilot, "3")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Choose))
            assert values(project)["train"]["epochs"] == 50
            await pilot.press("down", "enter")
            await until(pilot, lambda: pilot.app.screen is screen)
            assert screen.form.row("train.epochs").text == "50"
            file.write_text(text_of(project).replace("epochs = 50 ", "epochs = 51 "), encoding="utf-8")
            screen._look_outside()
            assert screen.form.row("train.epochs").text == "51"

    run(story())


def test_nothing_is_changed_in_readonly_mode(project: Path) -> None:
    before = text_of(project)

    async def story() -> None:
        async with bench(project, readonly=True) as (pilot, screen):
            screen.form_list.go_to("dataset.flip")
            await pilot.press("space", "enter", "u", "z", "R", "4", "n", "d", "1", "T")
            await until(pilot, lambda: screen.text_mode)
            await pilot.press("x", "ctrl+s", "escape")
            assert pilot.app.screen is screen

    run(story())
    assert text_of(project) == before and not draft_file(project).exists()


def test_hostile_text_is_shown_as_signs_and_keeps_its_bytes(project: Path) -> None:
    nasty = "a\u202eb\u200b[red]x[/] \u009b31m" + "y" * 100_000
    hostile = TEXT.replace("What is learned first?", nasty).replace("# often", "# \u202e[/nope] \u0085")
    (project / "project.toml").write_text(hostile, encoding="utf-8")

    async def story() -> None:
        async with bench(project, size=(80, 24)) as (pilot, screen):
            assert "\u202e" not in "".join(screen.form_list.render_line(0).text)
            await pilot.press("enter")
            assert isinstance(pilot.app.focused, Input) and pilot.app.focused.value.isprintable()
            await pilot.press("escape")
            screen.form_list.go_to("dataset.flip")
            await pilot.press("space", "T")
            await until(pilot, lambda: screen.text_mode)
            assert "\u202e" not in screen.view.text
            await pilot.press("escape")
            await pilot.pause()

    run(story())
    assert text_of(project).replace("flip = true\n", "") == hostile


def test_what_is_typed_when_the_bench_ends_is_saved(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as (pilot, screen):
            screen.form_list.go_to("train.epochs")
            await pilot.press("enter")
            await type_in(pilot, "12")
            await pilot.press("ctrl+q")

    run(story())
    assert values(project)["train"]["epochs"] == 12


def test_it_fits_narrow_and_wide_terminals(project: Path) -> None:
    async def story() -> None:
        for size in ((80, 24), (300, 80)):
            async with bench(project, size=size) as (pilot, screen):
                assert screen.form_list.region.height >= 9 and screen.form_list.region.right <= size[0]
                assert screen.help_panel.region.height >= 5
                await pilot.press("4")
                await until(pilot, lambda screen=screen: screen.prompts.has_focus)
                assert screen.prompts.region.height >= 1
                await pilot.press("1")
                await until(pilot, lambda screen=screen: screen.form_list.has_focus)

    run(story())
