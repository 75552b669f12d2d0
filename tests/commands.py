"""Commands of loratui as a person gives them: in a folder of their own, in pipes and on pseudo-terminals."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

LIMIT = 120  # seconds for one command, on a machine that does much else
Outcome = subprocess.CompletedProcess[str]


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a person who has nothing but a home, with a cache of its own."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "VIRTUAL_ENV", "OMP_NUM_THREADS", "HF_HUB_OFFLINE")}
    return {**kept, "HOME": str(home), "LORATUI_CACHE": str(home / "cache"), "LANG": "C.UTF-8",
            "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parent.parent)}  # fmt: skip


class Bench:
    """Runs commands in `home`."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home, self.environment = home, {**surroundings(home), **(environment or {})}

    def __call__(self, *words: str, **environment: str) -> Outcome:
        return subprocess.run(
            [sys.executable, "-m", "loratui", *words], capture_output=True, text=True, encoding="utf-8", cwd=self.home,
            env={**self.environment, **environment}, timeout=LIMIT, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def refuses(self, *words: str) -> str:
        """The words of a refusal: exit code 2, nothing on standard output, no traceback."""
        outcome = self(*words)
        assert outcome.returncode == 2, outcome.stderr
        assert outcome.stdout == ""
        assert "Traceback" not in outcome.stderr
        return outcome.stderr


class Terminal:
    """A command on a pseudo-terminal of its own, 100 columns wide, where ctrl-C is a key."""

    def __init__(self, bench: Bench, *words: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "loratui", *words], cwd=bench.home, env=bench.environment,
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=lambda: os.login_tty(os.dup(slave)),
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def read_until(self, pattern: str) -> None:
        while not re.search(pattern, self.seen):
            assert self._read(), self.seen

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def end(self) -> int:
        """The exit code, when everything was read."""
        while self._read():
            pass
        os.close(self.master)
        return self.process.wait(LIMIT)

    def hang_up(self) -> int:
        """Close the terminal, as a lost connection does; the exit code of the command."""
        os.close(self.master)
        return self.process.wait(LIMIT)

    def _read(self) -> bool:
        assert select.select([self.master], [], [], LIMIT)[0], self.seen
        try:
            chunk = os.read(self.master, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            return False
        self.seen += chunk.decode("utf-8", "replace")
        return bool(chunk)

    @property
    def last_lines(self) -> str:
        """What stays below the live region, as plain text."""
        return plain_text(self.seen[self.seen.rindex("\x1b[?25h") :])


def plain_text(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def assert_only_its_own_sequences(text: str) -> None:
    """Cursor and colour sequences of the live region, and none that a project could have brought in."""
    assert controls(plain_text(text)) <= {"\r", "\t"}, controls(plain_text(text))
    for sequence in ("\x1b[2J", "\x1b[7m", "\x1b]"):
        assert sequence not in text


def controls(text: str) -> set[str]:
    """What could move a cursor, ring, hide or reorder."""
    return {c for c in text if c < " " or "\x7f" <= c <= "\x9f" or "\u202a" <= c <= "\u202e"} - {"\n"}
