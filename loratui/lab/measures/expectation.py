"""Holds what was expected of a picture, the `expect` of a prompt, against what the measures say.

The shapes an expectation can have: a word or a number, that value; a list of words, any of them; two numbers, a range
with both ends in it; one number in a list, that value. A word is a colour, a shape, or a grid as rows x columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from loratui.lab.measures.colours import SPELLINGS, WORDS
from loratui.lab.measures.looking import Look, look
from loratui.lab.measures.measuring import MEASURES, NO_GRID, NUMBERS
from loratui.lab.measures.reading import Measured, Picture
from loratui.lab.measures.shapes import SHAPES

HELD, NOT, UNCERTAIN = "held", "not", "uncertain"
SAME_SHAPE = {"disc": "circle", "rounded square": "rounded rectangle", "rounded-rectangle": "rounded rectangle"}
VALUES: dict[str, tuple[str, ...]] = {
    "colour": WORDS,
    "shape": SHAPES,
    "background": (*WORDS, "gradient"),
}


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
            told[name] = Judged(HELD if _meets(name, value, measured.value) else NOT, measured)
    return told


def faults(expect: Mapping[str, Any]) -> dict[str, str]:
    """What cannot be read, by name: a measure that there is none of, or a value it never has."""
    found = {}
    for name, value in expect.items():
        fault = _fault(name, value)
        if fault:
            found[name] = fault
    return found


def _fault(name: str, value: Any) -> str:
    if name not in MEASURES:
        near = get_close_matches(name, MEASURES, n=1, cutoff=0.7)
        return f"there is no measure {name!r}; " + (
            f"did you mean {near[0]}?" if near else f"known: {', '.join(MEASURES)}"
        )
    items = value if isinstance(value, (list, tuple)) else [value]
    if not items:
        return "an empty list expects nothing"
    if name in NUMBERS:
        if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in items):
            return f"{name} is a number; write one, or a range such as [0.0, 0.5]"
        if len(items) > 2:
            return f"{name} wants one number, or the two ends of a range"
        return f"the range {list(items)} is empty; the low end comes first" if items[0] > items[-1] else ""
    if not all(isinstance(item, str) for item in items):
        return f"{name} is a word, or a list of words"
    return next((fault for fault in (_word_fault(name, item) for item in items) if fault), "")


def _word_fault(name: str, word: str) -> str:
    if name == "grid":
        return "" if _word(name, word) else f'{word!r} is no grid; write rows x columns, such as "2x3"'
    known = VALUES[name]
    if _word(name, word) in known:
        return ""
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return f"{word!r} is no {name}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")


def _word(name: str, word: str) -> str:
    """The word as the measure says it; "" for what is no grid."""
    word = " ".join(word.strip().lower().split())
    if name == "grid":
        if word in (NO_GRID, "none"):
            return NO_GRID
        found = re.fullmatch(r"(\d{1,2}) ?[x×] ?(\d{1,2})", word)
        return f"{int(found[1])}x{int(found[2])}" if found else ""
    return SPELLINGS.get(word, word) if name != "shape" else SAME_SHAPE.get(word, word)


def _meets(name: str, wanted: Any, value: Any) -> bool:
    items = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
    if name in NUMBERS:
        return bool(items[0] <= value <= items[-1]) if len(items) == 2 else value == items[0]
    return value in [_word(name, item) for item in items]
