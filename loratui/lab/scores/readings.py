"""What the measures say of each picture of a run, remembered by the picture's content in `readings.jsonl`.

A picture never changes, so it is measured once. The file only grows, a line a picture; lines that cannot be read are
measured again, and where it cannot be written, what was measured holds for this time.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.lab.derived import declared
from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import append_line, open_binary, sha256_file
from loratui.lab.plain import plain
from loratui.lab.project.expected import MEASURES, NUMBERS
from loratui.lab.run.runs import RunFolder

VERSION = 1  # of the measures: another one measures anew


@dataclass(frozen=True)
class Reading:
    """What one measure says of one picture."""

    value: str | float | None
    confidence: float
    reason: str = ""  # why it is uncertain

    @property
    def uncertain(self) -> bool:
        return bool(self.reason)


Measures = Mapping[str, Reading]


class Readings:
    """The readings of a run's pictures. `known` needs no numpy; `of` measures what is not known."""

    def __init__(self, run: RunFolder) -> None:
        self.file = _file(run)
        self._known: dict[str, Measures] = dict(_lines(self.file))

    def known(self, path: Path) -> Measures | None:
        """What is remembered of a picture, None if it was never measured. OSError when it cannot be read."""
        return self._known.get(digest(path))

    def of(self, path: Path) -> tuple[str, Measures]:
        """The picture's digest and what the measures say. LabError when it is no picture."""
        sha = digest(path)
        if sha not in self._known:
            self._known[sha] = told = _measured(path)
            line = {
                "v": VERSION,
                "sha": sha,
                "measures": {k: [r.value, r.confidence, r.reason] for k, r in told.items()},
            }
            with contextlib.suppress(OSError):  # of a run that is only to be looked at
                append_line(self.file, json.dumps(line))
        return sha, self._known[sha]


def digest(path: Path) -> str:
    return sha256_file(path)


def pixels(path: Path) -> Any:
    """uint8 (height, width, 3). LabError when it is no picture."""
    import numpy as np
    from PIL import Image

    try:
        with open_binary(path) as file, Image.open(file) as image:
            return np.asarray(image.convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError) as error:  # Pillow says SyntaxError of a broken PNG
        raise LabError(f"{path}: cannot be read as a picture: {cause_of(error)}") from error


def _measured(path: Path) -> Measures:
    from loratui.lab.measures import measure

    try:
        told = measure(pixels(path))
    except ValueError as error:
        raise LabError(f"{path}: cannot be measured: {plain(error, 200)}") from error
    return {name: Reading(_plain(m.value), round(m.confidence, 4), m.reason) for name, m in told.items()}


def _plain(value: Any) -> str | float | None:
    return round(float(value), 6) if isinstance(value, float) else value


def read_measures(run: RunFolder, path: Path) -> Measures | None:
    """What was measured in one picture of a run; None where it was not. OSError when the picture cannot be read."""
    sha = digest(path)
    return dict(_lines(_file(run), sha)).get(sha)


def measures_of(table: Any) -> Measures:
    """From the form in which they are written down: a value, a confidence and a reason by name.

    ValueError for what no measure says, and where one is missing: it is measured again, then.
    """
    found = {}
    for name in MEASURES:
        value, confidence, reason = table[name]
        kind: Any = int | float | None if name in NUMBERS else str | None
        made = Reading(declared(kind, value), declared(float, confidence), declared(str, reason))
        if not 0 <= made.confidence <= 1 or (made.value is None and not made.uncertain and name in NUMBERS):
            raise ValueError(f"{name} cannot be so sure")
        found[name] = made
    return found


def _file(run: RunFolder) -> Path:
    return run.path / "readings.jsonl"


def _lines(file: Path, sha: str = "") -> Iterator[tuple[str, Measures]]:
    """All that is in the file, or of one picture: there may be ten thousands of lines, of which one is wanted."""
    with contextlib.suppress(OSError), open_binary(file) as opened:
        for line in io.TextIOWrapper(opened, "utf-8", "replace"):
            if sha in line:
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    table = json.loads(line)
                    if table["v"] == VERSION:
                        yield str(table["sha"]), measures_of(table["measures"])
