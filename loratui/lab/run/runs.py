"""Run folders: where everything of a run is, making one, freezing what it depends on, and reading how it stands.

The folder is the only contract between the worker that trains and whoever watches. Comparing two frozen records is
in `compare_records`; what events, requests and locks mean is in their own modules.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import (
    PART_SUFFIX,
    RECORD,
    fsync_folder,
    make_folder,
    read_file,
    read_text,
    refuse_links,
    remove_parts,
    sha256_file,
    write_atomic,
)
from loratui.lab.plain import plain
from loratui.lab.run.events import Event, last_event, parse_number
from loratui.lab.run.frozentables import checked_images, checked_record, refuse_deep
from loratui.lab.run.lock import is_locked

FINAL = ("finished", "stopped", "failed")
STATES = ("queued", "running", *FINAL, "interrupted")
COMPLETE = "COMPLETE"
_RESUME_NAME = re.compile(r"step-(\d+)")
_MOMENT = re.compile(r"\d{8}-\d{6}-", re.ASCII)
_FORMAT = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run. Making one touches nothing on disk."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def project_folder(self) -> Path:
        return self.path.parent.parent

    @property
    def record_file(self) -> Path:
        return self.path / RECORD

    @property
    def captions_file(self) -> Path:
        return self.path / "captions.toml"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def log_file(self) -> Path:
        return self.path / "log.txt"

    @property
    def worker_file(self) -> Path:
        """What a detached worker wrote to its standard streams; of use when it died without a last event."""
        return self.path / "worker.txt"

    @property
    def observations_file(self) -> Path:
        return self.path / "observations.toml"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def resume(self) -> Path:
        return self.path / "resume"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def requests(self) -> Path:
        return self.path / "requests"

    def checkpoint_file(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:06d}.safetensors"

    def resume_folder(self, step: int) -> Path:
        return self.resume / f"step-{step:06d}"

    @property
    def is_frozen(self) -> bool:
        """Whether there is a record; whether it can be read, also for want of a right, is for its readers to say."""
        try:
            self.record_file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            pass
        return True

    def freeze(self, record: Mapping[str, Any], captions: Sequence[Mapping[str, Any]]) -> None:
        """Write captions.toml and run.toml, once. LabError when they are there, or hold text that is not Unicode."""
        if self.is_frozen:
            raise LabError(f"{self.record_file}: this run is frozen and never changes; start a new run")
        _write_toml(self.captions_file, {"image": [dict(caption) for caption in captions]})
        _write_toml(self.record_file, record)  # last: where it is, the record is whole

    def refreeze(self, record: Mapping[str, Any], captions: Sequence[Mapping[str, Any]], until: str) -> None:
        """Replace the record of a run that goes on with something changed; the old files are kept as *.<until>.toml."""
        for file in (self.captions_file, self.record_file):
            write_atomic(file.with_suffix(f".{until}.toml"), read_file(file))
        _write_toml(self.captions_file, {"image": [dict(caption) for caption in captions]})
        _write_toml(self.record_file, record)

    def read_record(self) -> dict[str, Any]:
        """The frozen record. LabError when it is missing or damaged."""
        record = _read_toml(self.record_file)
        with undamaged(self.record_file):
            checked_record(record)
        return record

    def read_captions(self) -> list[dict[str, Any]]:
        """The `[[image]]` tables of captions.toml: name, sha256, caption, … LabError as above."""
        document = _read_toml(self.captions_file)
        with undamaged(self.captions_file):
            return checked_images(document)


@dataclass(frozen=True)
class RunState:
    """How a run stands. `step` is where it was last seen; `reason` is the text of the last state event, if any."""

    name: str
    paused: bool = False
    step: int = 0
    reason: str = ""
    since: float = 0.0  # unix seconds of the last state event

    @property
    def is_final(self) -> bool:
        return self.name in (*FINAL, "interrupted")


def create_run(project_folder: Path, name: str, now: datetime | None = None) -> RunFolder:
    """Make `runs/<YYYYmmdd-HHMMSS>-<name>-<4 hex>` (UTC, so that names sort by time) with its sub-folders.

    Names sort in the order in which runs were made, also of two in one second or after a clock was put back: a later
    one says the second after the greatest that is there.
    """
    begun = (now or datetime.now(UTC)).astimezone(UTC)
    slug = re.sub(r"[\W_]+", "-", name.lower()).strip("-")[:40].strip("-") or "run"
    runs = project_folder / "runs"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        moment = _next_second(runs, begun)
        while True:
            run = RunFolder(runs / f"{moment}-{slug}-{secrets.token_hex(2)}")
            try:
                run.path.mkdir()
                break
            except FileExistsError:
                continue
        for folder in (run.checkpoints, run.resume, run.samples, run.requests):
            folder.mkdir()
    except OSError as error:
        raise LabError(f"{runs}: cannot make a run folder there: {error.strerror}") from error
    return run


def _next_second(runs: Path, begun: datetime) -> str:
    """`begun`, or the second after the last that a run is named after, whichever is later."""
    moment = begun.strftime(_FORMAT)
    taken = sorted((path.name[:15] for path in runs.iterdir() if _MOMENT.match(path.name)), reverse=True)
    for one in taken:
        if moment > one:
            break
        with contextlib.suppress(ValueError, OverflowError):  # a name that somebody made up
            return (datetime.strptime(one, _FORMAT) + timedelta(seconds=1)).strftime(_FORMAT)
    return moment


def list_runs(project_folder: Path) -> list[RunFolder]:
    """The frozen runs of a project, oldest first. Folders that are not runs are passed over."""
    try:
        found = [RunFolder(path) for path in (project_folder / "runs").iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted((run for run in found if run.is_frozen), key=lambda run: run.id)


def find_run(project_folder: Path, which: str) -> RunFolder:
    """The run named by its path, its id, or a part of the id that only one run has; "last" is the newest."""
    direct = RunFolder(Path(which).expanduser())
    if direct.is_frozen:
        return RunFolder(direct.path.absolute())
    runs = list_runs(project_folder)
    found = runs[-1:] if which == "last" else [run for run in runs if which in run.id]
    exact = [run for run in found if run.id == which]
    if len(exact or found) == 1:
        return (exact or found)[0]
    known = ", ".join(run.id for run in (found or runs)[-8:]) or "none yet"
    what = "several runs match" if found else "there is no such run"
    raise LabError(f"{project_folder / 'runs'}: {plain(which)!r}: {what}; runs: {plain(known)}")


def read_state(run: RunFolder) -> RunState:
    """The state now: from the last state event, and from the lock where no final event was written.

    A run that no worker ever took up is queued; one whose worker is gone without a final event is interrupted.
    """
    alive = is_locked(run.lock_file)  # first: a worker that ends between the two looks has written its final event
    try:
        event, latest = (last_event(run.events_file, kind) for kind in ("state", "step"))
    except OSError as error:  # no log of ours: one such run must not hide all others
        return RunState("interrupted", reason=f"{plain(run.events_file)}: {error.strerror}")
    return state_from(event, latest, alive, alive or run.lock_file.exists())


def state_from(event: Event | None, latest: Event | None, alive: bool, taken_up: bool) -> RunState:
    """The state that follows from the last state event and the last step event, for who has read them already.

    `alive`: a worker holds the lock, looked at before the events were. `taken_up`: some worker once did.
    """
    said = str(event.get("state", "")) if event else ""
    step = max((int(e["step"]) for e in (event, latest) if e and isinstance(e.get("step"), int)), default=0)
    reason = str(event.get("reason", "")) if event else ""
    since = (parse_number(event.get("t")) or 0.0) if event else 0.0
    if said in FINAL:
        return RunState(said, False, step, reason, since)
    if alive:
        name = "running" if said in ("running", "paused") else "queued"
        return RunState(name, said == "paused", step, reason, since)
    untouched = not said and not taken_up
    return RunState("queued" if untouched else "interrupted", False, step, reason, since)


def resumes(run: RunFolder) -> list[tuple[int, Path]]:
    """Training states that say they are complete, newest first, as (step, folder). LabError for a linked `resume`."""
    try:
        refuse_links(run.resume)
        folders = [(int(m[1]), p) for p in run.resume.iterdir() if (m := _RESUME_NAME.fullmatch(p.name))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LabError(f"{error.filename}: {error.strerror}") from error
    return sorted(((step, p) for step, p in folders if (p / COMPLETE).is_file()), reverse=True)


def latest_resume(run: RunFolder) -> Path | None:
    """The newest training state that says it is complete, or None."""
    found = resumes(run)
    return found[0][1] if found else None


def damage_of(state: Path) -> str:
    """What is wrong with the files of a complete training state, in words; "" when they are as they were written.

    A mark without digests is an earlier version's, and nothing can be said of the bytes beside it.
    """
    try:
        lines = [line.partition("  ") for line in read_text(state / COMPLETE, 1 << 16).splitlines()]
        listed = {name: digest for digest, _, name in lines}
        if not listed:
            return ""
        for name, digest in listed.items():
            if Path(name).name != name or sha256_file(state / name) != digest:
                return f"{plain(name)} is not as it was written"
        if unlisted := {path.name for path in state.iterdir()} - {COMPLETE, *listed}:
            return f"{COMPLETE} does not speak of {plain(min(unlisted))}"
    except FileNotFoundError as error:
        return f"{plain(Path(error.filename).name)} is missing"
    except OSError as error:
        return f"{plain(Path(error.filename or state).name)}: {error.strerror}"
    except ValueError:
        return f"{COMPLETE} is not as it was written"
    return ""


@contextlib.contextmanager
def saving_resume(run: RunFolder, step: int, keep: int = 2) -> Iterator[Path]:
    """A folder to write the training state of `step` into. On leaving it is forced to disk, marked complete and named.

    The mark holds the digests of its files.

    Then all but the newest `keep` are removed, and what earlier kills left behind. When the block raises, the new
    folder is removed and the older states are as they were.
    """
    make_folder(run.resume)
    part = run.resume / f".{run.resume_folder(step).name}.{secrets.token_hex(4)}{PART_SUFFIX}"
    part.mkdir()
    try:
        yield part
        digests = []
        for file in sorted(part.iterdir()):
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
            digests.append(f"{sha256_file(file)}  {file.name}\n")
        write_atomic(part / COMPLETE, "".join(digests))  # as sha256sum writes them, and checks them
        target, aside = run.resume_folder(step), part.with_suffix(".old" + PART_SUFFIX)
        if target.exists():  # the same step again: move it aside, since a folder cannot be replaced in one move
            target.rename(aside)
        try:
            part.rename(target)
        except OSError:
            if aside.exists():
                aside.rename(target)
            raise
        fsync_folder(run.resume)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    prune_resume(run, keep, step)


def prune_resume(run: RunFolder, keep: int = 2, newest: int | None = None) -> None:
    """Keep the newest `keep` complete training states; remove older ones, and those never completed.

    Those of a step past `newest` go, too: the run was gone on from an earlier one, since they were damaged.
    """
    kept = {path.name for step, path in [s for s in resumes(run) if newest is None or s[0] <= newest][:keep]}
    refuse_links(run.resume)
    for path in run.resume.iterdir():
        ours = _RESUME_NAME.fullmatch(path.name) or (path.name.startswith(".") and path.name.endswith(PART_SUFFIX))
        if ours and path.is_dir() and not path.is_symlink() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(run: RunFolder) -> None:
    """Remove half-written files of whoever was killed. Only for the worker that holds the lock."""
    for folder in (run.path, *run.path.glob("*/"), *run.samples.glob("*/")):
        remove_parts(folder)
    if run.resume.is_dir():
        prune_resume(run)


def _write_toml(path: Path, content: Mapping[str, Any]) -> None:
    import tomli_w

    try:
        write_atomic(path, tomli_w.dumps(content).encode("utf-8"))
    except UnicodeEncodeError as error:
        around = plain(error.object[max(0, error.start - 20) : error.end + 20])
        raise LabError(f"{path}: {around!r} is not Unicode text and cannot be recorded; rename that file") from error


@contextlib.contextmanager
def undamaged(file: Path) -> Iterator[None]:
    """LabError that names the file for what is found wrong with what is frozen in it."""
    try:
        yield
    except LabError as error:  # of the settings, which name their key
        raise LabError(f"{file}: damaged: {error}; start a new run") from error
    except KeyError as error:
        raise LabError(f"{file}: damaged: {plain(error.args[0], 40)} is missing; start a new run") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise LabError(f"{file}: damaged: {cause_of(error)}; start a new run") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(read_text(path))
        refuse_deep(document)
        return document
    except FileNotFoundError as error:
        raise LabError(f"{path}: missing; this is not the folder of a run, or it was never frozen") from error
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(f"{path}: cannot be read: {cause_of(error)}") from error
