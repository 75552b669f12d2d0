"""What a person (or a measure) saw in a run, kept as `[[observation]]` tables that are only ever appended.

    id, time, run, step, feature, verdict, note, pictures (below the run folder), by ("person" or a measure's name)
    replaces   the id of the table that this one takes the place of: an edit is a new table, the file is its history
    struck     true: struck out, and still there to be read

A table that replaces another holds the whole observation anew; one that only strikes it out says nothing more. Files
written by hand are welcome: what is left out has a default. Nothing is measured here, and no verdict is made up.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder, list_runs
from loratui.lab.toml.tablelog import Appending, line_of, read_tables

VERDICTS = ("learned", "partly", "not shown", "uncertain")
PERSON = "person"
_CHANGEABLE = ("note", "feature", "verdict", "step", "pictures", "by")


@dataclass(frozen=True)
class Observation:
    """As it stands now. `history` holds the earlier wordings, oldest first; each of those has no history itself."""

    id: str  # of its first table; it stays the same through edits
    run: str  # id of the run
    folder: Path  # of the run
    time: float  # unix seconds at which it was first written
    changed: float  # unix seconds of this wording
    note: str = ""
    feature: str = ""
    verdict: str = ""  # one of VERDICTS, or "" for none
    step: int | None = None
    pictures: tuple[str, ...] = ()  # below the run folder, with forward slashes
    by: str = PERSON
    struck: bool = False
    history: tuple[Observation, ...] = field(default=(), repr=False)

    @property
    def picture_paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / picture for picture in self.pictures)


def observe(
    run: RunFolder,
    note: str,
    *,
    feature: str = "",
    verdict: str = "",
    step: int | None = None,
    pictures: Sequence[Path | str] = (),
    by: str = PERSON,
) -> Observation:
    """Append an observation and force it to disk. LabError for what can not be kept as it was given."""
    said = _checked(run, {"note": note, "feature": feature, "verdict": verdict, "step": step,
                          "pictures": pictures, "by": by})  # fmt: skip
    with _Writing(run) as writing:
        return writing.append(said)


def edit(run: RunFolder, id: str, **changes: Any) -> Observation:
    """Say it differently: the fields given replace those it had, and the old wording stays in its history.

    One that was struck out counts again. Nothing is written when nothing differs.
    """
    unknown = set(changes) - set(_CHANGEABLE)
    if unknown:
        raise TypeError(f"an observation has no {', '.join(sorted(unknown))} to change")
    with _Writing(run) as writing:
        old = writing.find(id)
        said = _checked(run, {**{key: getattr(old, key) for key in _CHANGEABLE}, **changes})
        if not old.struck and all(getattr(old, key) == said[key] for key in _CHANGEABLE):
            return old
        return writing.append(said, replaces=writing.newest(old))


def strike(run: RunFolder, id: str) -> Observation:
    """Strike it out: it no longer counts, and can still be read. `edit` without changes brings it back."""
    with _Writing(run) as writing:
        old = writing.find(id)
        return old if old.struck else writing.append({"by": PERSON}, replaces=writing.newest(old), struck=True)


def read_observations(run: RunFolder) -> list[Observation]:
    """Those of a run in the order they were first written, struck out ones included. LabError for a broken file."""
    file = run.observations_file
    try:
        stat = file.stat()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LabError(f"{file}: cannot be read: {error.strerror}") from error
    return list(_read(run, (stat.st_ino, stat.st_mtime_ns, stat.st_size)))


def project_observations(folder: Path, problems: list[str] | None = None) -> list[Observation]:
    """Those of all runs of a project in time order. What is wrong with a run's file goes into `problems`, and the
    others are still told; without a list for them it is raised.
    """
    found: list[Observation] = []
    for run in list_runs(folder):
        try:
            found += read_observations(run)
        except LabError as error:
            if problems is None:
                raise
            problems.append(str(error))
    return sorted(found, key=lambda observation: observation.time)


def features_used(observations: Sequence[Observation]) -> list[str]:
    """The features named so far, those used last first; what differs in case alone is the same feature."""
    newest_first = sorted(observations, key=lambda observation: -observation.changed)
    by_name: dict[str, str] = {}
    for observation in newest_first:
        if observation.feature and not observation.struck:
            by_name.setdefault(observation.feature.casefold(), observation.feature)
    return list(by_name.values())


def checked_verdict(text: str) -> str:
    """The verdict meant by a word, "" for none. LabError with the words there are."""
    word = " ".join(text.lower().replace("_", " ").split())
    if word in ("", "none", "-"):
        return ""
    if word not in VERDICTS:
        raise LabError(f"verdict {plain(text, 40)!r}: not one of {', '.join(VERDICTS)}, or none")
    return word


class _Table(NamedTuple):
    """One `[[observation]]` of the file, with what it leaves out filled in."""

    id: str
    replaces: str
    observation: Observation


class _Writing:
    """The observations of a run while this process alone may add to them."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.log = Appending(run.observations_file)

    def __enter__(self) -> _Writing:
        self.log.__enter__()
        try:
            self.tables = _tables(self.run, self.log.tables)
        except BaseException:
            self.log.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.log.__exit__()

    def find(self, id: str) -> Observation:
        roots = _roots(self.tables)
        for observation in _current(self.tables):
            if observation.id == roots.get(id):
                return observation
        raise LabError(
            f"{self.run.observations_file}: there is no observation {plain(id, 40)!r}; it may have been removed by hand"
        )

    def newest(self, observation: Observation) -> str:
        """The id of the table that was written last for it."""
        roots = _roots(self.tables)
        return next(table.id for table in reversed(self.tables) if roots[table.id] == observation.id)

    def append(self, said: Mapping[str, Any], replaces: str = "", struck: bool = False) -> Observation:
        taken = {table.id for table in self.tables}
        id = next(new for _ in range(1000) if (new := secrets.token_hex(4)) not in taken)
        now = datetime.now().astimezone()
        table: dict[str, Any] = {"id": id, "time": now.replace(microsecond=now.microsecond // 1000 * 1000)}
        table |= {"replaces": replaces} if replaces else {}
        table |= {"struck": True} if struck else {}
        table["run"] = self.run.id
        for key in ("step", "feature", "verdict", "note", "pictures", "by"):
            if said.get(key) not in (None, "", ()):
                table[key] = list(said[key]) if key == "pictures" else said[key]
        self.log.append(table)
        self.tables = _tables(self.run, self.log.tables)
        return self.find(id)


@functools.lru_cache(maxsize=1024)
def _read(run: RunFolder, _stamp: tuple[int, int, int]) -> tuple[Observation, ...]:
    return tuple(_current(_tables(run, read_tables(run.observations_file))))


def _tables(run: RunFolder, listed: Sequence[Mapping[str, Any]]) -> list[_Table]:
    found: list[_Table] = []
    taken: set[str] = set()
    for index, table in enumerate(listed):
        try:
            read = _table(run, table, found[-1].observation.time if found else 0.0)
        except LabError as error:
            where = line_of(run.observations_file, index, str(error).split(" ", 1)[0].rstrip(":"))
            raise LabError(f"{run.observations_file}: {where}{error}") from error
        while read.id in taken:  # copied by hand, id and all
            read = read._replace(id=f"{read.id}+", observation=replace(read.observation, id=f"{read.id}+"))
        taken.add(read.id)
        found.append(read)
    return found


def _table(run: RunFolder, table: Mapping[str, Any], earlier: float) -> _Table:
    known = {key: table[key] for key in _CHANGEABLE if key in table}
    said = _checked(run, {"note": "", "feature": "", "verdict": "", "step": None, "pictures": (), "by": PERSON} | known,
                    empty_is_fine=True)  # fmt: skip
    replaces, id = (_text(key, table.get(key, "")) for key in ("replaces", "id"))
    struck = table.get("struck", False)
    if not isinstance(struck, bool):
        raise LabError(f"struck {plain(struck, 40)!r}: not true or false")
    moment = _moment(table["time"]) if "time" in table else earlier
    id = id or hashlib.sha256(repr(sorted(table.items())).encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return _Table(id, replaces, Observation(id, run.id, run.path, moment, moment, struck=struck, **said))


def _current(tables: Sequence[_Table]) -> list[Observation]:
    """Each observation in its last wording, with the earlier ones as its history."""
    roots = _roots(tables)
    wordings: dict[str, list[_Table]] = {}
    for table in tables:
        wordings.setdefault(roots[table.id], []).append(table)
    found = []
    for root, versions in wordings.items():
        told: list[Observation] = []
        for version in versions:
            new = version.observation
            if _says_something(new):
                told.append(new)
            elif new.struck and told:  # that it is struck out is all it says
                told.append(replace(told[-1], struck=True, changed=new.changed, id=version.id))
        if told:
            found.append(replace(told[-1], id=root, time=told[0].time, history=tuple(told[:-1])))
    return found


def _roots(tables: Sequence[_Table]) -> dict[str, str]:
    """From the id of a table to that of the first wording; one that replaces what is not there stands for itself."""
    roots: dict[str, str] = {}
    for table in tables:
        roots[table.id] = roots.get(table.replaces, table.id)
    return roots


def _says_something(observation: Observation) -> bool:
    return bool(observation.note or observation.verdict or observation.feature or observation.pictures)


def _checked(run: RunFolder, said: Mapping[str, Any], *, empty_is_fine: bool = False) -> dict[str, Any]:
    """The fields as they are kept. LabError, without a file name, for what can not be."""
    step, pictures = said["step"], said["pictures"]
    if step is not None and (not isinstance(step, int) or isinstance(step, bool) or step < 0):
        raise LabError(f"step {plain(step, 40)!r}: not a number of a training step")
    if isinstance(pictures, str) or not isinstance(pictures, Sequence):
        raise LabError(f"pictures {plain(pictures, 60)!r}: not a list of paths")
    kept = {
        "note": _text("note", said["note"]).strip(),
        "feature": " ".join(_text("feature", said["feature"]).split()),
        "verdict": checked_verdict(_text("verdict", said["verdict"])),
        "step": step,
        "pictures": tuple(dict.fromkeys(_below(run, picture) for picture in pictures)),
        "by": " ".join(_text("by", said["by"]).split()) or PERSON,
    }
    if not empty_is_fine and not (kept["note"] or kept["verdict"]):
        raise LabError("an observation needs a note or a verdict; write what you see")
    return kept


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise LabError(f"{key} {plain(value, 40)!r}: not text; put it in quotation marks")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        around = plain(value[max(0, error.start - 10) : error.end + 10])
        raise LabError(f"{key}: {around!r} holds half a character, which no file can keep; take it out") from error
    return value


def _below(run: RunFolder, picture: Any) -> str:
    path = PurePosixPath(_text("pictures", str(picture) if isinstance(picture, Path) else picture))
    for folder in (run.path, run.path.absolute()):
        if path.is_absolute() and path.is_relative_to(folder):
            path = path.relative_to(folder)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise LabError(f"pictures {plain(path, 200)!r}: not below the folder of the run, {run.path}")
    return str(path)


def _moment(value: Any) -> float:
    """Unix seconds of a TOML date or time, or of its text; one without a zone is meant in local time."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return value.timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value, UTC).timestamp()
    raise LabError(f"time {plain(value, 40)!r}: not a date; write it as 2030-01-31T12:00:00")
