"""Before runs are started: what they would be, what the check finds, what they will take, and what differs.

The project as written is held against the run before it; a choice of variants, a matrix or several training seeds is
shown as a plan. Errors keep all of it from starting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button

from loratui.lab.patience import Cancelled
from loratui.lab.plain import plain
from loratui.lab.run.seriesapart import Asked, PlanTold, plan_apart, start_apart
from loratui.tui.dialogs.startbase import PlanDialog
from loratui.tui.dialogs.variants import WhatToTrain, plan_lines
from loratui.tui.outlooklines import against_lines, arithmetic_lines, finding_lines

if TYPE_CHECKING:
    from loratui.lab.project.measured import Measured
    from loratui.lab.project.outlook import Outlook
    from loratui.lab.project.preview import Preview
    from loratui.lab.project.project import Project
    from loratui.lab.run.runs import RunFolder


@dataclass(frozen=True)
class _Seen:
    """What a look at a project found: of the project as written, or the plan of what was chosen."""

    project: Project | None = None
    preview: Preview | None = None
    figures: Outlook | None = None
    plan: PlanTold | None = None


class StartDialog(PlanDialog):
    """`StartDialog(project_folder, overrides)` answers with the folder of the first run that was started, or None.

    `against` is the run to compare the project as written with; without it the project's last one.
    """

    HELP = (
        "A run is frozen before its first step: settings, captions, hashes and versions are written into a folder of "
        "its own. What is said here is what it would be frozen with. Change one thing at a time: when more than one "
        "factor differs from the run before, what shows could come from any of them.\n\n"
        "v goes to what is trained: the project, its variants, its matrix, and how many training seeds of each. Space "
        "marks, a marks all. Runs that train the very same thing are not made again. Several runs are frozen at once, "
        "and wait for the device in this order."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "choose", "What to train", id="start.choose",
                tooltip="Choose variants, the matrix and training seeds"),
    ]  # fmt: skip

    def __init__(self, project: Path, overrides: Sequence[str] = (), against: Path | None = None) -> None:
        super().__init__(f"Start a run of {plain(project.name, 40)}?")
        self.project = project
        self.overrides = tuple(overrides)
        self._against = against
        self.preview: Preview | None = None  # of the project as written
        self.plan: PlanTold | None = None  # of anything else
        self._asked = Asked(project / "project.toml", self.overrides)
        self._looks = 0

    def choices(self) -> ComposeResult:
        yield WhatToTrain(id="what")

    def on_mount(self) -> None:  # beside that of PlanDialog: Textual calls both
        self.query_one("#box").border_subtitle = "v what to train · y start · esc leaves"

    @on(WhatToTrain.Changed)
    def _chosen(self, event: WhatToTrain.Changed) -> None:
        chosen = event.selection
        asked = Asked(self._asked.file, self.overrides, chosen.variants, chosen.matrix, chosen.repeats)
        if asked == self._asked or self.is_starting:
            return
        self._asked = asked
        self.forget()
        self.query_one("#yes", Button).disabled = True
        self._looks += 1
        self.show_lines([Content.styled("looking at what that comes to…", "$foreground 60%")])
        if asked.variants:
            self._look()
        else:
            self.workers.cancel_group(self, "look")
            self.show_lines([Content("Nothing is marked: mark what is to be trained with space.")])

    def forget(self) -> None:
        self.preview = self.plan = None

    def look(self) -> _Seen:
        from loratui.lab.project.outlook import Outlook, outlook
        from loratui.lab.project.preview import preview_apart
        from loratui.lab.project.project import load_project
        from loratui.lab.run.runs import list_runs

        number, asked = self._looks, self._asked

        def go_on(done: int, total: int) -> None:
            if number != self._looks:
                raise Cancelled
            self.go_on(done, total)

        if not asked.is_plain:
            return _Seen(plan=plan_apart(asked, go_on))
        runs = list_runs(self.project)
        against = self._against or (runs[-1].path if runs else None)
        seen = preview_apart(asked.file, self.overrides, against, go_on)
        if seen.error:
            return _Seen(preview=seen, figures=Outlook())
        project = load_project(self.project, self.overrides)
        return _Seen(project, seen, outlook(project.settings, seen, measured_around(self.project)))

    def shown(self, found: object) -> list[Content]:
        assert isinstance(found, _Seen)
        self.preview, self.plan = found.preview, found.plan
        if found.project is not None:
            self.query_one(WhatToTrain).offer(found.project.variants, found.project.matrix)
            self.call_after_refresh(self.fit)
        if found.plan is not None:
            return plan_lines(found.plan, self.size.width >= 100)
        preview, figures = found.preview, found.figures
        assert preview is not None and figures is not None
        sections = [] if preview.error else [arithmetic_lines(figures), against_lines(preview.against)]
        if self.overrides:
            sections.insert(
                0, [Content.assemble(("changed for this run: ", "bold"), plain(", ".join(self.overrides), 300))]
            )
        sections.append(finding_lines(preview))
        gaps = [[Content("")] if number else [] for number in range(len(sections))]
        return [text for gap, section in zip(gaps, sections, strict=True) for text in (*gap, *section)]

    @property
    def is_ready(self) -> bool:
        if self.plan is not None:
            return not self.plan.errors and bool(self.plan.to_start)
        found = self.preview
        return found is not None and not found.error and not found.errors

    @property
    def starting_words(self) -> str:
        return "freezing the runs and starting their workers…" if self.plan else super().starting_words

    def start(self) -> list[RunFolder]:
        from loratui.lab.run.launch import start_project

        if self._asked.is_plain:
            return [start_project(self._asked.file, self.overrides)]
        runs = start_apart(self._asked)
        if len(runs) > 1:
            self.app.call_from_thread(self._tell, len(runs))
        return runs

    def _tell(self, count: int) -> None:
        say = getattr(self.app, "say", None)
        if say is not None:
            say(f"{count} runs were started; they wait for the device in this order, and this is the first")

    def action_choose(self) -> None:
        what = self.query_one(WhatToTrain)
        for widget in what.query("OptionList, ChoiceRow"):
            if widget.focusable and widget.display:
                widget.focus()
                return


def measured_around(project: Path) -> list[Measured]:
    """What runs of the project took here, and then those of the projects beside it."""
    from loratui.lab.project.measured import measured

    try:
        beside = [place for place in sorted(project.parent.iterdir()) if place != project and (place / "runs").is_dir()]
    except OSError:
        beside = []
    return measured([project, *beside[:20]])
