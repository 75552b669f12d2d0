"""Whether a run holds what its plan promised: LoRA files, pictures, contact sheets, steps of the log, saved states.

Everything is held against what the record and the log say of it: hashes of LoRA files, facts of pictures, digests of
states. Nothing is mended here; of each fault it is said what can be done.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import open_binary, read_file
from loratui.lab.models import model_hash
from loratui.lab.patience import Progress, quiet
from loratui.lab.pictures.cells import (
    Cell,
    cells,
    facts_of,
    is_drawn,
    payload_hash,
    picture_path,
    sheet_pages,
    sheet_stem,
)
from loratui.lab.pictures.pictures import damage_of_picture, read_facts
from loratui.lab.plain import plain
from loratui.lab.run.asking import shortened
from loratui.lab.run.events import Event, parse_event, parse_number
from loratui.lab.run.lock import is_locked
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder, damage_of, read_state, resumes

_LINE = 1 << 20  # bytes of a line of a log; ours have some hundred


@dataclass(frozen=True)
class Fault:
    """What is missing or damaged, by its place below the run, and what to do about it."""

    file: str
    what: str
    remedy: str

    @property
    def text(self) -> str:
        """One line; safe to show."""
        return f"{plain(self.file)}: {plain(self.what)}; {plain(self.remedy)}"


@dataclass(frozen=True)
class Verification:
    """What was held against the plan. `counts` are of what is whole, by subject, each with how many there should be."""

    run: str
    state: str
    step: int
    counts: Mapping[str, tuple[int, int]]
    faults: tuple[Fault, ...]
    remarks: tuple[str, ...]  # what does not belong to the run, and keeps it from being gone on with or drawn with

    @property
    def whole(self) -> bool:
        return self.state == "finished" and not self.faults

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "whole": self.whole}

    @property
    def words(self) -> str:
        """`verified: 10 LoRAs, 80 pictures, …`, or how much of it is not whole."""
        there = ", ".join(f"{whole} {subject}" for subject, (whole, wanted) in self.counts.items() if wanted)
        if self.faults:
            lost = f"{len(self.faults)} of what the plan promised is missing or damaged (--verify tells)"
            return f"not whole: {lost}; whole: {there}"
        return f"verified: {there}"


def record_hash(run: RunFolder) -> str:
    """One hash for the frozen record: of run.toml and captions.toml. OSError where one cannot be read."""
    return hashlib.sha256(b"\0".join(read_file(file) for file in (run.record_file, run.captions_file))).hexdigest()


def verify(run: RunFolder, progress: Progress = quiet) -> Verification:
    """Look at everything a run holds, pictures to their last pixel. LabError while it is trained, or without a record.

    `progress` hears pictures looked at.
    """
    if is_locked(run.lock_file):
        raise LabError(f"{run.path}: a worker has this run; it is verified when it is finished")
    state = read_state(run)
    finished = state.name == "finished"
    log = _Log.read(run)
    last = next((event for event in reversed(log.events) if event["kind"] == "state"), {})
    found = _Looking(run, read_record(run), log, progress, deep=True)
    found.look(state.step if finished else max((step for step, _ in resumes(run)), default=0), finished)
    kept = last.get("record_sha256")
    try:
        if kept is not None and kept != record_hash(run):
            found.fault(run.record_file, "it or captions.toml is not what was trained with", "put the old ones back")
    except OSError as error:
        found.fault(Path(error.filename), str(error.strerror), "put the old one back")
    if not finished:
        found.fault(run.path, f"the run is {state.name} at step {state.step}", _go_on(run))
    return Verification(
        run.id, state.name, state.step, found.counts, tuple(found.faults), tuple(_remarks(found.record))
    )


def verify_end(run: RunFolder, record: Record, step: int) -> Verification:
    """The same of a run that is just about to say that it is finished at `step`, by its own worker.

    Of pictures only what they say of themselves is read, since they were written a moment ago.
    """
    found = _Looking(run, record, _Log.read(run), quiet, deep=False)
    found.look(step, finished=True)
    return Verification(run.id, "finished", step, found.counts, tuple(found.faults), ())


class _Looking:
    """One look at a run; collects faults and counts."""

    def __init__(self, run: RunFolder, record: Record, log: _Log, progress: Progress, deep: bool) -> None:
        self.run, self.record, self.log, self.progress, self.deep = run, record, log, progress, deep
        self.again = _run_again(run)
        self.faults: list[Fault] = []
        self.lost: set[int] = set()  # steps whose LoRA is not whole: nothing can be drawn with it
        self.counts: dict[str, tuple[int, int]] = {}

    def fault(self, file: Path, what: str, remedy: str) -> None:
        below = file != self.run.path and file.is_relative_to(self.run.path)
        place = str(file.relative_to(self.run.path)) if below else file.name
        self.faults.append(Fault(place, what, remedy))

    def look(self, reached: int, finished: bool) -> None:
        plan, sample = self.record.plan, self.record.settings.sample
        if reached > plan.total_steps:
            self.fault(self.run.events_file, f"speaks of step {reached}, past the last", "it was changed by hand")
            reached = plan.total_steps
        # What was due at the step of an unfinished run's state is made when it goes on.
        since = _changed_at(self.run)  # what was promised for the steps before that, another record said
        loras = {step for step in plan.checkpoint_steps if since < step < reached} | ({reached} if finished else set())
        drawn = {step for step in plan.sample_steps if since < step < reached}
        drawn |= {reached} if finished and sample.every != "never" else set()
        # A LoRA behind every picture, and whatever else the log says was saved.
        told = {int(e["step"]): str(e.get("sha256")) for e in self._of("checkpoint") if e["step"] <= reached}
        self._look_at_loras(sorted(loras | drawn | set(told)), told)
        self._look_at_pictures(sorted(drawn), told)
        self._look_at_sheets(sorted(drawn))
        self._look_at_steps(reached)
        self._look_at_states(finished)

    def _of(self, kind: str) -> Iterator[Event]:
        """Events of a kind that say their step."""
        return (event for event in self.log.events if event["kind"] == kind and type(event.get("step")) is int)

    def _look_at_loras(self, steps: Sequence[int], told: Mapping[int, str]) -> None:
        for step in steps:
            file = self.run.checkpoint_file(step)
            if damage := _damage_of_lora(file, told.get(step)):
                self.fault(file, damage, self.again)
                self.lost.add(step)
        self.counts["LoRAs"] = (len(steps) - len(self.lost), len(steps))

    def _look_at_pictures(self, steps: Sequence[int], told: Mapping[int, str]) -> None:
        record, run = self.record, self.run
        wanted: list[tuple[Cell, int]] = []
        for step in steps:
            for cell in cells(record.prompts, (None, *record.settings.sample.scales)):
                if cell.scale is not None or step == steps[0]:  # base pictures are the same at every step
                    wanted.append((cell, step))
        whole = 0
        for number, (cell, step) in enumerate(wanted):
            self.progress(number, len(wanted))
            file = picture_path(run, cell, step)
            payload = told.get(step) or _said_of_lora(file)
            if damage := self._damage(file):
                self.fault(file, damage + self._why(step), self._draw(step, file))
            elif not is_drawn(file, facts_of(record, run, cell, step, payload)):
                self.fault(file, "not of this run's LoRA, or does not say so", self._draw(step, file))
            else:
                whole += 1
        self.progress(len(wanted), len(wanted))
        self.counts["pictures"] = (whole, len(wanted))

    def _look_at_sheets(self, steps: Sequence[int]) -> None:
        wanted = {self.run.samples / f"{sheet_stem(step)}.png": step for step in steps if self.record.prompts}
        for event in self._of("sample"):
            name = Path(str(event.get("path"))).name
            if event.get("sheet") and event["step"] in steps and "asked" not in name:
                wanted[self.run.samples / name] = event["step"]
        whole = 0
        for file, step in wanted.items():
            if damage := self._damage(file):
                # It is written anew, all its pages, where none is there.
                pages = sheet_pages(self.run, step)
                self.fault(file, damage + self._why(step), self._draw(step, *pages))
            else:
                whole += 1
        self.counts["contact sheets"] = (whole, len(wanted))

    def _why(self, step: int) -> str:
        """What the log says of pictures that could not be drawn."""
        begin = f"sampling at step {step} failed: "
        said = [text for e in self.log.events if (text := str(e.get("text", ""))).startswith(begin)]
        return f" ({said[-1].removeprefix(begin)})" if said else ""

    def _damage(self, picture: Path) -> str:
        return damage_of_picture(picture) if self.deep else "" if picture.is_file() else "missing"

    def _draw(self, step: int, *there: Path) -> str:
        """What draws it; `there` are files that would be taken for it, and have to go first."""
        if step in self.lost:
            return self.again
        names = [plain(file.name) for file in there if os.path.lexists(file)]
        first = f"delete {' and '.join(names)}; then " if names else ""
        return f"{first}{_command('--sample', self.run.path)} --checkpoint {step} draws it"

    def _look_at_steps(self, reached: int) -> None:
        missing = [step for step in range(1, reached + 1) if step not in self.log.steps]
        if missing:
            what = f"does not tell of step{'s' * (len(missing) > 1)} {shortened(missing)}"
            self.fault(self.run.events_file, what, "the curve has a gap there; nothing else depends on it")
        self.counts["steps in the log"] = (reached - len(missing), reached)

    def _look_at_states(self, finished: bool) -> None:
        states = resumes(self.run)
        remedy = "a finished run needs it no more: delete it" if finished else "the one before it is gone on from"
        damages = [(folder, damage) for _, folder in states if (damage := damage_of(folder))]
        for folder, damage in damages:
            self.fault(folder, damage, remedy)
        self.counts["saved states"] = (len(states) - len(damages), len(states))


@dataclass(frozen=True)
class _Log:
    """What a log says: its events but the steps', and which steps count: a run that goes on says again what is past."""

    events: tuple[Event, ...]
    steps: frozenset[int]

    @classmethod
    def read(cls, run: RunFolder) -> _Log:
        events: list[Event] = []
        steps: set[int] = set()
        try:
            with open_binary(run.events_file) as file:
                for line in iter(lambda: file.readline(_LINE), b""):
                    event = parse_event(line) or {"kind": ""}
                    step = event.get("step")
                    if event["kind"] == "step" and type(step) is int:
                        if parse_number(event.get("loss")) is not None:
                            steps.add(step)
                    elif event["kind"] in ("state", "checkpoint", "sample", "warning"):
                        events.append(event)
                        if event.get("state") == "running" and type(step) is int:
                            steps = {one for one in steps if one <= step}
        except FileNotFoundError:
            pass
        except OSError as error:
            raise LabError(f"{run.events_file}: {error.strerror}") from error
        return cls(tuple(events), frozenset(steps))


