"""A picture says what is measured in it and whether that was expected, and shows what a measure looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from textual.pilot import Pilot

from loratui.lab.preferences import Preferences
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.readings import Readings
from loratui.tui.app import BenchApp
from loratui.tui.places import Place
from loratui.tui.screens.picture import PictureScreen
from tests.tui.conftest import run, until
from tests.tui.fixedshelf import FINISHED, fixed_shelf
from tests.tui.test_scores_panel import measure


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sample of a measured run: a grey disc on white."""
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    one = RunFolder(fixed_shelf(tmp_path / "projects") / "shapes" / "runs" / FINISHED)
    path = one.samples / "step-000150" / "p00-seed1-steps25-scale1.png"
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).ellipse((16, 16, 48, 48), fill=(128, 128, 128))
    image.save(path)
    measure(one)
    return path


async def opened(pilot: Pilot[Any]) -> PictureScreen:
    screen = await until(pilot, lambda: pilot.app.screen if isinstance(pilot.app.screen, PictureScreen) else None)
    assert isinstance(screen, PictureScreen)
    return screen


def bench(path: Path, **options: Any) -> BenchApp:
    one = RunFolder(path.parents[2])
    place = Place("picture", one.project_folder, (one.path,), path)
    return BenchApp(one.project_folder.parent, preferences=Preferences(), start=place, **options)


def words(screen: PictureScreen) -> str:
    return " ".join(screen.facts.text.split())


def test_the_measures_stand_beside_the_picture_with_the_answer_to_what_was_expected(picture: Path) -> None:
    Readings(RunFolder(picture.parents[2])).of(picture)

    async def story() -> None:
        app = bench(picture)
        async with app.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            await until(pilot, lambda: "sure" in words(screen))
            told = words(screen)
            assert "colour ✓ gray · sure" in told
            assert "shape ✓ circle · sure" in told
            assert "count 1 · sure" in told
            await pilot.press("right")
            await until(pilot, lambda: "measures not measured; m measures it" in words(screen))
            assert "shape ? uncertain: shape circle" in words(screen), "counted, and its reading is gone"

    run(story())


def test_m_shows_what_a_measure_looked_at_and_goes_on_to_the_next_and_back(picture: Path, tmp_path: Path) -> None:
    async def story() -> None:
        app = bench(picture, readonly=True)
        async with app.run_test(size=(80, 24)) as pilot:
            screen = await opened(pilot)
            await until(pilot, lambda: "not measured" in words(screen))
            await pilot.press("m")
            masked = await until(pilot, lambda: screen.picture.path if screen.picture.path != picture else None, 120)
            assert masked.is_relative_to(tmp_path / "cache")
            await until(pilot, lambda: "what colour looked at" in str(screen.picture.border_subtitle))
            assert "colour ✓ gray · sure" in words(screen)
            order = []
            while screen.masked:
                order.append(screen.masked)
                await pilot.press("m")
            assert order[:2] == ["colour", "shape"], "first what something was expected of"
            assert "background" in order
            assert screen.picture.path == picture
            assert not (picture.parents[2] / "readings.jsonl").exists(), "looking writes nothing into the run"

    run(story())
