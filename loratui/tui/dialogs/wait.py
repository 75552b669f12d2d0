"""Long work with its progress, and a way out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from textual import work
from textual.app import ComposeResult
from textual.widgets import Static

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled, Progress
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line

T = TypeVar("T")
SHOWN_EVERY = 0.2  # seconds


class Wait(Dialog[T], Generic[T]):
    """Runs `work(progress)` in a thread and answers with its result; None when it was cancelled or failed.

    A failure is told as a message. What the work did until it was cancelled stays.
    """

    def __init__(self, title: str, work: Callable[[Progress], T]) -> None:
        super().__init__(title)
        self._work = work
        self._over = False
        self._at = (0, 0)

    def content(self) -> ComposeResult:
        yield Static("starting…", id="progress", markup=False)

    def on_mount(self) -> None:
        self.set_interval(SHOWN_EVERY, self._show)
        self._go()

    def _show(self) -> None:
        done, total = self._at
        if total:
            width = 40
            full = min(width, width * done // total)
            text = f"{'█' * full}{'░' * (width - full)} {done:,} of {total:,}"
        else:
            text = f"{done:,} done" if done else "working…"
        shown = self.query_one("#progress", Static)
        if shown.content != line(text):
            shown.update(line(text))

    def _progress(self, done: int, total: int) -> None:
        self._at = (done, total)
        if self._over or getattr(self.app, "leaving", False):
            raise Cancelled

    @work(exit_on_error=False)
    async def _go(self) -> None:
        try:
            result = await asyncio.get_running_loop().run_in_executor(None, self._work, self._progress)
        except (LabError, OSError, Cancelled) as error:
            fail = getattr(self.app, "fail", None)
            if fail is not None and not self._over:
                fail(error)
            if not self._over:
                self.dismiss(None)
            return
        if not self._over:
            self.dismiss(result)

    def action_cancel(self) -> None:
        self._over = True
        self.dismiss(None)