def _damage_of_lora(file: Path, told: str | None) -> str:
    """What is wrong with a LoRA file whose payload hash the log says, in words."""
    try:
        payload = payload_hash(file)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return str(error.strerror)
    except (LabError, ValueError) as error:
        return f"damaged: {str(error).removeprefix(f'{file}: ')}"
    if told is None:
        return "the log does not say that it was saved"
    return "" if payload == told else f"not what was saved: its hash is {payload[:12]}, the log says {told[:12]}"


def _said_of_lora(picture: Path) -> str:
    """The hash of the LoRA that a picture says it was drawn with."""
    with contextlib.suppress(LabError):
        if facts := read_facts(picture):
            return facts.lora_hash
    return ""


def _remarks(record: Record) -> Iterator[str]:
    """What has changed outside of the run since."""
    from loratui.lab.files import sha256_file

    changed = []
    for image in record.images:
        try:
            if sha256_file(Path(image.path)) != image.sha256:
                changed.append(image.name)
        except OSError:
            changed.append(image.name)
    if changed:
        names = ", ".join(plain(name, 60) for name in changed[:3]) + (", …" if len(changed) > 3 else "")
        yield f"{len(changed)} of {len(record.images)} training images changed or are gone since: {names}"
    try:
        now = model_hash(record.model)
        parts = [part for part in record.hashes if now.get(part) != record.hashes[part]]
    except (LabError, OSError) as error:
        yield f"the base model cannot be read any more: {plain(error, 300)}"
    else:
        if parts:
            yield f"the base model is another one since ({', '.join(parts)}): nothing more can be drawn with this run"


