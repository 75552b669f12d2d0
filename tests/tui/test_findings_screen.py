"""The table of findings: what a person said is told apart from what the measures suggest, and every cell leads on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from loratui.lab.notes.observations import observe
from loratui.lab.preferences import Preferences
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.scores import Place as Spot
from loratui.lab.scores.scores import RunScores, Score, write_scores
from loratui.lab.scores.statistics import Rate, mcnemar, suggest
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.ask import Ask
from loratui.tui.dialogs.choose import Choose
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.dialogs.finding import FindingDialog
from loratui.tui.places import Place
from loratui.tui.screens.findings import FindingsScreen
from loratui.tui.screens.run import RunScreen
from tests.frozen import finish, freeze_run, write_bare_project
from tests.tui.conftest import run, until

COLOUR = "colour gray · myshape"
EVIL = "evil [red]\x1b[31m name"


def score(shown: int, of: int = 24, base: int = 1) -> Score:
    """Of so many pictures the first show grey."""
    lora_seen, base_seen = ([i < k for i in range(of)] for k in (shown, base))
    rates = Rate(base, of), Rate(shown, of)
    paired = mcnemar(base_seen, lora_seen)
    return Score(Spot(0, "myshape", 25, 1.0, 4), "colour", "gray", *rates, paired, suggest(*rates, paired),
                 tuple(range(of)), tuple(base_seen), tuple(lora_seen))  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two runs: in the first a person and the measures disagree, in the second there is a suggestion alone."""
    folder = write_bare_project(tmp_path / "shapes", 'question = "What?"\n', "circle.png")
    for minute in (0, 1):
        one = freeze_run(folder, minute)
        finish(one)
        write_scores(one, RunScores(one.id, "", scores=(score(23),)))
        if not minute:
            observe(one, "only at the rim [b]", feature=COLOUR, verdict="partly", step=4)
            observe(one, "", feature=EVIL, verdict="not shown")
    return folder


@asynccontextmanager
async def opened(project: Path, readonly: bool = False) -> AsyncIterator[tuple[Pilot[int], FindingsScreen]]:
    app = BenchApp(project.parent, preferences=Preferences(), readonly=readonly, start=Place("findings", project))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, FindingsScreen)
        await until(pilot, lambda: screen.table.row_count or screen.has_class("-empty"))
        yield pilot, screen


def cells(screen: FindingsScreen) -> dict[str, list[str]]:
    table = screen.table
    return {str(key.value): [str(text) for text in table.get_row(key)[1:]] for key in table.rows}


def runs(project: Path) -> list[RunFolder]:
    return [RunFolder(path) for path in sorted((project / "runs").iterdir())]


def test_a_suggestion_stands_in_brackets_and_what_a_person_said_does_not(project: Path) -> None:
    async def story() -> None:
        async with opened(project) as (pilot, screen):
            rows = cells(screen)
            first, second = rows[COLOUR]
            assert first == "~ partly ≠ (✓ learned)\n23/24, base 1/24"
            assert second == "(✓ learned)\n23/24, base 1/24"
            (evil,) = [name for name in rows if "evil" in name]
            assert rows[evil] == ["✗ not shown\nno pictures named", "·"]
            assert "\x1b" not in evil and "[red]" in evil
            about = str(screen.about.query_one(Static).content)
            assert "~ partly" in about and "suggested: ✓ learned" in about and "only at the rim [b]" in about
            assert "23/24 (80–99 %), base 1/24 (1–20 %)" in about and "do not say the same" in about
            assert "accepted by nobody yet" in str(screen.query_one("#foot", Static).content)
            await pilot.press("l")
            assert screen.run_path == runs(project)[1].path
            assert "nobody has said anything yet" in str(screen.about.query_one(Static).content)

    run(story())


def test_enter_tells_all_of_a_cell_and_leads_to_its_run(project: Path) -> None:
    async def story() -> None:
        async with opened(project) as (pilot, screen):
            await pilot.press("enter")
            dialog = await until(pilot, lambda: isinstance(pilot.app.screen, FindingDialog) and pilot.app.screen)
            words = str(dialog.query_one("VerticalScroll Static", Static).content)
            assert "only at the rim [b]" in words and "only with the LoRA 22" in words
            await pilot.press("enter")  # the answer that is ready is to stay
            await until(pilot, lambda: pilot.app.screen is screen)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, FindingDialog))
            await pilot.press("o")
            page = await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen)
            assert page.run_folder == runs(project)[0]
            await pilot.press("F")
            await until(pilot, lambda: pilot.app.screen is screen)

    run(story())


def test_rows_and_columns_are_sorted_and_the_cursor_stays_on_its_cell(project: Path) -> None:
    async def story() -> None:
        async with opened(project) as (pilot, screen):
            await pilot.press("l")
            assert next(iter(cells(screen))) == COLOUR
            await pilot.press("s")
            assert "by feature" in str(screen.table.border_subtitle)
            assert list(cells(screen)) == sorted(cells(screen), key=str.casefold)
            await pilot.press("S")
            assert list(cells(screen)) == sorted(cells(screen), key=str.casefold, reverse=True)
            assert screen.run_path == runs(project)[1].path
            assert screen.selected is not None and screen.selected.feature == COLOUR
            before = [str(key.value) for key in screen.table.columns]
            await pilot.press("s", "s", "s", "S")
            assert "by run" in str(screen.table.border_subtitle)
            assert [str(key.value) for key in screen.table.columns] == [before[0], *reversed(before[1:])]

    run(story())


def test_the_table_is_written_where_one_says_and_replaces_nothing_unasked(project: Path) -> None:
    async def export(pilot: Pilot[int], kind: str) -> None:
        await pilot.press("E")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose))
        await pilot.press(*{"md": "mark", "csv": "csv"}[kind], "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Ask))
        assert pilot.app.screen.query_one(Input).value == str(project / f"findings.{kind}")
        await pilot.press("enter")

    async def story() -> None:
        async with opened(project) as (pilot, screen):
            await export(pilot, "csv")
            file = project / "findings.csv"
            await until(pilot, file.exists)
            assert file.read_text(encoding="utf-8").startswith("feature,run,verdict")
            file.write_text("mine", encoding="utf-8")
            await export(pilot, "csv")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await pilot.press("enter")
            await until(pilot, lambda: pilot.app.screen is screen)
            assert file.read_text(encoding="utf-8") == "mine"
            await export(pilot, "md")
            await until(pilot, lambda: (project / "findings.md").exists())
            assert "suggested: ✓ learned" in (project / "findings.md").read_text(encoding="utf-8")

    run(story())


def test_a_project_without_findings_says_how_to_come_by_some(tmp_path: Path) -> None:
    folder = write_bare_project(tmp_path / "bare", 'question = "What?"\n', "circle.png")

    async def words() -> str:
        async with opened(folder) as (_, screen):
            assert not screen.check_action("export", ()) and not screen.check_action("open", ())
            return str(screen.query_one("#empty", Static).content)

    assert "R on Projects or Settings starts one" in run(words())
    finish(freeze_run(folder))
    assert "n on a picture writes down what you see" in run(words())


def test_readonly_shows_the_table_and_writes_nothing(project: Path) -> None:
    async def story() -> None:
        async with opened(project, readonly=True) as (pilot, screen):
            assert not screen.check_action("export", ()) and screen.check_action("open", ())
            await pilot.press("E")
            assert pilot.app.screen is screen

    run(story())
