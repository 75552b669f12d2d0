"""project.toml read, overrides laid over it, and everything wrong with either said at once, with file and line.

Reads one file and writes none. What the keys are and which values fit is in settings.py, what stands around them in
experiment.py, and which settings contradict each other in layers.py.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import read_file
from loratui.lab.project.checking import check, check_document, tables_of, unknown_words
from loratui.lab.project.experiment import (
    Claim,
    Matrix,
    Variant,
    read_claims,
    read_matrix,
    read_variants,
    variant_caption,
    variant_prompts,
)
from loratui.lab.project.layers import Conflict, Layer, conflicts, layered
from loratui.lab.project.schema import KeyPath, Problem, printable
from loratui.lab.project.settings import RULES, Settings, build
from loratui.lab.toml.places import line_at, lines_of

__all__ = ["Claim", "Project", "Variant", "load_project", "settings_with", "variant_caption", "variant_settings"]

FILE_NAME = "project.toml"
_AROUND = ("variant", "claim", "matrix")  # the top-level names that are no settings


@dataclass(frozen=True)
class Project:
    """A project.toml that was found in order. Paths in its settings are relative to `folder`."""

    file: Path
    folder: Path
    name: str
    settings: Settings
    variants: tuple[Variant, ...] = ()
    claims: tuple[Claim, ...] = ()
    matrix: Matrix = field(default_factory=dict)
    given: Layer = field(default_factory=dict)  # by the file
    overrides: Layer = field(default_factory=dict)  # by --set
    variant: Variant | None = None  # that the settings are those of, and that changes the captions; None: as written

    def dataset_folder(self, settings: Settings | None = None) -> Path:
        """The folder that `dataset.path` speaks of, of these settings or of the project's own."""
        return self.folder / Path((settings or self.settings).dataset.path).expanduser()


def settings_with(project: Project, changes: Layer) -> Settings:
    """The project's settings with checked values laid over the file's; --set still wins over both."""
    return build(layered(project.given, changes, project.overrides))


def variant_settings(project: Project, variant: Variant, further: Layer | None = None) -> Settings:
    """The settings a variant is trained with, with `further` ones over its own. Its captions are `variant_caption`'s.

    Tags that it replaces in the captions it replaces in the prompts too, and in the trigger, unless it has its own.
    """
    over = layered(variant.overrides, further or {})
    return variant_prompts(settings_with(project, over), variant, over)


def load_project(path: Path, overrides: Sequence[str] = ()) -> Project:
    """Read a project.toml, or the one in a folder, with `KEY=VALUE` overrides laid over it.

    Raises LabError with one line a problem, in the order of the file, those of overrides last.
    """
    file = _file_at(Path(path))
    return project_of_text(file, _text_of(file), overrides)


def project_of_text(file: Path, text: str, overrides: Sequence[str] = ()) -> Project:
    """The project that `text` makes, read as the content of `file`; nothing is read from disk. LabError as above."""
    try:
        return _project_of(file, text, overrides)
    except RecursionError:
        raise LabError(f"{file}: the brackets are nested too deeply to be read") from None


def _project_of(file: Path, text: str, overrides: Sequence[str]) -> Project:
    document = _document_of(file, text)
    problems: list[Problem] = []
    given = check_document(RULES, {k: v for k, v in document.items() if k not in _AROUND}, (), problems)
    variants = read_variants(document.get("variant", []), problems)
    claims = read_claims(document.get("claim", []), problems)
    matrix = read_matrix(document.get("matrix", {}), problems)
    over = _read_overrides(overrides)
    faults = over.faults

    def contradictions(changes: Layer, at: KeyPath, known: Sequence[Conflict]) -> list[Conflict]:
        # A value that was refused is missing from its layer, so nothing is concluded from its key.
        doubtful = [*over.refused, *_refused(problems, ()), *_refused(problems, at)]
        found = conflicts(layered(given, changes, over.values))
        return [clash for clash in found if clash not in known and not clash.touches(doubtful)]

    own = contradictions({}, (), [])
    for clash in own:
        key = next((key for key in clash.keys if key in over.values), "")
        if key:
            faults.append(f"{over.places[key]}: {clash.subject}: {clash.message}")
        else:
            problems.append(_clash_in((), given, clash))
    for index, variant in enumerate(variants):
        for clash in contradictions(variant.overrides, ("variant", index), own):
            problems.append(_clash_in(("variant", index), variant.overrides, clash))
    firsts = {key: values[0] for key, values in matrix.items()}
    reported = list(own)
    for trial in [{**firsts, key: value} for key, values in matrix.items() for value in values]:
        for clash in contradictions(trial, ("matrix",), reported):
            problems.append(_clash_in(("matrix",), trial, clash))
            reported.append(clash)

    if problems or faults:
        lines = lines_of(text) if problems else {}
        raise LabError("\n".join([*_placed(file, lines, problems), *faults]))
    return Project(
        file=file,
        folder=file.parent,
        name=file.resolve().parent.name if file.name == FILE_NAME else file.stem,
        settings=build(layered(given, over.values)),
        variants=variants,
        claims=claims,
        matrix=matrix,
        given=given,
        overrides=over.values,
    )


