"""The dataset screen does to the caption files what the person asked for, and nothing else to anything else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from loratui.lab.preferences import Preferences
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.bulk import BulkDialog
from loratui.tui.dialogs.conflict import ConflictDialog
from loratui.tui.dialogs.importing import ImportDialog
from loratui.tui.dialogs.report import Report
from loratui.tui.places import Place
from loratui.tui.screens import datasetwork
from loratui.tui.screens.dataset import DatasetScreen
from tests.tui.conftest import run, until

CAPTIONS = {"circle": "myshape, circle", "square": "myshape, square, 2x2", "triangle": "myshape, triangle, 2 x 2"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three small pictures with captions, of the embedded model."""
    folder = tmp_path / "projects" / "shapes"
    (folder / "dataset").mkdir(parents=True)
    (folder / "project.toml").write_text('[base]\nmodel = "tinyworld"\n', encoding="utf-8")
    for number, (name, caption) in enumerate(CAPTIONS.items()):
        Image.new("RGB", (64, 64), (80 * number, 80, 80)).save(folder / "dataset" / f"{name}.png")
        (folder / "dataset" / f"{name}.txt").write_text(f"{caption}\n", encoding="utf-8")
    return folder


class Bench:
    """The screen with what tests ask of it again and again."""

    def __init__(self, pilot: Pilot[Any], screen: DatasetScreen) -> None:
        self.pilot, self.screen, self.app = pilot, screen, screen.bench

    async def type(self, text: str) -> None:
        names = {" ": "space", ",": "comma", ":": "colon", "/": "slash"}
        await self.pilot.press(*(names.get(c, c) for c in text))

    async def dialog(self, kind: type[Any]) -> Any:
        await until(self.pilot, lambda: isinstance(self.app.screen, kind) and self.app.screen.is_mounted)
        return self.app.screen

    async def says(self, words: str) -> None:
        """A toast with these words has come."""
        await until(self.pilot, lambda: any(words in str(toast.message) for toast in self.app._notifications))

    @property
    def subtitle(self) -> str:
        return str(self.screen.query_one("#images").border_subtitle)


@contextlib.asynccontextmanager
async def bench(project: Path, size: tuple[int, int] = (120, 40), readonly: bool = False) -> AsyncIterator[Bench]:
    app = BenchApp(project.parent, readonly=readonly, preferences=Preferences(), start=Place("dataset", project))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, DatasetScreen) and (app.screen.desk or app.screen.broken))
        screen = app.screen
        assert isinstance(screen, DatasetScreen)
        desk = screen.desk
        await until(pilot, lambda: desk is None or len(screen.images.names) == len(desk.entries))
        yield Bench(pilot, screen)


def caption(project: Path, name: str = "circle") -> str:
    return (project / "dataset" / f"{name}.txt").read_bytes().decode()


