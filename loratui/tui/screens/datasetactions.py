"""What the keys of the dataset screen do: mark, change many, undo, import, open an editor, clean, check."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

from textual import events, on, work
from textual.app import SuspendNotSupported
from textual.content import Content

from loratui.lab.dataset.captionstore import Edited, Entry
from loratui.lab.dataset.importing import import_images
from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.tui.dialogs.bulk import BulkDialog
from loratui.tui.dialogs.importing import ImportDialog, import_report
from loratui.tui.dialogs.report import Report
from loratui.tui.dialogs.wait import Wait
from loratui.tui.places import Place
from loratui.tui.screens.datasetwork import CHECKED_AT_START, DatasetWork, finding_words, told
from loratui.tui.widgets.captionedit import CaptionEdit, cleaned
from loratui.tui.widgets.filterbar import FilterBar
from loratui.tui.widgets.imagelist import ImageList
from loratui.tui.widgets.tagpanel import TagPanel
from loratui.tui.widgets.thumb import Thumb

_WITHOUT_WAITING = 200  # captions; more are changed behind a dialog that shows how far it is
_EDITORS = ("nano", "vim", "vi")


class DatasetActions(DatasetWork):
    """The actions; the widgets are set by the screen."""

    images: ImageList
    edit: CaptionEdit
    filters: FilterBar
    tags: TagPanel

    @property
    def current(self) -> Entry | None:
        """The image under the cursor."""
        name = self.images.current
        return self.desk.entries.get(name) if self.desk and name else None

    def show_list(self) -> None:
        """Show the images that the filter lets through."""

    def show_counts(self) -> None:
        """Show how many images there are, are shown, are marked."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        allowed = super().check_action(action, parameters)
        if not allowed:
            return allowed
        desk = self.desk
        match action:
            case "mend":
                return desk is None and bool(self.broken)
            case "bulk" | "mark_all":
                return desk is not None and bool(desk.entries)
            case "undo":
                return desk is not None and desk.store.can_undo is not None
            case "redo":
                return desk is not None and desk.store.can_redo is not None
            case "view" | "copy" | "editor":
                return desk is not None and self.current is not None
            case "clean":
                text = desk.text(self.current.name) if desk and self.current else ""
                return cleaned(text) != text
            case "findings":
                return desk is not None and desk.checked is not None
            case "import" | "check":
                return desk is not None
        return True

    # -- marks ----------------------------------------------------------------------------------------------------

    @on(ImageList.MarkWanted)
    def _mark(self, event: ImageList.MarkWanted) -> None:
        event.stop()
        if self.desk is not None:
            self.desk.mark([event.name], event.on or event.name not in self.desk.marked)
            self.images.refresh_image(event.name)
            self.show_counts()

    def action_mark_all(self) -> None:
        """All that are shown, or none when they are marked already."""
        if self.desk is not None:
            shown = self.images.names
            self.desk.mark(shown, not self.desk.marked.issuperset(shown))
            self.images.refresh()
            self.show_counts()

    # -- the caption ----------------------------------------------------------------------------------------------

    @on(CaptionEdit.Done)
    def _typed_to_the_end(self, event: CaptionEdit.Done) -> None:
        event.stop()
        self.save(also_held=not event.by)
        if event.by:
            self.images.step(event.by)
        else:
            self.images.focus()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if event.widget is self.edit:
            self.save()

    @work(group="clean", exit_on_error=False)
    async def action_clean(self) -> None:
        """Take out what cannot be seen; a step of undo like any other."""
        if self.desk is not None and (entry := self.current) is not None:
            text = self.desk.text(entry.name)
            self.desk.type_in(entry.name, cleaned(text))
            await self.saved(also_held=True)
            self.bench.say(f"{plain(entry.name, 40)}: {len(text) - len(cleaned(text))} characters taken out; z undoes")

    # -- undo -----------------------------------------------------------------------------------------------------

    @work(group="undo", exit_on_error=False)
    async def action_undo(self) -> None:
        await self._turn(redo=False)

    @work(group="undo", exit_on_error=False)
    async def action_redo(self) -> None:
        await self._turn(redo=True)

    async def _turn(self, *, redo: bool) -> None:
        await self.saved()
        desk = self.desk
        if desk is None:
            return
        async with self._saving:
            try:
                what, edited = await self.aside(desk.redo if redo else desk.undo)
            except (LabError, OSError) as error:
                self.bench.fail(error)
                what, edited = None, Edited()
        if what is None:
            self.refresh_bindings()
            return
        self._after(edited)
        words = told(edited, "done again" if redo else "undone", what)
        self.bench.say(f"{words} · {'z undoes' if redo else 'Z does it again'}")

    def _after(self, edited: Edited) -> None:
        """Show what an edit changed, with the cursor on it when it is one image."""
        self.captions_changed([*edited.done, *(conflict.name for conflict in edited.conflicts)], list_too=False)
        if self.desk is not None and self.desk.query is not None:
            self.show_list()
        if len(edited.done) == 1:
            self.images.go_to(edited.done[0])

    # -- many at once ---------------------------------------------------------------------------------------------

    @work(exclusive=True, group="bulk", exit_on_error=False)
    async def action_bulk(self) -> None:
        await self.saved(also_held=True)
        desk = self.desk
        if desk is None:
            return
        about, entries = desk.target(self.images.names)
        if not entries:
            self.bench.say("no image is shown or marked; escape closes the filter")
            return
        known = [count.tag for count in self.tags.all_tags.tags]
        bulk = await self.app.push_screen_wait(BulkDialog(about, entries, known))
        if not bulk:
            return
        captions = {change.name: change.after for change in bulk.changes}
        base = {change.name: change.before for change in bulk.changes}
        edited: Edited | None
        if len(captions) <= _WITHOUT_WAITING:
            try:
                edited = await self.aside(desk.edit, captions, bulk.what, base)
            except (LabError, OSError) as error:
                self.bench.fail(error)
                edited = None
        else:
            edited = await self.app.push_screen_wait(
                Wait(f"{len(captions):,} captions: {plain(bulk.what, 50)}",
                     lambda progress: desk.edit(captions, bulk.what, base, progress))
            )  # fmt: skip
        self._after(edited or Edited(tuple(captions)))
        if edited is not None:
            self.bench.say(f"{told(edited, bulk.what, None)} · z undoes")

    # -- pictures from elsewhere ----------------------------------------------------------------------------------

    def on_paste(self, event: events.Paste) -> None:
        """Paths pasted anywhere but into a field are pictures to copy in."""
        if self.desk is None or self.bench.readonly or not event.text.strip():
            return
        event.stop()
        self._import(event.text)

    def action_import(self) -> None:
        self._import("")

    @work(exclusive=True, group="import", exit_on_error=False)
    async def _import(self, text: str) -> None:
        desk = self.desk
        if desk is None:
            return
        folder = self.current.path.parent if self.current else desk.folder
        paths = await self.app.push_screen_wait(ImportDialog(folder, text))
        if not paths:
            return
        extension = desk.project.settings.dataset.caption_extension
        imported = await self.app.push_screen_wait(
            Wait(
                "Copying pictures", lambda progress: import_images(paths, folder, progress, caption_extension=extension)
            )
        )
        try:
            await self.aside(desk.load)
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self.captions_changed(desk.entries.keys(), list_too=True)
        if len(desk.entries) <= CHECKED_AT_START:
            self.run_check()
        if not imported:
            return
        if imported.copied:
            self.images.wanted = imported.copied[0].relative_to(desk.folder).as_posix()
        if imported.skipped:
            await self.app.push_screen_wait(Report("Imported", import_report(imported)))
        else:
            count = len(imported.copied)
            self.bench.say(f"{count:,} picture{'' if count == 1 else 's'} copied into {plain(folder.name, 40)}")

    # -- elsewhere ------------------------------------------------------------------------------------------------

    def action_view(self) -> None:
        if (entry := self.current) is not None:
            self.bench.go(Place("picture", self.project, picture=entry.path))

    @on(Thumb.Opened)
    def _picture_clicked(self, event: Thumb.Opened) -> None:
        event.stop()
        self.action_view()

    def action_copy(self) -> None:
        if (entry := self.current) is not None:
            self.bench.copy(str(entry.path))

    def action_mend(self) -> None:
        self.bench.go(Place("settings", self.project))

    @work(exclusive=True, group="editor", exit_on_error=False)
    async def action_editor(self) -> None:
        """The caption file in the person's own editor; what it wrote is taken in at once."""
        entry = self.current
        if entry is None:
            return
        await self.saved()
        try:
            command = [*editor_command(), str(entry.caption_path)]
            with self.app.suspend():
                code = subprocess.run(command, check=False).returncode
            if code:
                self.bench.say(f"{plain(command[0])} ended with {code}", "warning")
        except SuspendNotSupported:
            self.bench.say("an editor needs a terminal of its own, and this is none", "warning")
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self.look_at_disk()

    def action_check(self) -> None:
        if self.is_checking:
            self.stop_check()
        else:
            self.run_check()

    def action_findings(self) -> None:
        """Everything the check found, errors first."""
        desk = self.desk
        if desk is None or desk.checked is None:
            return
        parts: list[str | tuple[str, str]] = []
        for note in desk.checked.notes:
            parts += [(f"{plain(note, 600)}\n", "italic"), "\n"]
        for finding in desk.checked.findings:
            parts += [(f"{plain(finding.where, 200)}\n", "bold"), f"  {finding_words(finding)}\n"]
        if not desk.checked.findings:
            parts.append("Nothing is odd about it.\n")
        self.app.push_screen(Report("What the check found", Content.assemble(*parts)))


def editor_command() -> list[str]:
    """$VISUAL, else $EDITOR, else what there is. LabError when there is none."""
    for name in ("VISUAL", "EDITOR"):
        if os.environ.get(name, "").strip():
            try:
                return shlex.split(os.environ[name])
            except ValueError as error:
                raise LabError(f"${name} = {plain(os.environ[name], 100)}: cannot be read: {error}") from error
    found = next((path for name in _EDITORS if (path := shutil.which(name))), None)
    if found is None:
        raise LabError("no editor was found; set EDITOR, such as EDITOR=nano")
    return [found]
