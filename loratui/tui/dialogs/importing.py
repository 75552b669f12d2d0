"""Which pictures to copy into a dataset: paths, typed or pasted, as many as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Static, TextArea

from loratui.lab.dataset.imagefiles import FORMATS
from loratui.lab.dataset.importing import Imported, read_paste
from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line

_MOST_LISTED = 200


class ImportDialog(Dialog[list[Path]]):
    """The paths that are there, or None."""

    WIDTH = 90
    HELP = "Pictures are copied into the dataset with the captions beside them. Nothing there is ever overwritten."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+s", "copy_in", "Copy them", id="import.copy", priority=True, tooltip="Copy them into the dataset"
        ),
    ]
    DEFAULT_CSS = """
    ImportDialog {
        & TextArea { height: 10; border: round $foreground 30%; background: $surface; }
        & TextArea:focus { border: round $primary; }
        & #found { height: auto; max-height: 4; margin: 0 1; }
    }
    """

    def __init__(self, folder: Path, text: str = "") -> None:
        super().__init__(f"Copy pictures into {plain(folder.name, 40)}")
        self._text = text
        self._paths: list[Path] = []

    def content(self) -> ComposeResult:
        yield Static(
            f"Paths of pictures, or of folders with pictures ({', '.join(FORMATS)}); captions beside them come along.",
            classes="hint", markup=False,
        )  # fmt: skip
        yield TextArea(plain(self._text, newlines=True), tab_behavior="focus", show_line_numbers=False)
        yield Static("", id="found", markup=False)
        with Horizontal(classes="buttons"):
            yield Button("Cancel", id="cancel")
            yield Button("Copy them (ctrl+s)", id="copy", variant="primary", disabled=True)

    def on_mount(self) -> None:
        field = self.query_one(TextArea)
        field.cursor_blink = False
        field.move_cursor(field.document.end)
        field.focus()
        self._look(self._text)

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        # What was pasted may hold names that can only be shown made plain; those are looked at as they were.
        text = event.text_area.text
        self._look(self._text if text == plain(self._text, newlines=True) else text)

    @work(exclusive=True, group="paths", thread=False, exit_on_error=False)
    async def _look(self, text: str) -> None:
        try:
            paths = read_paste(text)
        except LabError as error:
            self._say([], f"✗ {error}")
            return
        there = [path for path in paths if _exists(path)]
        missing = [path for path in paths if path not in there]
        words = f"{len(there):,} found" if paths else "nothing yet: paste paths here, or drop files onto the terminal"
        if missing:
            words += f"; not there: {', '.join(plain(path, 60) for path in missing[:3])}"
            words += f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        self._say(there, words)

    def _say(self, paths: list[Path], words: str) -> None:
        self._paths = paths
        self.query_one("#found", Static).update(line(words))
        self.query_one("#copy", Button).disabled = not paths

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "copy":
            self.action_copy_in()
        else:
            self.action_cancel()

    def action_copy_in(self) -> None:
        if self._paths:
            self.dismiss(self._paths)


def _exists(path: Path) -> bool:
    try:
        return path.expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def import_report(imported: Imported) -> Content:
    """What was copied and what was not, and why, to be read."""
    parts: list[str | tuple[str, str]] = [(f"{_count(len(imported.copied), 'picture')} copied", "bold"), "\n"]
    parts += _listed([plain(name) for name in imported.copied])
    parts += ["\n", (f"{_count(len(imported.skipped), 'file')} left out", "bold"), "\n"]
    parts += _listed([plain(item) for item in imported.skipped])
    return Content.assemble(*parts)


def _listed(items: Sequence[str]) -> list[str]:
    more = [f"  … and {len(items) - _MOST_LISTED:,} more\n"] if len(items) > _MOST_LISTED else []
    return [f"  {item}\n" for item in items[:_MOST_LISTED]] + more


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
