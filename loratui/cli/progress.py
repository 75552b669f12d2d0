"""How far long work is, for people: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loratui.cli.output import say
from loratui.lab.patience import Progress
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

_TOLD_EVERY = 5.0  # seconds, where nobody can see a line change
Waiting = Callable[[int, str], None]


@contextmanager
def telling(console: Console, what: str, things: str) -> Iterator[tuple[Progress, Waiting]]:
    """Two functions to hand to the work: its progress ("drawn 3 of 8 pictures, 10 s left"), and its place in the
    queue for the device."""
    from rich.text import Text

    first: list[tuple[float, int]] = []  # when the first thing was done: before, the model was loaded
    told = [time.monotonic()]
    status = console.status(Text("getting ready")) if console.is_terminal else None

    def show(line: str, now: bool = False) -> None:
        if status is not None:
            status.update(Text(line))
        elif now or time.monotonic() - told[0] >= _TOLD_EVERY:
            told[0] = time.monotonic()
            say(console, [line])

    def progress(done: int, total: int) -> None:
        from loratui.lab.run.story import duration

        if not total:
            return
        if done and not first:
            first.append((time.monotonic(), done))
        left = ""
        if first and first[0][1] < done < total:
            each = (time.monotonic() - first[0][0]) / (done - first[0][1])
            left = f", {duration(each * (total - done))} left"
        show(f"{what} {done} of {total} {things}{left}", now=done == total)

    def waiting(ahead: int, holder: str) -> None:
        show(f"waiting for the device behind {ahead}: {plain(holder, 100)}", now=True)

    if status is None:
        yield progress, waiting
    else:
        with status:
            yield progress, waiting
