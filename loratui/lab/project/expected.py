"""What can be expected of a picture: the names of the measures, the words they answer with, and when one is met.

The shapes an expectation can have: a word or a number, that value; a list of words, any of them; two numbers, a range
with both ends in it; one number in a list, that value. A word is a colour, a shape, or a grid as rows x columns.
Nothing is measured here, and no numpy is needed: the check reads this before anything is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "gray", "black", "white")
SHAPES = ("circle", "square", "triangle", "rounded rectangle", "other")
NO_GRID = "no grid"
SPELLINGS = {"grey": "gray", "violet": "purple"}
SAME_SHAPE = {"disc": "circle", "rounded square": "rounded rectangle", "rounded-rectangle": "rounded rectangle"}
VALUES: dict[str, tuple[str, ...]] = {
    "colour": COLOURS,
    "shape": SHAPES,
    "background": (*COLOURS, "gradient"),
}
NUMBERS = ("count", "whiteness", "coverage", "centre_bias", "centre_pull", "edge_steepness")
MEASURES = (*VALUES, "grid", *NUMBERS)


def faults(expect: Mapping[str, Any]) -> dict[str, str]:
    """What cannot be read, by name: a measure that there is none of, or a value it never has."""
    found = {}
    for name, value in expect.items():
        fault = _fault(name, value)
        if fault:
            found[name] = fault
    return found


def meets(name: str, wanted: Any, value: Any) -> bool:
    """Whether a measure's value is what was wanted; for expectations without `faults`."""
    items = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
    if name in NUMBERS:
        return bool(items[0] <= value <= items[-1]) if len(items) == 2 else value == items[0]
    return value in [_word(name, item) for item in items]


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
