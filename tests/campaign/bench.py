"""A look at the bench without a terminal: it opens at a place, a few keys are pressed, and it is left.

Whatever it raises ends the child with a traceback, as it would end the bench.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

WORD = "bench"  # in place of a verb: bench SCREEN FOLDER [RUN …]
_KEYS = ("down", "down", "enter", "escape", "tab", "right", "end", "f1", "escape")  # none that writes into a caption
_STILL = 0.15  # seconds in which no reader is at work any more
_PATIENCE = 6.0


def look(words: list[str]) -> int:
    """The exit code: 0 when it opened and was left."""
    screen, folder, *runs = words
    return asyncio.run(_visit(screen, Path(folder).absolute(), [Path(run).absolute() for run in runs]))


async def _visit(screen: str, folder: Path, runs: list[Path]) -> int:
    from loratui.tui.app import BenchApp
    from loratui.tui.places import Place

    place = Place(screen, folder, tuple(runs)) if screen != "projects" else None
    app = BenchApp(folder.parent, start=place)
    async with app.run_test(size=(120, 40)) as pilot:
        await _settled(pilot)
        for key in _KEYS:
            await pilot.press(key)
            await _settled(pilot, 0.02)
    return app.return_code or 0


async def _settled(pilot: object, still: float = _STILL) -> None:
    deadline, quiet = time.monotonic() + _PATIENCE, time.monotonic()
    app = pilot.app  # type: ignore[attr-defined]
    while time.monotonic() - quiet < still and time.monotonic() < deadline:
        await pilot.pause()  # type: ignore[attr-defined]
        if any(not worker.is_finished for worker in app.workers):
            quiet = time.monotonic()
        await asyncio.sleep(0.01)
