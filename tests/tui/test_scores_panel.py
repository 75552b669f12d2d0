"""What a run learned, on its page: with n, interval and the base's beside it, and a way from numbers to pictures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from loratui.lab.notes.observations import read_observations
from loratui.lab.preferences import Preferences
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.accepting import ACCEPTED
from loratui.lab.scores.scores import ALL, Mean, Place, RunScores, Score, scores_file, write_scores
from loratui.lab.scores.scoring import signature
from loratui.lab.scores.statistics import Change, Rate, mcnemar, suggest
from loratui.tui.app import BenchApp
from loratui.tui.dialogs.note import NoteDialog, VerdictRow
from loratui.tui.dialogs.seeds import SeedsDialog
from loratui.tui.places import Place as Spot
from loratui.tui.screens.picture import PictureScreen
from loratui.tui.screens.run import RunScreen
from loratui.tui.widgets.expectcurve import ExpectCurve, Noise, points_of
from loratui.tui.widgets.scoreslist import ScoresList
from tests.tui.conftest import run, runs_of, until
from tests.tui.fixedshelf import FINISHED, VARIED, fixed_shelf

SEEDS = (1, 2, 3)
HERE = Place(0, "myshape", 25, 1.0, 150)
Check = Callable[[BenchApp, RunScreen, Pilot[int]], Awaitable[None]]


def score(step: int, name: str, wanted: object, base: tuple[bool | None, ...], lora: tuple[bool | None, ...]) -> Score:
    b, x = (Rate(s.count(True), s.count(True) + s.count(False), s.count(None)) for s in (base, lora))
    sure = [pair for pair in zip(base, lora, strict=True) if None not in pair]
    paired = mcnemar([bool(one) for one, _ in sure], [bool(one) for _, one in sure])
    place = Place(0, "myshape", 25, 1.0, step)
    return Score(place, name, wanted, b, x, paired, suggest(b, x, paired), SEEDS, base, lora)


def measure(one: RunFolder, sign: str = "") -> RunScores:
    """Numbers for a run, written by hand; with the run's own signature they count all that there is."""
    none = (False, False, False)
    told = RunScores(
        one.id,
        sign or signature(one),
        scores=(
            score(75, "colour", "gray", none, (False, False, True)),
            score(75, "shape", "circle", none, none),
            score(150, "colour", "gray", none, (True, True, True)),
            score(150, "shape", "circle", none, (True, None, False)),
            score(150, ALL, None, none, (True, None, False)),
        ),
        means=(
            Mean(Place(0, "myshape", 25, 1.0, 150), "coverage", 3, 0.25, 0.5, Change(3, 0.25, 0.1, 0.4, 0.25), None),
        ),
    )
    write_scores(one, told)
    return told


@pytest.fixture
def measured(tmp_path: Path) -> RunFolder:
    one = RunFolder(fixed_shelf(tmp_path / "projects") / "shapes" / "runs" / FINISHED)
    measure(one)
    return one


def on_page(one: RunFolder, check: Check, *, size: tuple[int, int] = (120, 40), readonly: bool = False) -> None:
    """Open the page of a run, go to what it learned, and look."""

    async def open_page() -> None:
        place = Spot("run", one.project_folder, (one.path,))
        app = BenchApp(one.project_folder.parent, readonly=readonly, preferences=Preferences(), start=place)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.facts.siblings)
            screen = app.screen
            assert isinstance(screen, RunScreen)
            await until(pilot, lambda: screen._known is not None and screen.learned._known)
            await pilot.press("6")
            await until(pilot, lambda: screen.learned.region.area > 0 and screen.learned.has_focus_within)
            await check(app, screen, pilot)

    run(open_page())


def rows_of(screen: RunScreen) -> list[str]:
    """The table as it is read, without its header."""
    table = screen.learned.table
    return ["".join(s.text for s in table.draw(row, table.room.width)).rstrip() for row in range(table.count)]


def offered(screen: RunScreen) -> set[str]:
    return {active.binding.id or "" for active in screen.active_bindings.values() if active.enabled}


