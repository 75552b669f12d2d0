"""What counts as lost. Every judge returns the faults it found, as lines; an empty list is survival.

They share nothing with the code they judge but the formats on disk: hashes and pixels are taken here anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tests.campaign.children import Ended
from tests.commands import controls

CODES = frozenset([0, 1, 2, 130, 143])  # what the command line promises
MAY_BE_THERE = re.compile(
    r"(log|worker|traceback)\.txt|resume/step-\d{6}/(state\.pt|progress\.json|COMPLETE)|\.said-.*"
)
_TRACEBACK = "Traceback (most recent call last)"
_NAMES = (
    "KeyError",
    "TypeError",
    "AttributeError",
    "IndexError",
    "RecursionError",
    "UnpicklingError",
    "AssertionError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "ZeroDivisionError",
    "RuntimeError",
    "ValueError",
    "MemoryError",
    "OverflowError",
    "NotImplementedError",
    "JSONDecodeError",
    "TOMLDecodeError",
    "SafetensorError",
    "LookupError",
    "EOFError",
    "BadZipFile",
    "DecompressionBombError",
    "SyntaxError",
    "StopIteration",
    "OSError",
    "FileNotFoundError",
    "IsADirectoryError",
    "NotADirectoryError",
    "PermissionError",
    "UnidentifiedImageError",
    "struct.error",
    "zlib.error",
)
_RAW = re.compile(rf"(?m)(?:^|[\s:(])((?:\w+\.)*(?:{'|'.join(map(re.escape, _NAMES))}))\b ?(?::|\()")
_FRAME = re.compile(r'File "[^"]*?((?:loratui|tests)/[^"]+)", line (\d+), in (\S+)')
_BIDI = {*"\u200e\u200f\u061c\u2028\u2029\u2066\u2067\u2068\u2069\ufeff"}
_A_FILE = re.compile(
    r"[\w\]\")…-]*/[\w.\[…-]*|[\w-]+\.(toml|json|jsonl|txt|png|safetensors|pt|tensor|part)\b|\bCOMPLETE\b"
)


# -- what a command says ----------------------------------------------------------------------------------------------


def is_absent(ended: Ended) -> bool:
    """Whether this version has no such verb."""
    return ended.code == 2 and ("unknown option" in ended.said or "unrecognized arguments" in ended.said)


def of_words(ended: Ended, codes: Iterable[int] = CODES) -> list[str]:
    """Of a command that may do its work or refuse: how it ended and what it said."""
    if is_absent(ended):
        return []
    if ended.hung:
        return [f"hangs: {ended.line} (killed after {ended.seconds:.0f} s)"]
    lost = [] if ended.code in codes else [f"ended with {ended.code}: {ended.line}"]
    if _TRACEBACK in ended.said:
        lost.append(f"traceback: {_innermost(ended.said)}")
    elif raw := _RAW.search(ended.said):
        lost.append(f"raw error: {ended.said[raw.start(1) :].splitlines()[0][:200]}")
    said = ended.said.replace("\r\n", "\n")  # as CSV has its lines
    if odd := (controls(said) | (_BIDI & set(said))) - {"\t"}:
        lost.append(f"control characters in the output: {', '.join(sorted(f'U+{ord(c):04X}' for c in odd))}")
    if ended.code == 2 and not _A_FILE.search(ended.said):
        lost.append(f"a refusal that names no file: {ended.said.strip()[:200]!r}")
    return lost


def _innermost(said: str) -> str:
    """`loratui/x.py:12 in f: KeyError`: the last frame of ours, and the error, by which like faults are told."""
    after = said[said.rindex(_TRACEBACK) :]
    frames = _FRAME.findall(after)
    error = next(
        (line for line in reversed(after.splitlines()) if re.match(r"[\w.]+(Error|Exception|Exit)?\b", line)), ""
    )
    ours = [frame for frame in frames if frame[0].startswith("loratui")] or frames or [("?", "0", "?")]
    file, line, function = ours[-1]
    return f"{file}:{line} in {function}: {error.partition(':')[0]}"


# -- what a run holds -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Whole:
    """All of a run that does not depend on the time, the run's name or the sittings it took."""

    files: frozenset[str]
    tensors: Mapping[str, str]  # of each LoRA: a hash of names, shapes and bytes, without metadata
    pixels: Mapping[str, str]
    losses: Mapping[int, float]
    probes: Mapping[int, float]
    scores: Any = field(default=None)

    def differences(self, wanted: Whole, more: str = "") -> list[str]:
        """What this run lacks, or has otherwise, than `wanted`; file names that match `more` may be there besides."""
        lost = [f"missing: {name}" for name in sorted(wanted.files - self.files)]
        for name in sorted(self.files - wanted.files):
            if not (MAY_BE_THERE.fullmatch(name) or (more and re.fullmatch(more, name))):
                lost.append(f"left over: {name}")
        for what, mine, theirs in (("LoRA", self.tensors, wanted.tensors), ("picture", self.pixels, wanted.pixels)):
            lost += [
                f"another {what}: {name}" for name in sorted(theirs) if name in mine and mine[name] != theirs[name]
            ]
        for what, ours, others in (("loss", self.losses, wanted.losses), ("probe loss", self.probes, wanted.probes)):
            off = sorted(step for step in {*ours, *others} if ours.get(step) != others.get(step))
            lost += [f"another {what} at steps {', '.join(map(str, off))}"] if off else []
        if not lost and self.scores != wanted.scores:
            lost.append("other scores.json, with the same pictures")
        return lost