def _changed_at(run: RunFolder) -> int:
    """The step at which a run last went on with other settings or data; 0 where it never did."""
    changes = _said(run).get("changes", [])
    words = (
        [str(change.get("until")) for change in changes if isinstance(change, dict)] if type(changes) is list else []
    )
    return max((int(match[1]) for word in words if (match := re.search(r"step-(\d{1,12})", word))), default=0)


def _run_again(run: RunFolder) -> str:
    """The command that trains the same; without one where its run is one of a series, or was changed on the way."""
    said = _said(run)
    overrides = said.get("overrides", [])
    if said.get("repeat") or said.get("matrix") or said.get("changes") or not isinstance(overrides, list):
        return "only the settings of its run.toml train it again"
    file = said.get("project_file")
    words = [_command("--run", Path(file) if isinstance(file, str) and Path(file).is_file() else run.project_folder)]
    words += ["--variant", shlex.quote(str(said["variant"]))] if said.get("variant") else []
    words += [f"--set {shlex.quote(str(one))}" for one in overrides]
    return f"the same settings train it again, to the same bits: {' '.join(words)}"


def _said(run: RunFolder) -> dict[str, Any]:
    said = run.read_record().get("run")
    return said if isinstance(said, dict) else {}


def _go_on(run: RunFolder) -> str:
    return f"go on with it: {_command('--resume', run.path)}"


def _command(verb: str, path: Path) -> str:
    return f"loratui {verb} {shlex.quote(str(path))}"
