"""What the picture screen knows of the measures of one picture, in rows for a person.

What was measured before is read; the rest is asked of a child process. All of it belongs in a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.patience import Progress
from loratui.lab.pictures.gallery import Gallery, Where
from loratui.lab.scores.features import remembered_scores
from loratui.lab.scores.onepicture import Answer, answers, told_words
from loratui.lab.scores.readings import Measures, read_measures

# The measures there are, in the order they are told; asking for their list would import numpy.
NAMES = ("colour", "shape", "background", "count", "grid", "whiteness", "coverage", "centre_bias", "centre_pull",
         "edge_steepness")  # fmt: skip
_SHORT = {"background": "ground", "centre_bias": "off centre", "centre_pull": "pull", "edge_steepness": "edges"}
_SAME_MASK = ("count", "grid", "coverage", "centre_bias", "whiteness")  # as another's, which is shown before

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Seen:
    """What is known of a picture. `measures` is None where it was not measured; `offered`: m has it measured."""

    path: Path
    answers: tuple[Answer, ...] = ()
    measures: Measures | None = None
    masks: Mapping[str, Path] = field(default_factory=dict)
    offered: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether a child process could not tell more."""
        return bool(self.masks)


def look_at(seen: Seen, gallery: Gallery | None, where: Where | None) -> Seen:
    """What was measured before of a picture of a run."""
    if gallery is None or where is None:  # an image of a dataset, or a contact sheet, which nothing is measured in
        return replace(seen, offered=gallery is None)
    try:
        scores = remembered_scores(gallery.run)
    except LabError:
        scores = None  # damaged: the run's page says so
    told = answers(scores.scores, where) if scores is not None else ()
    measures = seen.measures
    if measures is None:
        with contextlib.suppress(OSError):  # gone: what made it says so
            measures = read_measures(gallery.run, seen.path)
    return replace(seen, answers=told, measures=measures, offered=True)


def measured(seen: Seen, progress: Progress) -> Seen:
    """The same with what a child process tells: the measures, and their masks."""
    from loratui.lab.pictures.maskpicture import measure_apart

    found = measure_apart(seen.path, progress)
    return replace(seen, measures=found.measures, masks=found.masks)


def mask_order(seen: Seen) -> list[str]:
    """The measures whose masks are worth a look, those first that something was expected of."""
    asked = [answer.name for answer in seen.answers if answer.name in NAMES]
    others = [name for name in NAMES if name not in _SAME_MASK]
    return list(dict.fromkeys([*asked, *others]))


def with_measures(rows: Rows, seen: Seen) -> Rows:
    """What made a picture with what is seen in it, below what was expected."""
    told = measure_rows(seen)
    if not told:
        return rows
    gap = next((place for place, row in enumerate(rows) if row == ("", "")), 0)
    return (*rows[:gap], ("", ""), *told, *rows[gap:]) if gap else (*told, ("", ""), *rows)


def measure_rows(seen: Seen) -> Rows:
    """Each measure with its value and how sure it is; those that something was expected of first, with the answer."""
    by_name = {answer.name: answer for answer in seen.answers}
    measures = seen.measures or {}
    rows: list[tuple[str, str]] = []
    for name in dict.fromkeys([*by_name, *(name for name in NAMES if name in measures), *measures]):
        rows.append((_SHORT.get(name, name), told_words(by_name.get(name), measures.get(name))))
    if seen.measures is None and seen.offered:
        rows.append(("measures", "not measured; m measures it, and shows what was looked at"))
    return tuple(rows)
