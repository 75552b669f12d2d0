"""How one person likes the bench: theme, keys, pictures, where projects are. A TOML file in their config folder.

Read and written whole; a hand-written file keeps its comments. A file with faults in it stops nothing: what is wrong
is told, and the defaults stand in. Settings of projects are elsewhere (settings.py).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import make_folder, read_file, write_atomic
from loratui.lab.plain import plain
from loratui.lab.project.checking import check, near_words
from loratui.lab.project.schema import Problem, Rule, rules_of, setting, show
from loratui.lab.toml.places import line_at, lines_of

FILE_NAME = "config.toml"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Preferences:
    """What may stand in config.toml, with its defaults."""

    theme: str = setting("textual-dark", "Colours of the bench; the palette (ctrl+p) lists the themes there are.")
    folder: str = setting(
        "", "Folder of projects that opens without an argument; empty: ./projects, else the data folder."
    )
    pictures: str = setting(
        "auto", "How full-size pictures are shown; auto asks nothing of the terminal and goes by its name.",
        choices=("auto", "kitty", "iterm2", "sixel", "blocks"),
    )  # fmt: skip
    refresh: float = setting(2.0, "How often a live run is looked at.", low=0.2, high=10, unit="times a second")
    editor: str = setting("", "Command that edits text files; empty: $VISUAL, else $EDITOR, else vi.")
    viewer: str = setting("", "Command that opens a picture outside the terminal; empty: the desktop's own.")
    keymap: Mapping[str, str] = field(default_factory=dict)  # binding id -> keys, such as {"run.pause": "p,space"}

    @property
    def editor_command(self) -> str:
        return self.editor or os.environ.get("VISUAL", "") or os.environ.get("EDITOR", "") or "vi"


PREFERENCE_RULES: dict[str, Rule] = rules_of(Preferences)


def config_file() -> Path:
    """LORATUI_CONFIG, else config.toml in XDG_CONFIG_HOME/loratui or ~/.config/loratui. It may not exist yet."""
    own = os.environ.get("LORATUI_CONFIG", "")
    if own:
        return Path(own).expanduser().absolute()
    return _xdg("XDG_CONFIG_HOME", ".config") / FILE_NAME


def default_folder(preferences: Preferences | None = None) -> Path:
    """Where projects are when nobody says: ./projects if it is there, else the preferred or the data folder."""
    here = Path.cwd() / "projects"
    if here.is_dir():
        return here
    if preferences and preferences.folder:
        return Path(preferences.folder).expanduser().absolute()
    return _xdg("XDG_DATA_HOME", ".local/share") / "projects"


def read_preferences(file: Path | None = None) -> tuple[Preferences, tuple[str, ...]]:
    """The preferences, and a line for each fault in the file. A missing file is no fault."""
    place = file or config_file()
    try:
        text = read_file(place, _MOST_BYTES).decode("utf-8-sig")
        document = tomllib.loads(text)
    except FileNotFoundError:
        return Preferences(), ()
    except (OSError, ValueError, RecursionError) as error:
        return Preferences(), (f"{plain(place)}: cannot be read, so the defaults are used: {cause_of(error)}",)
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in document.items():
        before = len(problems)
        if name == "keymap":
            values[name] = _keymap(value, problems)
        elif name in PREFERENCE_RULES:
            fit = check(PREFERENCE_RULES[name], value, (name,), problems)
            if len(problems) == before:
                values[name] = fit
        else:
            problems.append(Problem((name,), f"unknown key; {near_words(name, [*PREFERENCE_RULES, 'keymap'])}"))
    lines = lines_of(text) if problems else {}
    faults = tuple(f"{plain(place)}:{line_at(lines, p.path) or 1}: {plain(p.text)}" for p in problems)
    return Preferences(**values), faults


def write_preference(name: str, value: Any, file: Path | None = None) -> None:
    """Set one preference in the file; the rest of it, comments too, stays as it is. LabError when it does not fit."""
    import tomlkit

    place = file or config_file()
    problems: list[Problem] = []
    value = _keymap(value, problems) if name == "keymap" else check(PREFERENCE_RULES[name], value, (name,), problems)
    if problems:
        raise LabError(f"{plain(place)}: {plain(problems[0].text)}")
    try:
        document = tomlkit.parse(read_file(place, _MOST_BYTES).decode("utf-8-sig"))
    except FileNotFoundError:
        document = tomlkit.document()
        document.add(
            tomlkit.comment("Preferences of loratui; the bench's preferences screen says what each one means.")
        )
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(f"{plain(place)}: cannot be read, so nothing was written: {cause_of(error)}") from error
    document[name] = dict(value) if name == "keymap" else value
    make_folder(place.parent)
    write_atomic(place, tomlkit.dumps(document))


def changed_preferences(preferences: Preferences) -> dict[str, Any]:
    """Those that are not as they come."""
    default = Preferences()
    return {
        f.name: getattr(preferences, f.name)
        for f in fields(Preferences)
        if getattr(preferences, f.name) != getattr(default, f.name)
    }


def _keymap(value: Any, problems: list[Problem]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        problems.append(Problem(("keymap",), f'expected a table such as {{ "run.pause" = "p" }}, got {show(value)}'))
        return {}
    good = {}
    for name, keys in value.items():
        if isinstance(keys, str) and keys.strip():
            good[str(name)] = keys
        else:
            problems.append(Problem(("keymap", str(name)), f'expected keys such as "p" or "p,space", got {show(keys)}'))
    return good


def _xdg(variable: str, fallback: str) -> Path:
    base = Path(os.environ.get(variable, ""))
    # The XDG rules: a relative path is to be ignored.
    return (base if base.is_absolute() else Path.home() / fallback) / "loratui"