def why(screen: RunScreen) -> str:
    return str(screen.learned.query_one("#why").content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_every_number_stands_beside_the_bases_with_its_n_and_interval(
    measured: RunFolder, size: tuple[int, int]
) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        heading, colour, shape, everything, _, coverage = rows_of(screen)
        assert heading == "myshape · at step 150"
        base = "0/3 0–56 %" if size[0] == 80 else "0/3"  # the line below tells it in any case
        assert " ".join(colour.split()) == f"colour gray {base} 3/3 44–100 % … too few pictures"
        assert "1/2" in shape, "what is uncertain counts in neither number"
        assert everything.strip().startswith("all of them")
        assert "0.25" in coverage and "0.5" in coverage and "3 pairs" in coverage
        assert "3/3 (44–100 %) with the LoRA, 0/3 (0–56 %) without" in why(screen)
        assert "Of 3 seeds sure in both: 3 only with the LoRA, 0 only without." in why(screen)
        drawn = screen.learned.query_one("ExpectCurve").text  # type: ignore[attr-defined]
        assert "LoRA 3/3 at step 150" in drawn and "base 0/3" in drawn
        assert drawn.count("●") == 3, "one in the legend, and one for each checkpoint"
        assert "0 of 2 expectations learned: 6 says how sure" in screen.state_line.words
        await pilot.press("1")
        await until(pilot, lambda: screen.chart.region.area > 0 and screen.learned.region.area == 0)

    on_page(measured, look, size=size)


def test_earlier_checkpoints_are_looked_at_with_comma_and_the_cursor_keeps_its_row(measured: RunFolder) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("j")
        assert "shape" in rows_of(screen)[screen.learned.table.cursor]
        await pilot.press("comma")
        await pilot.pause()
        assert rows_of(screen)[0] == "myshape · at step 75"
        assert "shape" in rows_of(screen)[screen.learned.table.cursor]
        assert "step 75, 1 of 2" in str(screen.learned.query_one("#told").content)  # type: ignore[attr-defined]
        await pilot.press("full_stop")
        assert screen.learned.step is None, "on the last one it follows the run"

    on_page(measured, look)


def test_a_suggestion_is_written_down_only_when_it_is_saved_and_says_whose_it_is(measured: RunFolder) -> None:
    before = measured.observations_file.read_bytes()

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("a")
        dialog = await until(pilot, lambda: app.screen if isinstance(app.screen, NoteDialog) else None)
        assert dialog.draft().feature == "colour gray · myshape"
        assert dialog.draft().verdict == "uncertain"
        assert "too few to tell" in dialog.draft().note
        assert len(dialog.pictures) == 3
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert measured.observations_file.read_bytes() == before, "nothing is asked, for nothing is lost"

        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, NoteDialog))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, NoteDialog))
        app.screen.query_one(VerdictRow).choose("learned")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is screen and len(screen.notes.observations) == 5)

    on_page(measured, look)
    *_, accepted, changed = read_observations(measured)
    assert (accepted.by, accepted.verdict, accepted.step) == (ACCEPTED, "uncertain", 150)
    assert (changed.by, changed.verdict) == ("person", "learned")
    assert accepted.pictures == changed.pictures


def test_enter_shows_which_seeds_show_it_and_enter_again_the_picture(measured: RunFolder) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("j", "enter")
        dialog = await until(pilot, lambda: app.screen if isinstance(app.screen, SeedsDialog) else None)
        lines = ["".join(s.text for s in dialog.grid.render_line(y)).split() for y in range(3)]
        assert lines == [["seed", "1", "2", "3"], ["base", "✗", "✗", "✗"], ["LoRA", "✓", "?", "✗"]]
        await pilot.press("f")
        assert dialog.grid.at == 1, "the next in which base and LoRA differ"
        await pilot.press("enter")
        picture = await until(pilot, lambda: app.screen if isinstance(app.screen, PictureScreen) else None)
        assert picture.path == measured.samples / "step-000150" / "p00-seed2-steps25-scale1.png"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("comma", "o")
        await until(pilot, lambda: screen.samples.has_focus)
        chosen = screen.samples.state.chosen
        assert chosen is not None and (chosen.step, chosen.spot.seed) == (75, 1)

    on_page(measured, look)