def read_whole(run: Path) -> Whole:
    """What is on disk. Files that cannot be read stand in it as what is wrong with them."""
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    tensors = {name: tensors_of(run / name) for name in files if name.endswith(".safetensors")}
    pixels = {name: pixels_of(run / name) for name in files if name.endswith(".png")}
    losses, probes = series_of(run / "events.jsonl")
    kept = {name for name in files if not name.startswith("resume/")}
    return Whole(frozenset(kept), tensors, pixels, losses, probes, _scores_of(run / "scores.json"))


def tensors_of(file: Path) -> str:
    """A hash of the tensors of a .safetensors file: names, types, shapes and bytes."""
    content = file.read_bytes()
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        digest = hashlib.sha256()
        for name in sorted(set(header) - {"__metadata__"}):
            about = header[name]
            start, end = about["data_offsets"]
            digest.update(f"{name} {about['dtype']} {about['shape']}".encode())
            digest.update(content[8 + length + start : 8 + length + end])
    except (ValueError, KeyError, TypeError) as error:
        return f"cannot be read: {error}"
    return digest.hexdigest()


def pixels_of(file: Path) -> str:
    try:
        with Image.open(file) as image:
            return f"{image.mode} {image.size} {hashlib.sha256(image.tobytes()).hexdigest()}"
    except (OSError, ValueError, SyntaxError) as error:
        return f"cannot be read: {error}"


def series_of(log: Path) -> tuple[dict[int, float], dict[int, float]]:
    """Losses and probe losses by step as they count: what was said past the step that a sitting began with is gone."""
    series: dict[str, dict[int, float]] = {"step": {}, "probe": {}}
    for event in _events(log):
        step = event.get("step")
        if event.get("kind") == "state" and event.get("state") == "running" and isinstance(step, int):
            for one in series.values():
                for past in [number for number in one if number > step]:
                    del one[past]
        elif event.get("kind") in series and isinstance(step, int):
            series[event["kind"]][step] = event.get("loss")  # None in a line that the campaign itself damaged
    return series["step"], series["probe"]


def _events(log: Path) -> list[dict[str, Any]]:
    if not log.is_file():
        return []
    found = []
    for line in log.read_bytes().split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


def _scores_of(file: Path) -> Any:
    try:
        scores = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return scores.get("scores") if isinstance(scores, dict) else None


def of_run(run: Path, wanted: Whole, *, more: str = "", torn: bool = False) -> list[str]:
    """A run that was disturbed and went on to its end, beside the one that was not. `torn`: lines may be."""
    lost = read_whole(run).differences(wanted, more)
    lost += [f"left over: {path.relative_to(run)}" for path in sorted(run.rglob("*")) if ".part" in path.name]
    lost += [f"left over: {path.relative_to(run)}" for path in sorted((run / "requests").iterdir())]
    content = (run / "events.jsonl").read_bytes()
    if not torn:
        for number, line in enumerate(content.split(b"\n")[:-1], start=1):
            try:
                json.loads(line)
            except ValueError:
                lost.append(f"a torn line: events.jsonl:{number}")
    if not content.endswith(b"\n"):
        lost.append("events.jsonl ends within a line")
    last = [event for event in _events(run / "events.jsonl") if event.get("kind") == "state"][-1:]
    if not last or last[0].get("state") != "finished":
        lost.append(f"its last state is not finished: {last}")
    return list(dict.fromkeys(lost)) + of_states(run)


def of_states(run: Path) -> list[str]:
    """The states to resume from: there, marked complete, and archives whose checksums are right."""
    import zipfile

    lost, states = [], sorted((run / "resume").iterdir())
    if not states:
        lost.append("no state in resume/")
    for state in states:
        try:
            with zipfile.ZipFile(state / "state.pt") as archive:
                if bad := archive.testzip():
                    lost.append(f"resume/{state.name}/state.pt: {bad} is damaged")
            progress = json.loads((state / "progress.json").read_bytes())
            if f"step-{progress['step']:06d}" != state.name:
                lost.append(f"resume/{state.name} is of step {progress['step']}")
            (state / "COMPLETE").stat()
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            lost.append(f"resume/{state.name} cannot be loaded: {error}")
    return lost


def of_record(run: Path) -> list[str]:
    try:
        tomllib.loads((run / "run.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"run.toml: {error}"]
    return []


# -- what must not change ---------------------------------------------------------------------------------------------


def contents(paths: Iterable[Path]) -> dict[Path, str]:
    """A hash of each file, of what is below each folder, and of where each link points."""
    found: dict[Path, str] = {}
    for path in paths:
        inside = [path, *sorted(path.rglob("*"))] if path.is_dir() and not path.is_symlink() else [path]
        for one in inside:
            if one.is_symlink():
                found[one] = f"-> {one.readlink()}"
            elif one.is_file():
                found[one] = hashlib.sha256(one.read_bytes()).hexdigest()
            else:
                found[one] = "a folder" if one.is_dir() else "something else" if one.exists() else "nothing"
    return found


def of_contents(before: Mapping[Path, str], after: Mapping[Path, str], whose: str) -> list[str]:
    """What was changed, is gone, or is new among files that nobody was to touch."""
    lost = []
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            what = "new" if path not in before else "gone" if after.get(path, "nothing") == "nothing" else "changed"
            lost.append(f"{whose} {what}: {path.name}")
    return lost
