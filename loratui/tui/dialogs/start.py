"""Before a run is started: what the check finds, what it will take, and what differs from the run before.

Errors keep it from starting. Everything is looked at in processes of their own; a started worker lives on without
this interface.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.plain import plain
from loratui.tui.dialogs.base import Dialog
from loratui.tui.outlooklines import against_lines, arithmetic_lines, fault_lines, finding_lines, joined
from loratui.tui.text import line

if TYPE_CHECKING:
    from loratui.lab.project.measured import Measured
    from loratui.lab.project.outlook import Outlook
    from loratui.lab.project.preview import Preview


class StartDialog(Dialog[Path]):
    """`StartDialog(project_folder, overrides)` answers with the folder of the run that was started, or None.

    `against` is the run to compare with; without it the project's last one.
    """

    HELP = (
        "A run is frozen before its first step: settings, captions, hashes and versions are written into a folder of "
        "its own. What is said here is what it would be frozen with. Change one thing at a time: when more than one "
        "factor differs from the run before, what shows could come from any of them."
    )
    WIDTH: ClassVar[int] = 90
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,R", "start", "Start", id="start.yes", tooltip="Freeze the run and start training"),
        Binding("n", "cancel", "Not yet", id="start.no", tooltip="Start nothing"),
        Binding("left,right", "other", show=False, id="start.other"),
        Binding("up,k", "scroll(-1)", show=False, id="start.up"),
        Binding("down,j", "scroll(1)", show=False, id="start.down"),
    ]
    DEFAULT_CSS = """
    StartDialog #found { height: auto; max-height: 20; scrollbar-size-vertical: 1; padding: 0 1; }
    StartDialog #found Static { height: auto; }
    StartDialog .buttons { margin: 0; }
    """

    def __init__(self, project: Path, overrides: Sequence[str] = (), against: Path | None = None) -> None:
        super().__init__(f"Start a run of {plain(project.name, 40)}?")
        self.project = project
        self.overrides = tuple(overrides)
        self._against = against
        self._gone = False
        self.preview: Preview | None = None
        self.is_starting = False

    def content(self) -> ComposeResult:
        with VerticalScroll(id="found", can_focus=False):
            yield Static(Content.styled("looking at images, captions and past runs…", "$foreground 60%"), markup=False)
        with Horizontal(classes="buttons"):
            yield Button(line("Not yet (n)"), id="no", variant="primary")
            yield Button(line("Start (y)"), id="yes", disabled=True)

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()
        self._look()

    # -- looking ------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            found, figures = await loop.run_in_executor(None, self._find)
        except Cancelled:
            return
        except (LabError, OSError) as error:
            self._show(fault_lines(str(error).splitlines()))
            return
        self.preview = found
        sections = [] if found.error else [arithmetic_lines(figures), against_lines(found.against)]
        if self.overrides:
            sections.insert(
                0, [Content.assemble(("changed for this run: ", "bold"), plain(", ".join(self.overrides), 300))]
            )
        sections.append(finding_lines(found))
        gaps = [[Content("")] if number else [] for number in range(len(sections))]
        self._show([text for gap, section in zip(gaps, sections, strict=True) for text in (*gap, *section)])
        self.query_one("#yes", Button).disabled = not self.can_start

    def _find(self) -> tuple[Preview, Outlook]:
        from loratui.lab.project.outlook import Outlook, outlook
        from loratui.lab.project.preview import preview_apart
        from loratui.lab.project.project import load_project
        from loratui.lab.run.runs import list_runs

        runs = list_runs(self.project)
        against = self._against or (runs[-1].path if runs else None)
        seen = preview_apart(self.project / "project.toml", self.overrides, against, self._go_on)
        if seen.error:
            return seen, Outlook()
        settings = load_project(self.project, self.overrides).settings
        return seen, outlook(settings, seen, measured_around(self.project))

    def _go_on(self, done: int, total: int) -> None:
        if self._gone or getattr(self.app, "leaving", False):
            raise Cancelled

    def _show(self, lines: Sequence[Content]) -> None:
        if not self._gone:
            self.query_one("#found Static", Static).update(joined(lines))

    @property
    def can_start(self) -> bool:
        """Whether everything was looked at and nothing forbids it."""
        found = self.preview
        return found is not None and not found.error and not found.errors and not self.is_starting

    # -- starting -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.can_start if action == "start" else True

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self.action_start()
        else:
            self.action_cancel()

    def action_start(self) -> None:
        if self.can_start:
            self.is_starting = True
            self.query_one("#yes", Button).disabled = True
            self._show([Content.styled("freezing the run and starting its worker…", "$foreground 60%")])
            self._start()

    @work(exclusive=True, group="start", exit_on_error=False)
    async def _start(self) -> None:
        from loratui.lab.run.launch import start_project

        loop = asyncio.get_running_loop()
        try:
            run = await loop.run_in_executor(None, start_project, self.project / "project.toml", self.overrides)
        except (LabError, OSError) as error:
            self.is_starting = False
            self.preview = None  # what was seen is not so any more
            self._show(fault_lines(["nothing was started:", *str(error).splitlines()]))
            return
        if not self._gone:
            self.dismiss(run.path)

    def action_cancel(self) -> None:
        if not self.is_starting:  # a run that is being frozen is started in a moment, and then there is one
            self._gone = True
            self.dismiss(None)

    def action_other(self) -> None:
        self.focus_next(Button)

    def action_scroll(self, by: int) -> None:
        self.query_one("#found", VerticalScroll).scroll_relative(y=by, animate=False)


def measured_around(project: Path) -> list[Measured]:
    """What runs of the project took here, and then those of the projects beside it."""
    from loratui.lab.project.measured import measured

    try:
        beside = [place for place in sorted(project.parent.iterdir()) if place != project and (place / "runs").is_dir()]
    except OSError:
        beside = []
    return measured([project, *beside[:20]])
