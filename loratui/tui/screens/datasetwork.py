"""What the dataset screen does beside the event loop: reading, saving, counting, checking, looking at the disk.

Each job tells the screen of its result on the event loop; what is shown of it is dataset.py's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from textual import work
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from loratui.lab.check.checkapart import check_apart
from loratui.lab.check.findings import Finding
from loratui.lab.dataset.captionstore import Conflict, Edited
from loratui.lab.dataset.desk import UNSAVED, Desk
from loratui.lab.dataset.tagstats import frequencies, together
from loratui.lab.dataset.tokenview import TokenIndex, load_tokenizer
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.plain import plain
from loratui.lab.project.project import FILE_NAME, load_project
from loratui.tui.dialogs.conflict import ConflictDialog
from loratui.tui.places import Place
from loratui.tui.screens.base import BenchScreen

SAVE_AFTER = 0.5  # seconds after the last key
LOOK_EVERY = 2.0  # seconds between two looks at the disk
LOOK_SELDOM = 10.0  # the most there are
CHECKED_AT_START = 2_000  # images up to which the check starts by itself
_TOKENS_SHOWN_EVERY = 50  # parts of captions


class DatasetWork(BenchScreen):
    """The jobs. `desk` is None until the project has been read, and stays so when it cannot be."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.desk: Desk | None = None
        self.broken = ""  # why there is no desk
        self.tokens_missing = ""  # why there are no tokens
        self.doing = ""  # what the check is about, in words; empty when it does not run
        self._save_timer: Timer | None = None
        self._saving = asyncio.Lock()
        self._looking = False
        self._look_next = 0.0
        self._project_seen: tuple[int, int] | None = None
        self._check_at = (0, 0)
        self._check: object | None = None  # the check that is wanted, while one is

    # -- hooks: what the screen shows -----------------------------------------------------------------------------

    def opened(self) -> None:
        """There is another desk, or the reason why there is none."""

    def captions_changed(self, names: Collection[str], *, list_too: bool) -> None:
        """Captions are not what they were; with `list_too`, images may have come or gone."""

    def tokens_known(self) -> None:
        """The tokens are counted, of some images at least."""

    def problems_known(self) -> None:
        """The check has said what it found, or how far it is."""

    def on_mount(self) -> None:
        self.open_project()
        self.every(LOOK_EVERY, self._look_when_due)
        self.every(0.25, self._tell_of_check)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state == WorkerState.ERROR and isinstance(event.worker.error, Exception):
            self.bench.fail(event.worker.error)

    # -- reading --------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="open", exit_on_error=False)
    async def open_project(self) -> None:
        """Read the project and its captions; again when the project has changed."""
        assert self.project is not None
        self.broken, desk = "", None
        try:
            project = await self.aside(load_project, self.project)
            desk = Desk(project)
            await self.aside(desk.load, self.bench.patience)
        except (LabError, OSError) as error:
            self.broken = str(error)
        if self.desk is not None and desk is not None:
            desk.marked = self.desk.marked
        self.desk = desk
        self._project_seen = self._project_signature()
        self.opened()
        if desk is not None and (aside := desk.project.folder / UNSAVED).exists():
            self.bench.say(f"captions that could not be saved are in {aside}; delete it once you have them", "warning")
        if desk is not None and desk.entries:
            self.count_tokens()
            if len(desk.entries) <= CHECKED_AT_START:
                self.run_check()

    def _project_signature(self) -> tuple[int, int] | None:
        try:
            found = (self.project or Path()).joinpath(FILE_NAME).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _project_changed(self) -> bool:
        return self._project_signature() != self._project_seen

    def _look_when_due(self) -> None:
        """Of many images a look takes long, so it is taken more seldom: a twentieth of the time goes into it."""
        if time.monotonic() >= self._look_next:
            self.look_at_disk()

    @work(exclusive=True, group="look", exit_on_error=False)
    async def look_at_disk(self) -> None:
        """Take in what other programs changed."""
        desk = self.desk
        if desk is None or self._looking:
            return
        self._looking, began = True, time.monotonic()
        try:
            before = desk.entries.keys()
            names = await self.aside(desk.refresh)
        except (LabError, OSError):  # the folder is away for a moment; what is shown stays until it is there again
            return
        finally:
            self._looking, now = False, time.monotonic()
            self._look_next = now + min(LOOK_SELDOM, 20 * (now - began))
        if names and desk is self.desk:
            self.captions_changed(names, list_too=before != desk.entries.keys())
            if names & desk.drafts.keys():
                self.save()

    # -- saving ---------------------------------------------------------------------------------------------------

    def save_soon(self) -> None:
        """Save once nothing was typed for a moment."""
        if self._save_timer is not None:
            self._save_timer.stop()
        self._save_timer = self.set_timer(SAVE_AFTER, self.save)

    @work(group="save", exit_on_error=False)
    async def save(self, also_held: bool = False) -> None:
        """Save what was typed."""
        await self.saved(also_held=also_held)

    async def saved(self, *, also_held: bool = False) -> None:
        """The same, to wait for: when it returns, nothing typed is unsaved but what the person has to decide."""
        desk = self.desk
        if self._save_timer is not None:
            self._save_timer.stop()
            self._save_timer = None
        if desk is None or not desk.drafts:
            return
        async with self._saving:
            try:
                edited = await self.aside(desk.save_drafts, also_held=also_held)
            except (LabError, OSError) as error:
                self.bench.fail(error)
                return
            self.captions_changed(edited.done, list_too=False)
            if edited.merged:
                self.bench.say(f"{_named(edited.merged)}: another program changed other tags; both are kept")
        for conflict in edited.conflicts:
            await self.decide(conflict)

    async def decide(self, conflict: Conflict) -> None:
        """Ask what a caption shall be that somebody else changed too."""
        desk = self.desk
        caption = await self.app.push_screen_wait(ConflictDialog(conflict))
        if desk is None or caption is None:
            self.captions_changed([conflict.name], list_too=False)
            return
        try:
            if caption != conflict.theirs:
                await self.aside(desk.resolve, conflict, caption)
            else:
                await self.aside(desk.refresh)
            desk.drop_draft(conflict.name)
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self.captions_changed([conflict.name], list_too=False)

    def flush(self) -> None:
        if self.desk is not None:
            self.desk.leave()

    def on_unmount(self) -> None:
        self._check = None
        try:
            self.flush()
        except (LabError, OSError) as error:
            self.bench.fail(error)

    def on_screen_suspend(self) -> None:
        self.save()

    # -- tokens and tags ------------------------------------------------------------------------------------------

    @work(exclusive=True, group="tokens", exit_on_error=False)
    async def count_tokens(self) -> None:
        """Read every caption that is not known yet as its base model does."""
        desk = self.desk
        if desk is None:
            return
        if desk.index is None:
            try:
                desk.index = TokenIndex(await self.aside(load_tokenizer, desk.project))
            except (LabError, OSError) as error:
                self.tokens_missing = str(error)
                self.tokens_known()
                return
        self.tokens_missing = ""
        index = desk.index
        for number, part in enumerate(index.outdated(desk.captions())):
            encoded = await self.aside(index.encode, part.values())
            index.put(part, encoded)
            if number % _TOKENS_SHOWN_EVERY == 0:
                self.tokens_known()
        self.tokens_known()

    async def tag_counts(self) -> Any:
        """All tags by frequency."""
        captions = list(self.desk.captions().values()) if self.desk else []
        return await self.aside(frequencies, captions)

    async def tags_beside(self, tag: str) -> Any:
        """The tags that occur together with one."""
        captions = list(self.desk.captions().values()) if self.desk else []
        return await self.aside(together, captions, tag)

    # -- the check ------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="check", exit_on_error=False)
    async def run_check(self) -> None:
        """Check the project in a process of its own."""
        desk = self.desk
        if desk is None:
            return
        await self.saved()
        self._check = mine = object()
        self._check_at = (0, 0)
        captions = desk.captions()

        def progress(done: int, total: int) -> None:
            if self._check is not mine or self.bench.leaving:
                raise Cancelled
            self._check_at = (done, total)

        self._tell_of_check()
        try:
            checked = await self.aside(check_apart, desk.project.file, progress)
            if desk is self.desk:
                desk.adopt(checked, captions)
        except Cancelled:
            pass
        except (LabError, OSError) as error:
            self.bench.fail(error)
        finally:
            if self._check is mine:
                self.stop_check()

    def stop_check(self) -> None:
        """No check is wanted any more."""
        self._check, self.doing = None, ""
        if self.is_attached:
            self.problems_known()

    @property
    def is_checking(self) -> bool:
        return self._check is not None

    def _tell_of_check(self) -> None:
        if not self.is_checking:
            return
        done, total = self._check_at
        doing = f"checking {done:,}/{total:,}" if total else "checking"
        if doing != self.doing:
            self.doing = doing
            self.problems_known()


def _named(names: Collection[str], most: int = 3) -> str:
    listed = list(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(plain(name, 40) for name in listed[:most]) + more


def told(edited: Edited, did: str, what: str | None) -> str:
    """What an edit, an undo or a redo came to, in words."""
    words = f"{did}: {plain(what, 80)}" if what else did
    words += f" ({len(edited.done):,} caption{'' if len(edited.done) == 1 else 's'})"
    if edited.conflicts:
        words += f"; left as they are, because they were changed since: {_named([c.name for c in edited.conflicts])}"
    return words


def finding_words(finding: Finding) -> str:
    sign = "✗" if finding.severity == "error" else "!"
    return f"{sign} {plain(finding.rule)}: {plain(finding.message, 300)} → {plain(finding.remedy, 300)}"
