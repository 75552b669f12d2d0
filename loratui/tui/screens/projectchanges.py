"""Making, renaming, putting away and deleting projects from the shelf, and taking that back.

What is asked is asked here; lab does it, in a thread. Going places and starting runs is in projectactions.py.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from loratui.lab.plain import plain
from loratui.tui.screens.projectactions import ProjectActions

if TYPE_CHECKING:
    from loratui.lab.project.moving import Trashed


class ProjectChanges(ProjectActions):
    """The keys that change what is on the shelf."""

    # -- new projects -------------------------------------------------------------------------------------------

    @work(exclusive=True, group="do", exit_on_error=False)
    async def action_new(self) -> None:
        from loratui.tui.dialogs.choose import Choose
        from loratui.tui.dialogs.newproject import NewProject, make, name_for, ways_from
        from loratui.tui.dialogs.wait import Wait

        ways = await self.aside(ways_from, self.project)
        folder = self.bench.folder
        way = await self.app.push_screen_wait(Choose("New project: begin with", ways))
        if way is not None:
            name = await self.aside(name_for, way, folder)
            title = next(label for value, label, _ in ways if value == way)
            wish = await self.app.push_screen_wait(NewProject(folder, way, f"New project: {title}", name))
            if wish is not None:
                made = await self.app.push_screen_wait(Wait("Making the project", partial(make, folder, wish)))
                if made is not None:
                    self.bench.say("\n".join([f"{made.folder.name} is ready", *made.notes[:6]]))
                    await self._show_again(made.folder)

    # -- changing -----------------------------------------------------------------------------------------------

    @work(exclusive=True, group="do", exit_on_error=False)
    async def action_rename(self) -> None:
        from loratui.lab.project.moving import rename_project
        from loratui.lab.project.projectnames import name_fault
        from loratui.tui.dialogs.ask import Ask

        project = self.project
        if project is None:
            return

        shown = plain(project.name)

        def fault(name: str) -> str | None:
            return None if name == shown else name_fault(name, project.parent)

        hint = "Its folder gets this name. Runs and what they need move along."
        name = await self.app.push_screen_wait(Ask("Rename the project", shown, hint, fault))
        if name is None or name == shown:
            return
        moved = await self._do(partial(rename_project, project, name, self.bench.patience))
        if moved is not None:
            self._done.append((f"{moved.name} is {project.name} again", partial(_moved_back, moved, project)))
            self.bench.say(f"{project.name} is {moved.name} now; z takes it back")
            await self._show_again(moved)

    @work(exclusive=True, group="do", exit_on_error=False)
    async def action_archive(self) -> None:
        from loratui.lab.project.moving import toggle_archived

        project = self.project
        if project is None:
            return
        away = await self._do(partial(toggle_archived, project))
        if away is None:
            return
        self._done.append((f"{project.name}: undone", partial(_toggled, project)))
        if away:
            self.bench.say(f"{project.name} is put away: X shows it, z brings it back")
        else:
            self.bench.say(f"{project.name} is back on the list")
        await self._show_again()

    @work(exclusive=True, group="do", exit_on_error=False)
    async def action_delete(self) -> None:
        from loratui.lab.project.moving import restore, trash
        from loratui.tui.dialogs.confirm import Confirm

        project, summary = self.project, self.summary
        if project is None:
            return
        what = ""
        if summary is not None:
            what = f"It has {_many(summary.images, 'image')} and {_many(len(summary.runs), 'run')}. "
        detail = f"{what}Nothing is lost: the folder is moved to {project.parent / '.trash'}, and z brings it back."
        sure = await self.app.push_screen_wait(
            Confirm(f"Delete {plain(project.name, 40)}?", detail, "Move to the trash", "Keep it")
        )
        if not sure:
            return
        thrown = await self._do(partial(trash, project, self.bench.patience))
        if thrown is not None:
            self._done.append((f"{project.name} is back", partial(restore, thrown.path)))
            self.bench.say(f"{project.name} is in the trash; z brings it back")
            await self._show_again()

    def action_archived(self) -> None:
        self.with_archived = not self.with_archived
        self.bench.say("those put away are shown too" if self.with_archived else "those put away are hidden", seconds=2)
        self.action_reload()

    @work(exclusive=True, group="do", exit_on_error=False)
    async def action_undo(self) -> None:
        from loratui.lab.project.moving import restore

        if self._done:
            words, undo = self._done.pop()
            if (back := await self._do(undo)) is not None:
                self.bench.say(words)
                await self._show_again(back)
            return
        chosen = await self._choose_trashed()
        if chosen is not None and (back := await self._do(partial(restore, chosen.path))) is not None:
            self.bench.say(f"{back.name} is back")
            await self._show_again(back)

    async def _choose_trashed(self) -> Trashed | None:
        from loratui.lab.project.moving import list_trash
        from loratui.tui.dialogs.choose import Choose

        trashed = await self.aside(list_trash, self.bench.folder)
        if not trashed:
            self.bench.say("nothing to undo, and the trash is empty")
            return None
        options = [(item, item.name, f"deleted {_moment(item.time)}") for item in trashed]
        return await self.app.push_screen_wait(Choose("Bring back from the trash", options))


def _moved_back(now: Path, before: Path) -> Path:
    """A rename taken back; the name was there before, so it need not be one that a new project could have."""
    from loratui.lab.project.moving import rename_back

    return rename_back(now, before)


def _toggled(project: Path) -> Path:
    from loratui.lab.project.moving import toggle_archived

    toggle_archived(project)
    return project


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _moment(time: str) -> str:
    """`20250102-010405` as a person writes it."""
    return f"{time[:4]}-{time[4:6]}-{time[6:8]} {time[9:11]}:{time[11:13]}"
