"""The settings screen's steps panel: what the settings come to, what differs from the last run, what the check finds.

The arithmetic follows every change at once; images and findings are looked at again by a process of their own once
the changes rest.
"""

from __future__ import annotations

import asyncio
import tomllib
from typing import Any

from textual import work
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.project.form import Form, make_form
from loratui.lab.project.measured import Measured
from loratui.lab.project.outlook import outlook
from loratui.lab.project.preview import Preview, preview_apart
from loratui.lab.project.project import FILE_NAME
from loratui.lab.project.settings import build
from loratui.tui.dialogs.start import measured_around
from loratui.tui.outlooklines import against_lines, arithmetic_lines, fault_lines, finding_lines, joined
from loratui.tui.places import Place
from loratui.tui.screens.settingsbase import SettingsBase
from loratui.tui.text import safe_title

REST_SECONDS = 0.4  # after a change, before the project itself is looked at again


class StepsLook(SettingsBase):
    """`seen` is what the last look at the project found; None before the first."""

    steps_panel: VerticalScroll
    form: Form

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.seen: Preview | None = None
        self.known: list[Measured] = []
        self._look = 0  # the number of the newest look

    def show_steps(self) -> None:
        """Show what the file comes to, or the text that is being typed."""
        if self.file is None or self._is_over:
            return
        text = self.typed_text()
        problems = self.file.problems(text)
        faults = [f"line {fault.line}: {fault.text}" if fault.line else fault.text for fault in problems]
        shown = fault_lines(faults[:4])
        given = self.form.given if text is None else make_form(_document(text)).given
        if self.seen is not None and not (faults and faults[0].partition(": ")[2].startswith("not valid TOML")):
            figures = outlook(build(given), self.seen, self.known)
            shown += [*([Content("")] if shown else []), *arithmetic_lines(figures)]
        if self.seen is None:
            shown.append(Content.styled("looking at images and captions…", "$foreground 60%"))
        elif not faults:
            shown += [Content(""), *against_lines(self.seen.against), Content(""), *finding_lines(self.seen)]
        tell(self.steps_panel, joined(shown))
        safe_title(self.steps_panel, " · ".join(["Steps", *self._in_short(len(faults))]), 3)

    def _in_short(self, faults: int) -> list[str]:
        """What matters below the edge of a small panel."""
        if faults or self.seen is None:
            return [f"✗ {faults} wrong"] if faults else []
        errors, against = len(self.seen.errors), self.seen.against
        warnings = len(self.seen.findings) - errors
        words = [f"✗ {errors} error{'s' * (errors != 1)}"] if errors else []
        words += [f"! {warnings} warning{'s' * (warnings != 1)}"] if warnings else []
        if against is not None and not against.error:
            words.append(f"{len(against.factors)} Δ")
        return words

    @work(exclusive=True, group="measured", exit_on_error=False)
    async def find_measured(self) -> None:
        self.known = await self.aside(measured_around, self.folder)
        self.show_steps()

    @work(exclusive=True, group="look", exit_on_error=False)
    async def look_at_project(self) -> None:
        """Images, findings and what differs, found by a process of its own once the changes rest."""
        if self.seen is not None:
            await asyncio.sleep(REST_SECONDS)
        self._look += 1
        number = self._look

        def go_on(done: int, total: int) -> None:
            if number != self._look or self.bench.leaving:
                raise Cancelled

        against = self.against.path if self.against is not None else None
        try:
            seen = await self.aside(preview_apart, self.folder / FILE_NAME, (), against, go_on)
        except Cancelled:
            return
        except (LabError, OSError) as error:
            self.bench.fail(error)
            return
        if seen.error and self.seen is not None:
            return  # the images are still what they were; what is wrong with the file is shown already
        self.seen = seen
        self.show_steps()


def _document(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def tell(panel: VerticalScroll, content: Content) -> None:
    """Set the text of a panel, when it is another one."""
    static = panel.query_one(Static)
    if static.content != content:
        static.update(content)
