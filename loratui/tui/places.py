"""Where one can be in the bench: a screen and what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loratui.tui.screens.base import BenchScreen

# The screens there are, by name: their key in the go menu, their word, and where their class is. Imported when first
# gone to, so that the bench opens fast.
SCREENS: dict[str, tuple[str, str, str]] = {
    "projects": ("p", "Projects", "loratui.tui.screens.projects:ProjectsScreen"),
    "dataset": ("d", "Dataset", "loratui.tui.screens.dataset:DatasetScreen"),
    "settings": ("s", "Settings", "loratui.tui.screens.settings:SettingsScreen"),
    "run": ("r", "Run", "loratui.tui.screens.run:RunScreen"),
    "compare": ("c", "Compare", "loratui.tui.screens.compare:CompareScreen"),
    "notes": ("n", "Notes", "loratui.tui.screens.notes:NotesScreen"),
    "findings": ("f", "Findings", "loratui.tui.screens.findings:FindingsScreen"),
    "picture": ("", "Picture", "loratui.tui.screens.picture:PictureScreen"),
    "preferences": (",", "Preferences", "loratui.tui.screens.preferences:PreferencesScreen"),
}
TABS = ("projects", "dataset", "settings", "run", "compare", "notes", "findings")  # those in the header


@dataclass(frozen=True)
class Place:
    """A screen and its subject: a project's folder, the folders of runs, a picture's file."""

    screen: str
    project: Path | None = None
    runs: tuple[Path, ...] = ()
    picture: Path | None = None


def screen_at(place: Place) -> BenchScreen:
    """A new screen for a place."""
    from importlib import import_module

    module, _, name = SCREENS[place.screen][2].partition(":")
    screen: BenchScreen = getattr(import_module(module), name)(place)
    return screen
