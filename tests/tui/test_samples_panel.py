"""The grid of samples: base beside LoRA, a slider through the steps, one repaint a page, and a live run followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from loratui.lab.pictures.gallery import Spot, Where
from loratui.lab.run.runs import RunFolder
from loratui.tui.pixels import Pixels
from loratui.tui.places import Place
from loratui.tui.widgets.band import Band
from loratui.tui.widgets.samples import SamplesPanel
from tests.pictures import colour, draw_sample, file_of, places, sampled_run
from tests.tui.conftest import run, until

STEPS, SEEDS = (75, 150, 225), (1, 2, 3, 4)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("loratui.tui.widgets.samples.PIXELS", Pixels())


@pytest.fixture
def sampled(tmp_path: Path) -> RunFolder:
    return sampled_run(tmp_path, places(STEPS, SEEDS, lengths=(1, 25)))


class SamplesApp(App[None]):
    def __init__(self, sampled: RunFolder, measures: Callable[[Path], str] | None = None) -> None:
        super().__init__()
        self.panel = SamplesPanel(sampled)
        self.panel.measures = measures
        self.went: list[Place] = []
        self.chosen: list[Path | None] = []

    def compose(self) -> ComposeResult:
        yield self.panel

    def go(self, place: Place) -> None:
        self.went.append(place)

    def on_samples_panel_chosen(self, event: SamplesPanel.Chosen) -> None:
        self.chosen.append(event.path)


def text(panel: SamplesPanel) -> str:
    """All that the panel says."""
    lines = [panel._top_line(0).text, *(panel._grid._line(y).text for y in range(panel._grid.size.height))]
    return "\n".join([*lines, panel._foot_line(0).text])


def cell_colour(panel: SamplesPanel, where: Where) -> tuple[int, ...] | None:
    """The colour on the screen where the picture of this place stands."""
    plan = panel._plan
    slot = plan.slot_of(where) if plan else None
    if plan is None or slot is None:
        return None
    x, y = slot.x + plan.layout.columns // 2, slot.y + plan.layout.rows // 2
    strip = panel._grid._line(y).crop(x, x + 1)
    style = next(iter(strip)).style
    return tuple(style.bgcolor.triplet) if style and style.bgcolor and style.bgcolor.triplet else None


async def ready(pilot: Pilot[Any], panel: SamplesPanel) -> None:
    """Until every picture of the page is decoded and painted, with the size that suits them."""

    def done() -> bool:
        view, plan, chosen = panel._grid.view, panel._plan, panel.state.chosen
        return (
            view is not None
            and plan is not None
            and chosen is not None
            and plan.step == chosen.step
            and all(drawn is not None for drawn in view.drawn.values())
            and panel.state.inference_steps in panel._costs
            and not [worker for worker in panel.app.workers if worker.group.startswith("samples") and worker.is_running]
        )

    await until(pilot, done)


def test_base_and_lora_stand_beside_each_other_for_each_seed(sampled: RunFolder) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            plan = app.panel._plan
            assert plan is not None
            for seed in SEEDS:
                lora = Where(Spot(0, 25, seed), 1.0, 225)
                base = replace(lora, scale=None)
                assert cell_colour(app.panel, lora) == colour(lora)
                assert cell_colour(app.panel, base) == colour(base)
                left, right = plan.slot_of(base), plan.slot_of(lora)
                assert left is not None
                assert right is not None
                assert (left.y, left.x + plan.layout.columns + 1) == (right.y, right.x)
            words = text(app.panel)
            assert "a red circle" in words
            assert "seed 4 · base" in words
            assert "LoRA" in words
            assert "step 225" in words
            assert "3 of 3 · newest · 25 inference steps" in words
            assert app.panel.selected == file_of(sampled, Where(Spot(0, 25, 1), 1.0, 225))

    run(story())


def test_the_slider_goes_through_the_steps_and_stays_where_it_was_put(sampled: RunFolder) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            app.panel.focus()
            here = Where(Spot(0, 25, 1), 1.0, 225)
            for key, step in ((",", 150), ("<", 75), ("comma", 75), (".", 150), ("home", 75), ("end", 225)):
                await pilot.press({",": "comma", "<": "less_than_sign", ".": "full_stop"}.get(key, key))
                await ready(pilot, app.panel)
                assert app.panel.state.chosen == replace(here, step=step)
                assert cell_colour(app.panel, replace(here, step=step)) == colour(replace(here, step=step))
            await pilot.press("comma")
            draw_sample(sampled, replace(here, step=300))
            app.panel.refresh_samples()
            await until(pilot, lambda: app.panel.gallery.steps[-1] == 300)
            await ready(pilot, app.panel)
            assert app.panel.state.chosen == replace(here, step=150), "the slider was moved"
            await pilot.press("end")
            app.panel.gallery._own = 1  # prompts of the run itself, as its record would say
            draw_sample(sampled, replace(here, step=375))
            app.panel.refresh_samples()
            await until(pilot, lambda: app.panel.state.chosen == replace(here, step=375))
            await ready(pilot, app.panel)
            assert "not drawn" in text(app.panel), "the other seeds of a step that is being drawn"

    run(story())


def test_pictures_are_walked_and_opened(sampled: RunFolder) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            app.panel.focus()
            for key, where in (
                ("right", Where(Spot(0, 25, 2), None, 225)),
                ("l", Where(Spot(0, 25, 2), 1.0, 225)),
                ("h", Where(Spot(0, 25, 2), None, 225)),
                ("left", Where(Spot(0, 25, 1), 1.0, 225)),
                ("left", Where(Spot(0, 25, 1), None, 225)),
                ("left", Where(Spot(0, 25, 1), None, 225)),
            ):
                await pilot.press(key)
                assert app.panel.state.chosen == where
            await pilot.press("enter")
            path = file_of(sampled, Where(Spot(0, 25, 1), None, 225))
            assert app.went == [Place("picture", sampled.project_folder, (sampled.path,), path)]
            await until(pilot, lambda: app.chosen[-1] == path)
            assert file_of(sampled, Where(Spot(0, 25, 2), 1.0, 225)) in app.chosen

    run(story())


def test_pages_turn_without_a_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = sampled_run(tmp_path, places((75, 150), range(1, 25), prompts=2))
    layouts = []
    refresh_layout = Screen._refresh_layout

    def counted(self: Screen[Any], *args: Any, **options: Any) -> None:
        layouts.append(self)
        refresh_layout(self, *args, **options)

    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(80, 24)) as pilot:
            panel = app.panel
            await ready(pilot, panel)
            panel.focus()
            plan = panel._plan
            assert plan is not None
            pages = len(plan.layout.pages)
            assert pages > 2
            assert f"page 1 of {pages}" in text(panel)
            monkeypatch.setattr(Screen, "_refresh_layout", counted)
            seen = set()
            for number in range(pages):
                await ready(pilot, panel)
                shown = panel._plan
                assert shown is not None
                assert shown.number == number
                seen |= {(shown.where[slot].spot, shown.where[slot].scale) for slot in shown.page.slots}
                await pilot.press("pagedown")
            assert len(seen) == 2 * 24 * 2
            assert "continued" in text(panel) or "a green square" in text(panel)
            await pilot.press("pageup", "comma")
            await ready(pilot, panel)
            assert layouts == []

    run(story())


def test_a_page_is_sixty_kilobytes_at_most_however_busy(tmp_path: Path) -> None:
    from PIL import Image

    sampled = sampled_run(tmp_path, places((75,), range(1, 9)))
    for path in sampled.samples.rglob("*.png"):
        Image.merge("RGB", [Image.effect_noise((64, 64), 90) for _ in range(3)]).save(path)

    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(120, 40)) as pilot:
            await ready(pilot, app.panel)
            console = Console(color_system="truecolor", force_terminal=True)
            grid = app.panel._grid
            size = sum(len(grid._line(y).render(console).encode()) for y in range(grid.size.height))
            assert size <= 60_000
            assert len(app.panel._plan.page.slots if app.panel._plan else ()) >= 4

    run(story())


def test_flipping_shows_the_twin_in_place(sampled: RunFolder) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            app.panel.focus()
            lora = Where(Spot(0, 25, 1), 1.0, 225)
            base = replace(lora, scale=None)
            await pilot.press("b")
            await until(pilot, lambda: cell_colour(app.panel, lora) == colour(base))
            assert "⇄ base" in text(app.panel)
            await pilot.press("b")
            await until(pilot, lambda: cell_colour(app.panel, lora) == colour(lora))
            await pilot.press("b")
            await until(pilot, lambda: "⇄ base" in text(app.panel))
            await pilot.press("left")
            await until(pilot, lambda: cell_colour(app.panel, lora) == colour(lora))
            assert "⇄" not in text(app.panel)

    run(story())


def test_another_length_of_denoising_is_a_key_away(sampled: RunFolder) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            app.panel.focus()
            await pilot.press("right", "right", "i")
            await ready(pilot, app.panel)
            assert app.panel.state.chosen == Where(Spot(0, 1, 2), 1.0, 225)
            assert "1 inference step" in text(app.panel)
            await pilot.press("i")
            assert app.panel.state.chosen == Where(Spot(0, 25, 2), 1.0, 225)

    run(story())


def test_the_mouse_chooses_opens_and_slides(sampled: RunFolder) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            panel = app.panel
            await ready(pilot, panel)
            where = Where(Spot(0, 25, 3), 1.0, 225)
            slot = panel._plan.slot_of(where) if panel._plan else None
            assert slot is not None
            at = (slot.x + 2, slot.y + 3)
            await pilot.click(offset=at)
            assert panel.state.chosen == where
            assert app.went == []
            await pilot.click(offset=at)
            assert [place.picture for place in app.went] == [file_of(sampled, where)]
            start, end = panel._slider._span
            assert end > start
            await pilot.click(offset=(start, 0))
            assert panel.state.chosen == replace(where, step=75)
            assert not panel.state.following

    run(story())


def test_moving_the_frame_paints_no_picture(sampled: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            app.panel.focus()
            await pilot.pause()
            painted: list[Any] = []
            refresh = Band.refresh
            monkeypatch.setattr(Band, "refresh", lambda self, *r, **o: painted.extend(r) or refresh(self, *r, **o))
            before = app.panel._slot
            await pilot.press("right")
            view = app.panel._grid.view
            assert view is not None
            assert before != app.panel._slot
            assert sum(region.area for region in painted) < 2 * (view.columns + 2 * view.rows) + 10

    run(story())


def test_a_slider_step_leaves_the_base_pictures_alone(sampled: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            app.panel.focus()
            painted: list[Any] = []
            changed = Band.changed
            monkeypatch.setattr(Band, "changed", lambda self, *r: painted.append(r) or changed(self, *r))
            await pilot.press("comma")
            await ready(pilot, app.panel)
            view, plan = app.panel._grid.view, app.panel._plan
            assert view is not None
            assert plan is not None
            assert () not in painted, "all was painted"
            regions = {(region.x, region.y) for call in painted for region in call}
            for slot in view.page.slots:
                assert ((slot.x, slot.y) in regions) == (plan.where[slot].scale is not None)

    run(story())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (300, 80), (40, 8)])
def test_any_size_shows_something(sampled: RunFolder, size: tuple[int, int]) -> None:
    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=size) as pilot:
            await ready(pilot, app.panel)
            view = app.panel._grid.view
            assert view is not None
            assert len(view.page.slots) >= 2
            assert "step 225" in text(app.panel)
            await pilot.resize_terminal(64, 20)
            await until(pilot, lambda: app.panel._grid.size.width == 64)
            await ready(pilot, app.panel)
            assert all(slot.x + app.panel._grid.view.columns < 64 for slot in app.panel._grid.view.page.slots)

    run(story())


def test_no_samples_are_words_and_the_first_ones_appear(tmp_path: Path) -> None:
    sampled = RunFolder(tmp_path / "shapes" / "runs" / "20260101-000000-shapes-0000")
    sampled.path.mkdir(parents=True)

    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "No samples yet." in text(app.panel))
            assert app.panel.selected is None
            app.panel.focus()
            await pilot.press("right", "comma", "enter", "b", "i", "pagedown", "end")
            draw_sample(sampled, Where(Spot(0, 25, 1), None, 0))
            app.panel.refresh_samples()
            await ready(pilot, app.panel)
            assert "base model only" in text(app.panel)
            first = Where(Spot(0, 25, 1), 1.0, 75)
            draw_sample(sampled, first)
            app.panel.refresh_samples()
            await until(pilot, lambda: app.panel.state.chosen == first)

    run(story())


def test_broken_and_hostile_files_hurt_nobody(sampled: RunFolder) -> None:
    draw_sample(sampled, Where(Spot(5, 25, 1), 1.0, 225), prompt="[red]\x1b[2J‮evil\n" + "x" * 5000)
    file_of(sampled, Where(Spot(0, 25, 1), 1.0, 225)).write_bytes(b"not a picture")
    file_of(sampled, Where(Spot(0, 25, 2), 1.0, 225)).write_bytes(b"")
    (sampled.samples / "step-000225" / os.fsdecode(b"\xff[red].png")).touch()

    async def story() -> None:
        app = SamplesApp(sampled)
        async with app.run_test(size=(100, 40)) as pilot:
            await ready(pilot, app.panel)
            words = text(app.panel)
            assert words.count("✗ broken") == 2
            assert "[red]␛[2J<U+202E>evil␊x" in words
            assert "\x1b" not in words
            app.panel.focus()
            await pilot.press("comma", "full_stop", "b", "right")
            await ready(pilot, app.panel)

    run(story())


def test_measures_have_a_row_below_each_picture(sampled: RunFolder) -> None:
    async def story() -> None:
        app = SamplesApp(sampled, lambda path: f"grey ✓ {path.parent.name[-3:]}")
        async with app.run_test(size=(100, 30)) as pilot:
            await ready(pilot, app.panel)
            assert text(app.panel).count("grey ✓ 225") == 4
            assert text(app.panel).count("grey ✓ ase") == 4

    run(story())


def test_a_real_run_shows_its_prompts_and_what_is_expected(shelf: Path) -> None:
    from loratui.lab.run.runs import list_runs

    trained = list_runs(shelf / "shapes")[0]

    async def story() -> None:
        app = SamplesApp(trained)
        async with app.run_test(size=(120, 40)) as pilot:
            await ready(pilot, app.panel)
            words = text(app.panel)
            assert "myshape  expected: colour gray · shape circle" in words
            assert "circle" in words
            assert "step 6" in words
            assert app.panel.gallery.steps == (3, 6)

    run(story())
