"""A run at a glance: how it stands, how far it is, its loss as a few points, and what is new in it.

For lists of hundreds of runs, so nothing here reads a whole log or looks at an image; what a file said is kept until
that file changes. A chart of every step is curves.py's.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import open_binary, read_file
from loratui.lab.plain import plain
from loratui.lab.run.lock import is_locked
from loratui.lab.run.runs import RunFolder, RunState, read_state

TRACE_POINTS = 40
_WHOLE = 65_536  # bytes; a log up to this size is read as it is, of a longer one as much, in pieces
_PIECE = _WHOLE // TRACE_POINTS
_STEP = re.compile(rb'^\{"kind":"step",[^\n]*?"smoothed":(-?[0-9.eE+-]+)[,}]', re.MULTILINE)
_TOTAL = re.compile(rb'^\{"kind":"state",[^\n]*?"total":([0-9]+)[,}]', re.MULTILINE)
_CAPTIONS = 262_144  # bytes; in longer lists of captions it is only told that they differ

Signature = tuple[int, int, int]


@dataclass(frozen=True)
class RunSummary:
    """`total` is in steps, 0 while it is not known. `trace` is the smoothed loss over the run, at most 40 points.

    `alive`: a worker has the run.
    """

    run: RunFolder
    state: RunState
    total: int = 0
    trace: tuple[float, ...] = ()
    alive: bool = False

    @property
    def loss(self) -> float | None:
        """The last smoothed loss that was logged."""
        return self.trace[-1] if self.trace else None

    @property
    def is_unfinished(self) -> bool:
        """Nobody trains it, and there is more to do: it can be gone on with."""
        return not self.alive and (self.state.name != "finished" or self.state.reason == "max_minutes")


def signature(path: Path) -> Signature | None:
    """What changes when a file does: inode, size and time of the last change. None when it is not there."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


class Glances:
    """The runs that were looked at, remembered. Not for several threads at once."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[object, ...], RunSummary]] = {}
        self._news: dict[Path, tuple[tuple[object, ...], str]] = {}

    def look(self, run: RunFolder) -> RunSummary:
        """The run as it is now; only what changed since the last look is read."""
        mark = signature(run.events_file), signature(run.lock_file) is not None, is_locked(run.lock_file)
        known = self._known.get(run.path)
        if known and known[0] == mark:
            return known[1]
        total, trace = _read_log(run.events_file)
        summary = RunSummary(run, read_state(run), total or (known[1].total if known else 0), trace, mark[2])
        self._known[run.path] = mark, summary
        return summary

    def news(self, run: RunFolder, before: RunFolder | None) -> str:
        """What is new in a run against the one it came from, else against `before`; one harmless line."""
        mark = (signature(run.record_file), before.path if before else None)
        known = self._news.get(run.path)
        if known is None or known[0] != mark:
            known = self._news[run.path] = mark, changes_since(run, before)
        return known[1]

    def forget(self, below: Path) -> None:
        """Drop what is known of the runs below a folder that is gone."""
        self._known = {path: known for path, known in self._known.items() if not path.is_relative_to(below)}
        self._news = {path: known for path, known in self._news.items() if not path.is_relative_to(below)}


def changes_since(run: RunFolder, before: RunFolder | None) -> str:
    """What differs from the run that `run` came from (its parent), else from `before`; "the first run" without any.

    One harmless line. Versions and the machine count only when nothing else differs.
    """
    from loratui.lab.run.records import Frozen, compare_records, factors

    try:
        parent = parent_of(run)
        other = parent or before
        if other is None:
            return "the first run"
        captions = _captions_changed(other, run)
        both = [Frozen(_record(one), one.read_captions() if captions is None else ()) for one in (other, run)]
    except (LabError, OSError) as error:
        return f"unknown: {plain(error, 200)}"
    differences = compare_records(*both)
    weighty = [difference for difference in differences if difference.kind not in ("version", "machine")]
    found = factors(weighty) + ([captions] if captions else [])
    words = "; ".join(found) or "; ".join(factors(differences)) or "nothing: the same again"
    return plain(f"from {other.id[-4:]}: {words}" if parent is not None and parent != before else words, 500)


def parent_of(run: RunFolder) -> RunFolder | None:
    """The run that this one was made from by changing something, as long as it is there. LabError as read_record."""
    said = _record(run).get("run", {})
    name = Path(str(said.get("parent", ""))).name if isinstance(said, dict) else ""
    parent = RunFolder(run.path.parent / name)
    return parent if name and parent.is_frozen else None


def _record(run: RunFolder) -> Mapping[str, Any]:
    return _read_record(run, signature(run.record_file))


@functools.lru_cache(maxsize=8)  # each run is compared with the one before, and the next with it
def _read_record(run: RunFolder, mark: Signature | None) -> Mapping[str, Any]:
    return run.read_record()


def _captions_changed(one: RunFolder, other: RunFolder) -> str | None:
    """Whether the lists of images and captions differ, in words; None when they are short enough to be compared."""
    try:
        sizes = [run.captions_file.stat().st_size for run in (one, other)]
    except OSError:
        return ""
    if max(sizes) <= _CAPTIONS:
        return None
    same = sizes[0] == sizes[1] and read_file(one.captions_file) == read_file(other.captions_file)
    return "" if same else "images or captions"


def _read_log(path: Path) -> tuple[int, tuple[float, ...]]:
    """The steps that the run is to have, and its loss in few points: from the whole of a short log, else from pieces
    at even distances, since a log of a day has a hundred megabytes."""
    try:
        with open_binary(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size <= _WHOLE:
                whole = file.read(_WHOLE)
                return _total(whole), _thinned(_losses(whole))
            ends = os.pread(file.fileno(), 2 * _PIECE, 0), os.pread(file.fileno(), _PIECE, size - _PIECE)
            points = []
            for number in range(TRACE_POINTS - 1):
                found = _losses(os.pread(file.fileno(), _PIECE, number * (size - _PIECE) // (TRACE_POINTS - 1)))
                points += [sum(found) / len(found)] if found else []
            return _total(ends[1]) or _total(ends[0]), (*points, *_losses(ends[1])[-1:])
    except OSError:
        return 0, ()


def _total(content: bytes) -> int:
    found = _TOTAL.findall(content)
    return int(found[-1]) if found else 0


def _losses(content: bytes) -> list[float]:
    """The finite ones, in the order of the log."""
    found = []
    for digits in _STEP.findall(content):
        with contextlib.suppress(ValueError):
            found.append(float(digits))
    return [value for value in found if math.isfinite(value)]


def _thinned(values: list[float]) -> tuple[float, ...]:
    """At most 40 values: means of equal shares, the last one as it is."""
    if len(values) <= TRACE_POINTS:
        return tuple(values)
    edges = [round(index * (len(values) - 1) / (TRACE_POINTS - 1)) for index in range(TRACE_POINTS)]
    means = [sum(values[start:end]) / (end - start) for start, end in itertools.pairwise(edges)]
    return (*means, values[-1])
