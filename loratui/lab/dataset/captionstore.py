"""The captions of a dataset folder as a person works on them: read at once, saved the moment they are edited, undone
and redone across files and restarts, and never written over what another program wrote meanwhile.

Each edit reads its files again and compares them with what was last read here; changes of other tags are merged, all
else is a conflict to ask about. Images and all other files are never touched, and of a caption file only the text of
its first line that is not blank. Several stores may be open on one folder; of one store, only one thread at a time may
load, refresh or edit, while any may ask what can be undone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.lab.dataset.captionlist import CaptionList, Entry
from loratui.lab.dataset.captionplan import Conflict, Found, Planned, look, plan_edit, plan_redo, plan_undo
from loratui.lab.dataset.captiontext import merge_captions, unwanted
from loratui.lab.dataset.captionwrite import Written, remove_leftovers, write_all
from loratui.lab.dataset.edithistory import EditHistory, FileEdit
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from loratui.lab.project.settings import Dataset

__all__ = ["CaptionStore", "Conflict", "Edited", "Entry", "NotAllWritten"]

_MOST_NAMED = 20  # files or problems told in one message


@dataclass(frozen=True)
class Edited:
    """`done`: the images whose captions are now as asked for; `merged`: those of them where another program's change
    was kept too; `conflicts`: where nothing was written.
    """

    done: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


class NotAllWritten(LabError):
    """The disk failed halfway. `done` are the images whose captions were written; undo takes just these back."""

    def __init__(self, error: OSError, done: Sequence[str], total: int) -> None:
        names = ", ".join(plain(name) for name in done[:_MOST_NAMED])
        more = f" and {len(done) - _MOST_NAMED} more" if len(done) > _MOST_NAMED else ""
        super().__init__(
            f"{plain(error.filename)}: cannot be written: {error.strerror}. Of {total} captions {len(done)} were "
            f"written before{': ' if done else ''}{names}{more}; the others are as they were. "
            "Make room or allow writing, then do it again"
        )
        self.done = tuple(done)


@dataclass(frozen=True)
class _Base:
    """What an edit takes a caption file to be; `has_file` None: what matters is the text alone."""

    text: str
    has_file: bool | None


class CaptionStore:
    """The captions of one dataset folder; `load` comes first. `history_file` is made with the first edit."""

    def __init__(self, folder: Path, dataset: Dataset, history_file: Path) -> None:
        self.folder = folder
        self._list = CaptionList(folder, dataset)
        self._history = EditHistory(history_file, folder)
        self._tidy: set[Path] = set()  # folders in which nothing is left of a writer that was killed

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All images in natural order, with the captions as last read or written."""
        return self._list.entries

    def __getitem__(self, name: str) -> Entry:
        """The entry of an image; KeyError when there is none of that name."""
        return self._list[name]

    def load(self, progress: Progress = quiet) -> None:
        """Read the names and captions anew. No image is opened. LabError when the folder cannot be listed."""
        self._list.load(progress)

    def refresh(self) -> frozenset[str]:
        """Take in what other programs changed; the names whose caption or image was changed, added or removed.

        Cheap enough for once a second: only names and times are looked at, and the captions that changed are read.
        Who is still editing an older text hands that to `edit` as `base`, so that it is merged and not overwritten.
        """
        return self._list.refresh()

    # --- editing --------------------------------------------------------------------------------------------------

    def edit(
        self,
        captions: Mapping[str, str],
        what: str,
        *,
        base: Mapping[str, str] | None = None,
        progress: Progress = quiet,
    ) -> Edited:
        """Save new captions, by image name, as one step of undo. `what` says in words what the step does.

        All is checked before anything is written: a LabError means that no file was changed (but NotAllWritten). `base`
        is what an edit began from, where the entries are newer. What progress raises in its first half ends the edit
        with nothing changed; in the second the files are moved into place, and that is finished.
        """
        bases = {name: _Base(text, self[name].has_file) for name, text in (base or {}).items() if self._list.get(name)}
        with self._history.locked():
            return self._edit(captions, what, bases, progress)

    def resolve(self, conflict: Conflict, caption: str) -> None:
        """Save what the person chose for a conflict. LabError when the file has changed yet again."""
        name = conflict.name
        with self._history.locked():
            edited = self._edit({name: caption}, f"resolve {name}", {name: _Base(conflict.theirs, None)}, quiet)
        if edited.conflicts:
            raise LabError(f"{plain(name)}: its caption has changed again meanwhile; look at it and choose again")
        self._list.reread(self[name].caption_path)

    @property
    def can_undo(self) -> str | None:
        """What `undo` would take back, in the words of the edit; None when there is nothing."""
        return self._history.next_undo

    @property
    def can_redo(self) -> str | None:
        """What `redo` would do again; None when there is nothing."""
        return self._history.next_redo

    def undo(self, progress: Progress = quiet) -> Edited:
        """Take the last step back, to the very bytes. A file that is not as the step left it is a conflict, and the
        step is over for that file. LabError: nothing was changed (but NotAllWritten). Progress is as with `edit`.
        """
        with self._history.locked():
            step = self._history.last_done()
            if step is None:
                return Edited()
            edited, paths = self._turn(step.files, plan_undo, progress)
            self._history.undone(step.number, paths)
            return edited

    def redo(self, progress: Progress = quiet) -> Edited:
        """Do the step that was undone last again, where the captions are still as undo left them."""
        with self._history.locked():
            step = self._history.last_undone()
            if step is None:
                return Edited()
            edited, paths = self._turn(step.files, plan_redo, progress)
            self._history.redone(step.number, paths)
            return edited

    def _edit(self, captions: Mapping[str, str], what: str, bases: Mapping[str, _Base], progress: Progress) -> Edited:
        problems: list[str] = []
        wanted: dict[Path, str] = {}
        plans: dict[Path, Planned] = {}
        fine: list[str] = []
        merged: list[str] = []
        conflicts: list[Conflict] = []
        for name, caption in captions.items():
            try:
                entry = self._list.get(name)
                if entry is None:
                    raise LabError(f"{plain(name)}: no such image in the dataset; load it anew")
                path, base, ours = entry.caption_path, bases.get(name), caption.strip()
                base = base or _Base(entry.caption, entry.has_file)
                if wanted.setdefault(path, ours) != ours:
                    raise LabError(
                        f"{plain(name)}: shares {plain(path.name)} with an image that was to get another caption; "
                        "rename one of the two images"
                    )
                if ours == base.text:
                    continue
                if reason := unwanted(ours, base.text):
                    raise LabError(f"{plain(name)}: the caption would hold {reason}")
                below = self._below(entry)
                found = look(path, self._where(below))
                theirs = found.text if found else self._list.words(name)
                text = _agreed(base, ours, theirs, found is not None)
                if text is None:
                    conflicts.append(Conflict(name, base.text, ours, theirs))
                    continue
                if found is None or found.text != text:
                    plans.setdefault(path, plan_edit(name, path, below, found, base.text, text))
                fine.append(name)
                if text != ours:
                    merged.append(name)
            except LabError as error:
                problems.append(str(error))
        _refuse(problems)
        lost = self._save(what, plans, progress) if plans else {}
        for name in fine:
            if self[name].caption_path not in plans:
                self._list.reread(self[name].caption_path)  # it says what was wanted already
        return Edited(
            tuple(name for name in fine if name not in lost),
            tuple(name for name in merged if name not in lost),
            (*conflicts, *lost.values()),
        )

    def _save(self, what: str, plans: Mapping[Path, Planned], progress: Progress) -> dict[str, Conflict]:
        """Write a step down and do it; conflicts with what changed in this very moment."""
        number = self._history.add(what, [plan.edit for plan in plans.values()])
        try:
            written = self._write(plans, progress)
        except BaseException:
            with contextlib.suppress(LabError):  # the captions are as they were; undo will find that too
                self._history.correct(number, ())
            raise
        done = [plan.edit for path, plan in plans.items() if path in written.done]
        if len(done) < len(plans):
            self._history.correct(number, [edit.path for edit in done])
        if written.error is not None:
            raise NotAllWritten(written.error, [edit.name for edit in done], len(plans))
        return {plans[path].edit.name: self._met(plans[path].edit, path) for path in written.stale}

    def _turn(
        self,
        edits: Sequence[FileEdit],
        plan_one: Callable[[FileEdit, Path, Found | None], Planned | Conflict | None],
        progress: Progress,
    ) -> tuple[Edited, list[str]]:
        """Undo or redo these, as `plan_one` says; also the paths that are done."""
        problems: list[str] = []
        plans: dict[Path, Planned] = {}
        done: list[FileEdit] = []
        conflicts: list[Conflict] = []
        for edit in edits:
            path = self.folder / edit.path
            try:
                if not edit.path.lower().endswith(self._list.extension.lower()):
                    raise LabError(
                        f"{plain(edit.path)}: not a caption file by dataset.caption_extension; set that back"
                    )
                planned = plan_one(edit, path, look(path, self._where(edit.path)))
            except LabError as error:
                problems.append(str(error))
                continue
            if isinstance(planned, Conflict):
                conflicts.append(planned)
                continue
            done.append(edit)
            if planned is None:
                self._list.reread(path)
            else:
                plans[path] = planned
        _refuse(problems)
        written = self._write(plans, progress)
        if written.error is not None:
            # Where undo stands is not moved: done again, it finds these as they should be and goes on with the rest.
            names = [plan.edit.name for path, plan in plans.items() if path in written.done]
            raise NotAllWritten(written.error, names, len(plans))
        stale = [plans[path].edit for path in written.stale]
        conflicts += [self._met(edit, self.folder / edit.path) for edit in stale]
        done = [edit for edit in done if edit not in stale]
        return Edited(tuple(edit.name for edit in done), (), tuple(conflicts)), [edit.path for edit in done]

    def _write(self, plans: Mapping[Path, Planned], progress: Progress) -> Written:
        for folder in {path.parent for path in plans} - self._tidy:
            with contextlib.suppress(OSError):
                remove_leftovers(folder)
            self._tidy.add(folder)
        try:
            written = write_all([plan.write for plan in plans.values()], progress)
        except OSError as error:
            raise NotAllWritten(error, (), len(plans)) from error
        for path, now in written.done.items():
            self._list.know(path, plans[path].write.data, now)
        return written

    def _met(self, edit: FileEdit, path: Path) -> Conflict:
        found = look(path, self._where(edit.path))
        return Conflict(edit.name, edit.before, edit.after, found.text if found else "")

    def _below(self, entry: Entry) -> str:
        """The caption file's path below the dataset folder."""
        return entry.name[: entry.name.rfind("/") + 1] + entry.caption_path.name

    def _where(self, below: str) -> str:
        return f"{self.folder.name or self.folder.absolute().name}/{below}"


def _agreed(base: _Base, ours: str, theirs: str, exists: bool) -> str | None:
    """The caption to write where the file says `theirs`, or the folder does because there is none; None: conflict."""
    if base.has_file in (None, exists) and theirs == base.text:
        return ours
    if exists and theirs == ours:
        return ours
    return merge_captions(base.text, ours, theirs) if exists and base.has_file else None


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = [f"and {len(problems) - _MOST_NAMED} more of the kind"] if len(problems) > _MOST_NAMED else []
        raise LabError("\n".join([*problems[:_MOST_NAMED], *more, "nothing was changed"]))