def test_n_on_a_row_is_a_note_of_ones_own_about_it(measured: RunFolder) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("n")
        dialog = await until(pilot, lambda: app.screen if isinstance(app.screen, NoteDialog) else None)
        assert (dialog.draft().note, dialog.draft().verdict) == ("", "")
        await pilot.press(*"grey", "ctrl+s")
        await until(pilot, lambda: app.screen is screen)

    on_page(measured, look)
    mine = read_observations(measured)[-1]
    assert (mine.note, mine.feature, mine.step, mine.by) == ("grey", "colour gray · myshape", 150, "person")


def test_under_each_sample_stands_what_it_shows(measured: RunFolder) -> None:
    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        path = measured.samples / "step-000150" / "p00-seed2-steps25-scale1.png"
        await until(pilot, lambda: screen.samples.measures and screen.samples.picture_columns)
        assert screen._answers_below(path).endswith("?")

    on_page(measured, look)


def test_the_next_runs_page_begins_with_what_that_one_learned(measured: RunFolder) -> None:
    other = RunFolder(measured.project_folder / "runs" / VARIED)

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        await pilot.press("right_square_bracket")
        there = await until(pilot, lambda: app.screen if app.screen.place.runs == (other.path,) else None)  # type: ignore[attr-defined]
        await until(pilot, lambda: there.learned._known and there.learned.has_focus_within)
        assert "not measured yet" in there.learned.table.words
        assert "Press M" in there.learned.table.words

    on_page(measured, look)


def test_a_damaged_file_and_one_of_other_pictures_say_which_key_helps(measured: RunFolder) -> None:
    old = measure(measured, sign="of yesterday")

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        assert "M measures" in str(screen.learned.query_one("#told").content)  # type: ignore[attr-defined]
        assert "scores.measure" in offered(screen)
        write_scores(measured, replace(old, signature=signature(measured)))
        await until(pilot, lambda: "scores.measure" not in offered(screen))
        scores_file(measured).write_text("{")
        await until(pilot, lambda: screen.learned.read.problem)
        assert "scores.json" in screen.learned.table.words and "Press M" in screen.learned.table.words

    on_page(measured, look)


def test_in_readonly_nothing_is_accepted_and_nothing_measured(measured: RunFolder) -> None:
    measure(measured, sign="of yesterday")

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        before = {path: path.stat().st_mtime_ns for path in measured.path.rglob("*")}
        assert offered(screen).isdisjoint({"scores.accept", "scores.note", "scores.measure"})
        await pilot.press(*"anM")
        await pilot.pause()
        assert app.screen is screen
        assert {path: path.stat().st_mtime_ns for path in measured.path.rglob("*")} == before

    on_page(measured, look, readonly=True)


def test_m_has_the_pictures_measured_by_another_process(shelf: Path) -> None:
    one = runs_of(shelf / "shapes")[0]
    for name in ("scores.json", "readings.jsonl"):
        (one.path / name).unlink(missing_ok=True)

    async def look(app: BenchApp, screen: RunScreen, pilot: Pilot[int]) -> None:
        assert "not measured yet" in screen.learned.table.words
        await pilot.press("M")
        await until(pilot, lambda: "measuring" in screen.learned.table.words)
        assert "scores.leave_off" in offered(screen)
        await until(pilot, lambda: screen.learned.scores is not None, 120)
        assert isinstance(screen.focused, ScoresList)
        assert "colour gray" in "\n".join(rows_of(screen))
        assert offered(screen).isdisjoint({"scores.measure", "scores.leave_off"})

    on_page(one, look)


def test_behind_the_curve_stands_how_much_the_training_seed_alone_does() -> None:
    curve = ExpectCurve()
    points = points_of(measure_only("colour"))
    curve.show(points, last=150, noise=[Noise(75, 10, 60, 3), Noise(150, 70, 100, 3)])
    rows = ["".join(sign for sign, _ in row) for row in curve._draw(80, 12)]
    assert "3 training seeds" in rows[0]
    parts = {part.split(" ")[0] for row in curve._draw(80, 12) for _, part in row}
    assert parts >= {"lora", "band", "base", "noise"}
    curve.show((), words="nothing was sure")
    assert "nothing was sure" in "\n".join("".join(sign for sign, _ in row) for row in curve._draw(80, 12))


def measure_only(name: str) -> list[Score]:
    none = (False, False, False)
    return [score(75, name, "gray", none, (False, False, True)), score(150, name, "gray", none, (True, True, True))]
