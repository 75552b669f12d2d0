"""Holds what was expected of a picture, the `expect` of a prompt, against what the measures say.

Which expectations there are, and what they mean, is in `project.expected`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loratui.lab.measures.looking import Look, look
from loratui.lab.measures.measuring import MEASURES
from loratui.lab.measures.reading import Measured, Picture
from loratui.lab.project.expected import faults, meets

HELD, NOT, UNCERTAIN = "held", "not", "uncertain"


@dataclass(frozen=True, eq=False)
class Judged:
    """One expectation of one picture."""

    answer: str  # "held", "not", "uncertain"
    measured: Measured | None  # None where the expectation itself cannot be read
    reason: str = ""  # why it is uncertain

    @property
    def held(self) -> bool | None:
        """None where it is uncertain."""
        return None if self.answer == UNCERTAIN else self.answer == HELD


def judge(expect: Mapping[str, Any], picture: Picture | Look) -> dict[str, Judged]:
    """Each expectation by its name. One that no measure can tell is uncertain, with the reason: see also `faults`."""
    wrong = faults(expect)
    seen = look(picture)
    told = {}
    for name, value in expect.items():
        if name in wrong:
            told[name] = Judged(UNCERTAIN, None, wrong[name])
            continue
        measured = MEASURES[name](seen)
        if measured.uncertain:
            told[name] = Judged(UNCERTAIN, measured, measured.reason)
        else:
            told[name] = Judged(HELD if meets(name, value, measured.value) else NOT, measured)
    return told
