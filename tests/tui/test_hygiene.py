"""What the interface's own process imports: never what trains, and before the first paint nothing slow."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.tui.conftest import runs_of
from tests.tui.terminal import Terminal

NEVER = {"torch", "diffusers", "transformers", "peft", "accelerate", "safetensors", "numpy"}
NOT_AT_FIRST = {"PIL", "tokenizers", "tomlkit"}

# The bench as `loratui` starts it, which says what is imported: at its first paint, and when it has ended. What screens
# do in threads waits for that paint, which on a busy machine it might otherwise overtake.
WATCHED = """
import asyncio, json, sys
from pathlib import Path
from textual.screen import Screen
from loratui.tui.screens.base import BenchScreen

file, *arguments = sys.argv[1:]
paint, aside, found, seen = Screen._compositor_refresh, BenchScreen.aside, {}, asyncio.Event()

def modules():
    return sorted({name.partition(".")[0] for name in list(sys.modules)})

def painted(screen):
    paint(screen)
    if getattr(screen, "place", None) is not None and not seen.is_set():
        found["painted"] = modules()
        seen.set()

async def later(screen, function, *args, **kwargs):
    await seen.wait()
    return await aside(screen, function, *args, **kwargs)

Screen._compositor_refresh, BenchScreen.aside = painted, later
from loratui.cli import main
try:
    main(arguments)
finally:
    found["ended"] = modules()
    Path(file).write_text(json.dumps(found))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "watched.py"
    file.write_text(WATCHED, encoding="utf-8")
    return file


def test_a_tour_of_every_screen_imports_nothing_that_trains_and_the_first_paint_nothing_slow(
    script: Path, shelf: Path, tmp_path: Path
) -> None:
    found = tmp_path / "modules.json"
    run = runs_of(shelf / "shapes")[-1].path
    command = [sys.executable, str(script), str(found)]
    with Terminal([*command, str(shelf)], env={"PYTHONPATH": str(Path(__file__).parents[2])}) as terminal:
        terminal.wait_for("finished")  # the list of projects, with the runs of one

        def press(key: str, words: str) -> None:
            since = len(terminal.raw)
            terminal.press(key)
            terminal.wait_for(words, since=since)
            terminal.settle(0.3, 5)  # what a screen reads in threads after its first paint is part of the visit

        press("t", "myshape")
        for key, words in ("s", "rank"), ("r", run.name[-4:]), ("c", "Compare"), ("n", "observations"), (",", "theme"):
            press("g", "Go to")
            press(key, words)
        press("?", "Help")
        terminal.press("escape")
        terminal.settle(0.3, 5)
        terminal.press("ctrl+q")
        assert terminal.wait() == 0, terminal.text()[-2000:]
    imported = json.loads(found.read_text(encoding="utf-8"))
    assert not NEVER & set(imported["ended"])
    assert not (NEVER | NOT_AT_FIRST) & set(imported["painted"])
    assert set(imported["ended"]) >= NOT_AT_FIRST - {"tomlkit"}  # it did look at pictures and captions


@pytest.mark.parametrize("place", ["shapes", "run"])
def test_opened_on_a_project_or_a_run_the_first_paint_imports_nothing_slow_either(
    script: Path, shelf: Path, tmp_path: Path, place: str
) -> None:
    found = tmp_path / "modules.json"
    path = shelf / "shapes" if place == "shapes" else runs_of(shelf / "shapes")[-1].path
    with Terminal(
        [sys.executable, str(script), str(found), str(path)], env={"PYTHONPATH": str(Path(__file__).parents[2])}
    ) as terminal:
        terminal.wait_for("shapes")
        terminal.settle(0.3, 5)
        terminal.press("ctrl+q")
        assert terminal.wait() == 0, terminal.text()[-2000:]
    imported = json.loads(found.read_text(encoding="utf-8"))
    assert not NEVER & set(imported["ended"])
    assert not (NEVER | NOT_AT_FIRST) & set(imported["painted"])
