"""How long work tells how far it is, and how it is ended early.

A long function takes a `Progress`, calls it often, and lets whatever it raises pass: a caller that wants the work to
end raises `Cancelled` from it. What was done until then stays whole.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]  # (done, total); a total of 0 is not known yet


class Cancelled(Exception):
    """The person does not want the work any more; nothing is wrong."""


def quiet(done: int, total: int) -> None:
    """The progress of work that nobody watches."""