# -- one caption -------------------------------------------------------------------------------------------------------


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine half a second may pass between a key and what another program writes after it."""
    monkeypatch.setattr(datasetwork, "SAVE_AFTER", 3.0)


def test_a_caption_is_saved_while_it_is_typed(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            assert b.screen.focused is b.screen.edit
            await b.type(", red")
            await until(b.pilot, lambda: caption(project) == "myshape, circle, red\n")
            assert b.screen.focused is b.screen.edit
            await b.pilot.press("enter")
            assert b.screen.focused is b.screen.images

    run(story())
    assert caption(project, "square") == CAPTIONS["square"] + "\n"


def test_what_was_typed_last_is_saved_when_the_bench_ends_at_once(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            await b.type(", big")
            b.app.leave(129)  # as SIGHUP does
        assert b.app.return_code == 129

    run(story())
    assert caption(project) == "myshape, circle, big\n"


def test_going_to_the_next_image_saves_and_stays_in_the_caption(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            await b.type("x")
            await b.pilot.press("ctrl+down")
            await until(b.pilot, lambda: b.screen.edit.image == "square.png")
            await b.type("y")
            await b.pilot.press("escape")
            await until(b.pilot, lambda: not b.screen.desk.drafts)
            assert b.screen.images.current == "square.png"

    run(story())
    assert caption(project) == "myshape, circlex\n"
    assert caption(project, "square") == "myshape, square, 2x2y\n"


def test_an_image_without_a_caption_gets_a_file_once_something_is_typed(project: Path) -> None:
    (project / "dataset/circle.txt").unlink()

    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter", "escape")
            assert not (project / "dataset/circle.txt").exists()
            await b.pilot.press("enter")
            await b.type("new")
            await b.pilot.press("enter")
            await until(b.pilot, lambda: (project / "dataset/circle.txt").exists())

    run(story())
    assert caption(project) == "new\n"


def test_bytes_that_are_not_the_caption_stay_as_they_are(project: Path) -> None:
    file = project / "dataset/circle.txt"
    file.write_bytes(b"\xef\xbb\xbf\r\n  myshape  \r\nsecond \xc3\xa9 line\r\n")

    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            await b.type("s")
            await b.pilot.press("enter")
            await until(b.pilot, lambda: not b.screen.desk.drafts)

    run(story())
    assert file.read_bytes() == b"\xef\xbb\xbf\r\n  myshapes  \r\nsecond \xc3\xa9 line\r\n"


def test_a_caption_with_control_characters_is_looked_at_only_until_it_is_cleaned(project: Path) -> None:
    hostile = "red \x1b]52;c;aGk=\x07 [/nope] \u202eevil"
    file = project / "dataset/circle.txt"
    file.write_text(hostile, encoding="utf-8")

    async def story() -> None:
        async with bench(project) as b:
            assert "\x1b" not in b.screen.edit.text
            assert "c takes them out" in str(b.screen.query_one("#about", Static).content)
            await b.pilot.press("enter")
            await b.type("hello")
            await b.pilot.press("escape")
            assert file.read_text(encoding="utf-8") == hostile
            await b.pilot.press("c")
            await b.says("3 characters taken out")
            await until(b.pilot, lambda: not b.screen.edit.read_only)
            await b.pilot.press("z")
            await b.says("undone")

    run(story())
    assert file.read_text(encoding="utf-8") == hostile


def test_pasting_lines_into_a_caption_makes_one_line_without_control_characters(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            b.app.post_message(events.Paste(", red\r\nbig\x1b[31m\ttall"))
            await until(b.pilot, lambda: "tall" in caption(project))

    run(story())
    assert caption(project) == "myshape, circle, red big[31m tall\n"


# -- somebody else writes too ------------------------------------------------------------------------------------------


def test_another_programs_change_is_shown(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            (project / "dataset/circle.txt").write_text("from elsewhere\n")
            b.screen.look_at_disk()
            await until(b.pilot, lambda: b.screen.edit.text == "from elsewhere")
            (project / "dataset/square.png").unlink()
            b.screen.look_at_disk()
            await until(b.pilot, lambda: list(b.screen.images.names) == ["circle.png", "triangle.png"])

    run(story())


def test_changes_of_other_tags_are_merged(project: Path, unhurried: None) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            await b.type(", ours")
            (project / "dataset/circle.txt").write_text("theirs, myshape, circle\n")
            await b.says("both are kept")
            await until(b.pilot, lambda: b.screen.edit.text == caption(project).strip())

    run(story())
    assert caption(project) == "theirs, myshape, circle, ours\n"


def test_a_conflict_is_asked_about_and_nothing_is_written_until_it_is_decided(project: Path, unhurried: None) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            await b.type("s")
            (project / "dataset/circle.txt").write_text("myshape, ring\n")
            await b.dialog(ConflictDialog)
            await b.pilot.press("escape")
            await until(b.pilot, lambda: b.app.screen is b.screen)
            assert caption(project) == "myshape, ring\n"
            assert "not saved" in str(b.screen.query_one("#caption").border_subtitle)
            assert b.screen.edit.text == "myshape, circles"

            await b.pilot.press("enter")
            asked = await b.dialog(ConflictDialog)
            conflict = asked.conflict
            assert (conflict.base, conflict.ours, conflict.theirs) == (
                "myshape, circle", "myshape, circles", "myshape, ring",
            )  # fmt: skip
            await b.pilot.press("ctrl+s")
            await until(b.pilot, lambda: caption(project) == "myshape, circles\n")
            await until(b.pilot, lambda: not b.screen.desk.drafts)

    run(story())


def test_theirs_can_be_kept(project: Path, unhurried: None) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            await b.type("s")
            (project / "dataset/circle.txt").write_text("myshape, ring\n")
            await b.dialog(ConflictDialog)
            await b.pilot.press("ctrl+t")
            await until(b.pilot, lambda: b.screen.edit.text == "myshape, ring")
            assert not b.screen.desk.drafts

    run(story())
    assert caption(project) == "myshape, ring\n"


def test_a_caption_in_conflict_when_the_bench_ends_is_put_aside_and_overwrites_nothing(
    project: Path, unhurried: None
) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("enter")
            await b.type("s")
            (project / "dataset/circle.txt").write_text("myshape, ring\n")
            b.app.leave()

    run(story())
    assert caption(project) == "myshape, ring\n"
    assert '"caption": "myshape, circles"' in (project / ".loratui/unsaved.jsonl").read_text()


# -- many captions -----------------------------------------------------------------------------------------------------


def test_a_change_of_the_marked_images_is_shown_before_it_is_made(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("space", "space")
            assert b.screen.desk.marked == {"circle.png", "square.png"}
            await b.pilot.press("b")
            dialog = await b.dialog(BulkDialog)
            assert "2 marked images" in str(dialog.query_one("#box").border_title)
            await b.type("big")
            await until(b.pilot, lambda: len(dialog._changes) == 2)
            assert [(c.name, c.after) for c in dialog._changes] == [
                ("circle.png", "myshape, circle, big"), ("square.png", "myshape, square, 2x2, big"),
            ]  # fmt: skip
            assert caption(project) == "myshape, circle\n"
            await b.pilot.press("ctrl+s")
            await b.says("z undoes")

    run(story())
    assert caption(project) == "myshape, circle, big\n"
    assert caption(project, "square") == "myshape, square, 2x2, big\n"
    assert caption(project, "triangle") == CAPTIONS["triangle"] + "\n"


def test_leaving_the_dialog_changes_nothing(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("b")
            dialog = await b.dialog(BulkDialog)
            await b.type("big")
            await until(b.pilot, lambda: len(dialog._changes) == 3)
            await b.pilot.press("enter", "escape")
            await until(b.pilot, lambda: b.app.screen is b.screen)

    run(story())
    assert {name: caption(project, name) for name in CAPTIONS} == {k: f"{v}\n" for k, v in CAPTIONS.items()}


def test_a_regular_expression_is_told_wrong_while_it_is_typed(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("b")
            dialog = await b.dialog(BulkDialog)
            dialog.query_one("#operation").choose("replace")
            dialog.query_one("#how").choose("regex")
            await b.type("(2")
            said = dialog.query_one("#said", Static)
            await until(b.pilot, lambda: "✗" in str(said.content))
            assert dialog.query_one("#apply").disabled
            await b.type(") *x")
            await until(b.pilot, lambda: "changes 2 of 3" in str(said.content))

    run(story())


def test_undo_and_redo_go_across_files_and_over_a_restart(project: Path) -> None:
    async def change() -> None:
        async with bench(project) as b:
            await b.pilot.press("b")
            dialog = await b.dialog(BulkDialog)
            dialog.query_one("#operation").choose("remove")
            await b.type("myshape")
            await until(b.pilot, lambda: len(dialog._changes) == 3)
            await b.pilot.press("ctrl+s")
            await b.says("remove “myshape”")

    async def undo_and_redo() -> None:
        async with bench(project) as b:
            await b.pilot.press("z")
            await b.says("undone: remove “myshape” (3 captions)")
            assert caption(project) == "myshape, circle\n"
            await until(b.pilot, lambda: b.screen.edit.text == "myshape, circle")
            await b.pilot.press("Z")
            await b.says("done again")
            assert caption(project) == "circle\n"

    run(change())
    run(undo_and_redo())


# -- which images ------------------------------------------------------------------------------------------------------


def test_a_filter_shows_what_matches_and_says_what_is_wrong_with_it(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("slash")
            await b.type("tag:2x2 OR")
            await until(b.pilot, lambda: "OR needs something after it" in str(
                b.screen.filters.query_one(Static).content))  # fmt: skip
            await b.type(" name:cir")
            await until(b.pilot, lambda: list(b.screen.images.names) == ["circle.png", "square.png"])
            assert "2/3 shown" in b.subtitle
            await b.pilot.press("enter", "b")
            dialog = await b.dialog(BulkDialog)
            assert "2 filtered images" in str(dialog.query_one("#box").border_title)
            await b.pilot.press("escape", "escape")
            await until(b.pilot, lambda: len(b.screen.images.names) == 3)
            assert b.app.screen is b.screen

    run(story())


def test_a_filter_that_lets_nothing_through_says_how_to_go_on(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await b.pilot.press("down", "slash")
            await b.type("nowhere")
            await until(b.pilot, lambda: not b.screen.images.names)
            assert "escape" in b.screen.images.words
            assert b.screen.edit.read_only
            await b.pilot.press("escape")
            await until(b.pilot, lambda: b.screen.images.current == "square.png")

    run(story())


def test_a_tag_filters_and_no_longer(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            await until(b.pilot, lambda: b.screen.tags.all_tags.count == 6)
            assert (b.screen.tags.all_tags.tags[0].tag, b.screen.tags.all_tags.tags[0].images) == ("myshape", 3)
            await b.pilot.press("5", "down", "enter")
            await until(b.pilot, lambda: list(b.screen.images.names) == ["triangle.png"])  # the tag "2 x 2"
            beside = b.screen.query_one("#together")
            await until(b.pilot, lambda: {count.tag for count in beside.tags} == {"myshape", "triangle"})
            await b.pilot.press("enter")
            await until(b.pilot, lambda: len(b.screen.images.names) == 3)

    run(story())


def test_ten_thousand_images_are_there_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "projects" / "many"
    (folder / "dataset").mkdir(parents=True)
    (folder / "project.toml").write_text('[base]\nmodel = "tinyworld"\n')
    for number in range(10_000):
        (folder / f"dataset/{number}.png").touch()
    (folder / "dataset/9999.txt").write_text("the last one")

    async def story() -> None:
        async with bench(folder) as b:
            assert b.screen.images.count == 10_000
            await b.pilot.press("end")
            assert b.screen.images.current == "9999.png"
            await until(b.pilot, lambda: b.screen.edit.text == "the last one")
            assert not b.screen.is_checking  # it would take long; ctrl+l asks for it
            await b.pilot.press("slash")
            await b.type("last")
            await until(b.pilot, lambda: list(b.screen.images.names) == ["9999.png"])

    run(story())


# -- tokens and the check ----------------------------------------------------------------------------------------------


def test_tokens_follow_the_typing_and_name_what_is_the_same_to_the_model(project: Path) -> None:
    async def story() -> None:
        async with bench(project) as b:
            tokens = b.screen.tokens
            await until(b.pilot, lambda: tokens.view is not None)
            assert [piece.text for piece in tokens.view.tokens.pieces] == ["my", "shape·", ",·", "circle·"]
            await b.pilot.press("down", "enter")
            await until(b.pilot, lambda: tokens.view.respelled == (("2x2", ("2 x 2",)),))
            await b.type(" big")
            await until(b.pilot, lambda: tokens.view.tokens.pieces[-1].text == "big·")
            assert tokens.view.only_here(tokens.view.tokens.pieces[-1])
            page = "\n".join("".join(cell.text for cell in cells) for cells in tokens.lines_for(60))
            assert "big·" in page
            assert "○" in page

    run(story())


def test_a_base_model_that_is_not_there_leaves_words_in_place_of_tokens(project: Path) -> None:
    (project / "project.toml").write_text('[base]\nmodel = "somebody/not-here"\n')

    async def story() -> None:
        async with bench(project) as b:
            await until(b.pilot, lambda: "somebody/not-here" in b.screen.tokens.words)
            await until(b.pilot, lambda: b.screen.desk.checked is not None)
            await b.pilot.press("f")
            await b.dialog(Report)

    run(story())


def test_the_check_fills_the_column_of_problems(project: Path) -> None:
    (project / "dataset/square.png").write_bytes(b"\x89PNG no picture")

    async def story() -> None:
        async with bench(project) as b:
            await until(b.pilot, lambda: b.screen.desk.checked is not None)
            assert (b.screen._row("square.png").errors, b.screen._row("circle.png").errors) == (1, 0)
            assert "✗1" in b.subtitle
            await b.pilot.press("slash")
            await b.type("problem:any")
            await until(b.pilot, lambda: list(b.screen.images.names) == ["square.png"])

    run(story())


# -- pictures from elsewhere, and an editor ----------------------------------------------------------------------------


def test_pasting_paths_copies_pictures_in_and_leaves_the_sources_alone(project: Path, tmp_path: Path) -> None:
    source = tmp_path / "my pictures"
    source.mkdir()
    Image.new("RGB", (32, 32), "red").save(source / "new one.png")
    (source / "new one.txt").write_text("brought along")
    (source / "notes.pdf").write_text("no picture")
    before = {path.name: path.read_bytes() for path in source.iterdir()}

    async def story() -> None:
        async with bench(project) as b:
            pasted = f"'{source / 'new one.png'}' {(source / 'notes.pdf').as_uri()}\n"
            b.app.post_message(events.Paste(pasted))
            dialog = await b.dialog(ImportDialog)
            await until(b.pilot, lambda: "2 found" in str(dialog.query_one("#found", Static).content))
            await b.pilot.press("ctrl+s")
            await b.dialog(Report)
            await b.pilot.press("escape")
            await until(b.pilot, lambda: b.screen.images.current == "new one.png")
            assert b.screen.edit.text == "brought along"

    run(story())
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before
    assert (project / "dataset/new one.png").read_bytes() == before["new one.png"]
    assert caption(project) == "myshape, circle\n"


def test_a_dataset_without_images_teaches_how_to_bring_some(tmp_path: Path) -> None:
    folder = tmp_path / "projects" / "empty"
    folder.mkdir(parents=True)
    (folder / "project.toml").write_text('[base]\nmodel = "tinyworld"\n')
    picture = tmp_path / "a.png"
    Image.new("RGB", (32, 32)).save(picture)

    async def story() -> None:
        async with bench(folder) as b:
            await until(b.pilot, lambda: "i  copies pictures" in b.screen.images.words)
            await b.pilot.press("i")
            await b.dialog(ImportDialog)
            b.app.post_message(events.Paste(str(picture)))
            await until(b.pilot, lambda: not b.app.screen.query_one("#copy").disabled)
            await b.pilot.press("ctrl+s")
            await until(b.pilot, lambda: list(b.screen.images.names) == ["a.png"])

    run(story())
    assert (folder / "dataset/a.png").read_bytes() == picture.read_bytes()


def test_what_the_editor_wrote_is_taken_in(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = project / "editor.py"
    script.write_text("import pathlib, sys\npathlib.Path(sys.argv[1]).write_text('by hand\\n')\n")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

    async def story() -> None:
        async with bench(project) as b:
            monkeypatch.setattr(b.app, "suspend", contextlib.nullcontext)
            await b.pilot.press("e")
            await until(b.pilot, lambda: b.screen.edit.text == "by hand")

    run(story())


# -- looking only, and things that are not in order --------------------------------------------------------------------


def test_readonly_changes_nothing_on_the_disk(project: Path) -> None:
    def everything() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in project.rglob("*") if p.is_file()}

    before = everything()

    async def story() -> None:
        async with bench(project, readonly=True) as b:
            await b.pilot.press("enter", "3")  # enter edits, and does nothing here
            await b.type("hello")
            await b.pilot.press("escape", "space", "b", "z", "Z", "i", "e", "c")
            b.app.post_message(events.Paste(str(project / "dataset/circle.png")))
            await b.pilot.pause()
            assert b.app.screen is b.screen
            assert b.screen.desk.marked == {"circle.png"}

    run(story())
    assert everything() == before


def test_a_project_that_cannot_be_read_says_why_and_leads_to_its_settings(project: Path) -> None:
    (project / "project.toml").write_text("[train]\nepoch = 3\n")

    async def story() -> None:
        async with bench(project) as b:
            words = str(b.screen.query_one("#broken", Static).content)
            assert "project.toml:2" in words
            (project / "project.toml").write_text('[base]\nmodel = "tinyworld"\n')
            await b.pilot.press("ctrl+r")
            await until(b.pilot, lambda: len(b.screen.images.names) == 3)
            (project / "project.toml").write_text("[train]\nepoch = 3\n")
            await b.pilot.press("ctrl+r")
            await until(b.pilot, lambda: b.screen.broken)
            await b.pilot.press("enter")
            await until(b.pilot, lambda: b.app.here is not None and b.app.here.place == Place("settings", project))

    run(story())


def test_hostile_names_are_shown_and_their_captions_saved(project: Path) -> None:
    names = ["[red]x", "[@click=app.bell]x", "a\x1b[31mb", "-rf", "~", "ab\u202ecd"]
    for name in names:
        Image.new("RGB", (32, 32)).save(project / "dataset" / f"{name}.png")

    async def story() -> None:
        async with bench(project) as b:
            assert b.screen.images.count == 9
            for name in names:
                b.screen.images.go_to(f"{name}.png")
                await b.pilot.press("enter")
                await until(b.pilot, lambda name=name: b.screen.edit.image == f"{name}.png")
                await b.type("tag")
                await b.pilot.press("enter")
            await until(b.pilot, lambda: not b.screen.desk.drafts)

    run(story())
    assert {name: caption(project, name) for name in names} == dict.fromkeys(names, "tag\n")


def test_a_small_terminal_shows_list_caption_and_tokens_and_the_rest_on_demand(project: Path) -> None:
    async def story() -> None:
        async with bench(project, size=(80, 24)) as b:
            side = b.screen.query_one("#side")
            assert not side.display
            assert all(b.screen.query_one(f"#{name}").size.height >= 3 for name in ("images", "caption", "tokens"))
            await b.pilot.press("2")
            await until(b.pilot, lambda: side.display)
            assert b.screen.query_one("#picture").has_focus
            await b.pilot.press("p")
            await until(b.pilot, lambda: not side.display)
            assert b.screen.focused is b.screen.images

    run(story())
