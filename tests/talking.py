"""Processes that say a line when they get somewhere and go on when they are told to: several of them, in any order."""

from __future__ import annotations

import signal
import subprocess
import sys

TAKE_TURN = """
import sys; from pathlib import Path; from loratui.lab.run.lock import device_turn
def waiting(ahead, label): print(f"waiting behind {ahead}: {label}", flush=True)
with device_turn("cpu", Path(sys.argv[1]), waiting, label=sys.argv[2], poll=0.01) as mine:
    print(f"turn {mine}", flush=True); sys.stdin.readline()
"""


class Process:
    """A Python script in a process of its own. The fixture `start` of tests/lab makes them, and ends them."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        with self.process:  # waits, and closes its pipes
            pass
