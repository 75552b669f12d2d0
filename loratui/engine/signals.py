"""Being asked to end: the first time politely, the second time at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Signals:
    """SIGINT, SIGTERM and SIGHUP ask once; asked a second time the process ends at once, on its last saved state."""

    def __init__(self) -> None:
        self.number = 0

    @contextmanager
    def caught(self) -> Iterator[Signals]:
        wanted = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        before = {number: signal.signal(number, self._receive) for number in wanted}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.number:
            os._exit(128 + number)
        self.number = number