def _clash_in(path: KeyPath, written: Layer, clash: Conflict) -> Problem:
    key = next((key for key in clash.keys if key in written), "")
    return Problem((*path, *key.split(".")), clash.message, clash.subject)


def _refused(problems: Sequence[Problem], table: KeyPath) -> list[str]:
    """The dotted keys, or whole tables, under `table` whose values were found wrong."""
    under = [problem.path[len(table) :] for problem in problems if problem.path[: len(table)] == table]
    return [".".join(part for part in path if isinstance(part, str)) for path in under]


def _placed(file: Path, lines: dict[KeyPath, int], problems: Sequence[Problem]) -> list[str]:
    """The problems as `file:line: text`, in the order of the file."""
    placed = [(line_at(lines, problem.path), problem.text) for problem in problems]
    placed.sort(key=lambda pair: pair[0] or 0)
    return [f"{file}:{line}: {text}" if line else f"{file}: {text}" for line, text in placed]


# --- the file -----------------------------------------------------------------------------------------------------


def _file_at(path: Path) -> Path:
    if not path.is_dir():
        return path
    file = path / FILE_NAME
    if not file.exists():
        raise LabError(f"{path}: there is no {FILE_NAME} in this folder; give a project's folder or its {FILE_NAME}")
    return file


def _text_of(file: Path) -> str:
    try:
        data = read_file(file)
    except FileNotFoundError:
        raise LabError(f"{file}: there is no such file; give a project's folder or its {FILE_NAME}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LabError(f"{file}: cannot be read: {reason}") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise LabError(f"{file}:{line}: byte 0x{byte:02x} is not UTF-8; save the file with UTF-8 encoding") from None
    return text.removeprefix("\ufeff")


def _document_of(file: Path, text: str) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or an integer of more digits than Python converts
        at = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
        reason = re.sub(r" \(at .*?\)$", "", str(error))
        if at:
            raise LabError(f"{file}:{at[1]}: not valid TOML at column {at[2]}: {reason}") from None
        if str(error).endswith("(at end of document)"):
            last = len(text.rstrip("\n").split("\n"))
            raise LabError(f"{file}:{last}: not valid TOML at the end of the file: {reason}") from None
        raise LabError(f"{file}: not valid TOML: {reason}") from None
    if not document:
        raise LabError(f'{file}: nothing is written in it; the least is [dataset] with path = "a folder of images"')
    return document


# --- overrides ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Overrides:
    values: dict[str, Any]
    places: dict[str, str]  # by key, the words it was given in
    faults: list[str]  # a line each
    refused: list[str]  # the keys of the faults


def _read_overrides(overrides: Sequence[str]) -> _Overrides:
    over = _Overrides({}, {}, [], [])
    for override in overrides:
        key, equals, raw = (part.strip() for part in override.partition("="))
        place = f"--set {printable(override)}"
        problems: list[Problem] = []
        if not equals or not key:
            over.faults.append(f"{place}: expected KEY=VALUE, such as train.epochs=2")
        elif key not in RULES:
            over.faults.append(f"{place}: {key}: {_unknown_override(key)}")
        else:
            value = check(RULES[key], _override_value(key, raw), tuple(key.split(".")), problems)
            if problems:
                over.refused.append(key)
                over.faults.extend(f"{place}: {problem.text}" for problem in problems)
            else:
                over.values[key], over.places[key] = value, place
    return over


def _unknown_override(key: str) -> str:
    if key in tables_of(RULES):
        example = next(rule.key for rule in RULES.values() if rule.table == key)
        return f"this is a table; name one of its keys, such as {example}"
    if key.split(".")[0] in _AROUND:
        return f"only settings can be overridden; change {key.split('.')[0]} in the file"
    return unknown_words(RULES, key)


def _override_value(key: str, raw: str) -> Any:
    """`raw` read as a TOML value; as it stands where it is none, or where a string is asked for and it is another."""
    try:
        document = tomllib.loads(f"value = {raw}")
    except (ValueError, RecursionError):
        return raw
    if set(document) != {"value"}:
        return raw
    value = document["value"]
    return raw if RULES[key].kind == "str" and not isinstance(value, str) else value
