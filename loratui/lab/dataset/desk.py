"""A project's dataset while a person works on it: captions, tokens, findings of the check, marks and filter, joined.

Everything is told by image name. The captions themselves are captionstore.py's; here they are guarded, so that an
edit, a look at the disk and the end of the bench may come from different threads. Nothing is shown here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratui.lab.check.checkapart import Checked, by_image
from loratui.lab.check.findings import Finding, Severity
from loratui.lab.dataset.captions import split_tags
from loratui.lab.dataset.captionstore import CaptionStore, Conflict, Edited, Entry
from loratui.lab.dataset.filtering import Query, Subject
from loratui.lab.dataset.tokenview import TokenIndex
from loratui.lab.errors import LabError
from loratui.lab.files import append_line, make_folder
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.project.project import Project

HISTORY = Path(".loratui") / "edits.jsonl"  # below the project
UNSAVED = Path(".loratui") / "unsaved.jsonl"
_GRAVE = ("caption-unreadable", "caption-not-utf8")  # of the rules that show without the check, those that are errors


@dataclass(frozen=True)
class Draft:
    """A caption being typed, and what it was when that began."""

    text: str
    base: str


class Desk:
    """The dataset of one project. `load` first; it may run in a thread, and so may all that is said to."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.dataset_folder()
        self.store = CaptionStore(self.folder, project.settings.dataset, project.folder / HISTORY)
        self.entries: dict[str, Entry] = {}  # in natural order; replaced, never changed
        self.index: TokenIndex | None = None
        self.marked: set[str] = set()
        self.query: Query | None = None
        self.checked: Checked | None = None
        self._findings: dict[str, list[Finding]] = {}
        self._captions_checked: dict[str, str] = {}
        self.drafts: dict[str, Draft] = {}  # not saved yet
        self.held: set[str] = set()  # drafts that met a conflict which the person has not decided yet
        self._guard = threading.RLock()
        self._typing = threading.Lock()

    # -- captions; all of this may run in a thread ---------------------------------------------------------------

    def load(self, progress: Progress = quiet) -> None:
        """Read names and captions. LabError when the folder cannot be listed."""
        with self._guard:
            self.store.load(progress)
            self._take_over()

    def refresh(self) -> frozenset[str]:
        """Take in what other programs changed; returns the images it was about."""
        with self._guard:
            names = self.store.refresh()
            if names:
                self._take_over()
            return names

    def edit(
        self, captions: Mapping[str, str], what: str, base: Mapping[str, str] | None = None, progress: Progress = quiet
    ) -> Edited:
        """Save captions in one step of undo; `base` is what they were when the editing began."""
        with self._guard:
            return self._changed(lambda: self.store.edit(captions, what, base=base, progress=progress))

    def undo(self) -> tuple[str | None, Edited]:
        """Take the last step back; with what it was, or None when there is nothing to undo."""
        with self._guard:
            what = self.store.can_undo
            return what, self._changed(self.store.undo)

    def redo(self) -> tuple[str | None, Edited]:
        """Do the step undone last again; with what it was, or None when there is nothing to redo."""
        with self._guard:
            what = self.store.can_redo
            return what, self._changed(self.store.redo)

    def resolve(self, conflict: Conflict, caption: str) -> None:
        """Save what the person chose. LabError when the file was changed yet again."""
        with self._guard:
            self._changed(lambda: self.store.resolve(conflict, caption))

    def _changed(self, function: Callable[[], Edited | None]) -> Edited:
        try:
            return function() or Edited()
        finally:
            self._take_over()

    def _take_over(self) -> None:
        self.entries = {entry.name: entry for entry in self.store.entries}

    # -- drafts ----------------------------------------------------------------------------------------------------

    def type_in(self, name: str, text: str) -> None:
        """A caption as it is being typed. It is saved by `save_drafts`."""
        with self._typing:
            before = self.drafts.get(name)
            base = before.base if before else self.caption(name)
            if text.strip() == base:
                self.drafts.pop(name, None)
            else:
                self.drafts[name] = Draft(text, base)

    def text(self, name: str) -> str:
        """The caption as the person sees it: as typed, or else as saved."""
        draft = self.drafts.get(name)
        return draft.text if draft else self.caption(name)

    def save_drafts(self, *, also_held: bool = False) -> Edited:
        """Save what was typed, a step of undo for each image; may run in a thread while typing goes on.

        A conflict leaves its draft and holds it until somebody decides; so does an error, which is raised at the end.
        """
        done: list[str] = []
        merged: list[str] = []
        conflicts: list[Conflict] = []
        failed: Exception | None = None
        with self._guard:
            for name, draft in list(self.drafts.items()):
                if name in self.held and not also_held:
                    continue
                try:
                    edited = self._save_draft(name, draft)
                except (LabError, OSError) as error:
                    failed = error
                    continue
                done += edited.done
                merged += edited.merged
                conflicts += edited.conflicts
        if failed is not None:
            raise failed
        return Edited(tuple(done), tuple(merged), tuple(conflicts))

    def _save_draft(self, name: str, draft: Draft) -> Edited:
        if name not in self.entries:
            self.put_aside({name: draft.text})
            self.drop_draft(name)
            raise LabError(f"{plain(name)}: the image is gone, so its caption was put into {UNSAVED}")
        edited = self.edit({name: draft.text}, f"the caption of {name}", {name: draft.base})
        if edited.conflicts:
            self.held.add(name)
            return edited
        self.held.discard(name)
        with self._typing:
            now = self.drafts.get(name)
            if now is None or now.text == draft.text:
                self.drafts.pop(name, None)
            else:  # typed on meanwhile: what was just saved is what that began from
                self.drafts[name] = Draft(now.text, draft.text.strip())
        return edited

    def drop_draft(self, name: str) -> None:
        """Forget what was typed: the file is as the person wants it."""
        with self._typing:
            self.drafts.pop(name, None)
        self.held.discard(name)

    def leave(self) -> None:
        """Save everything, now. What cannot be saved is put where it is found again."""
        try:
            self.save_drafts(also_held=True)
        finally:
            self.put_aside({name: draft.text for name, draft in self.drafts.items()})
            self.drafts.clear()

    def put_aside(self, captions: Mapping[str, str]) -> None:
        """Keep captions that could not be saved in a file of their own."""
        file = self.project.folder / UNSAVED
        for name, caption in captions.items():
            make_folder(file.parent)
            append_line(file, json.dumps({"image": name, "caption": caption}))

    # -- what is known of an image ---------------------------------------------------------------------------------

    def caption(self, name: str) -> str:
        """Its caption as saved; "" for an image that is gone."""
        entry = self.entries.get(name)
        return entry.caption if entry else ""

    def captions(self) -> dict[str, str]:
        return {name: entry.caption for name, entry in self.entries.items()}

    def tokens(self, name: str) -> int | None:
        """How many tokens its caption has; None while that is not known."""
        return self.index.count(name) if self.index else None

    def adopt(self, checked: Checked, captions: Mapping[str, str]) -> None:
        """Take over what the check found; `captions` are those it saw."""
        self.checked = checked
        entries = self.entries.values()
        root = self.folder
        names = [(entry.name, _below(root, entry.caption_path)) for entry in entries]
        self._findings = by_image(checked.findings, root, names)
        self._captions_checked = {name: captions[name] for name in self._findings if name in captions}

    def problems(self, name: str) -> tuple[Finding, ...]:
        """What is odd about an image, errors first: by the check, and of its caption as it is now."""
        entry = self.entries.get(name)
        if entry is None:
            return ()
        found = self._findings.get(name, [])
        if self._captions_checked.get(name) != entry.caption:
            found = [finding for finding in found if not finding.rule.startswith("caption-")]
        known = {finding.rule for finding in found}
        where = entry.caption_path.name
        for rule in entry.problems:
            if rule not in known:
                severity: Severity = "error" if rule in _GRAVE else "warning"
                message = rule.removeprefix("caption-").replace("-", " ")
                found = [*found, Finding(rule, severity, where, f"caption: {message}", "ctrl+l tells more")]
        count, limit = self.tokens(name), self.index.limit if self.index else 0
        if count is not None and count > limit and "caption-too-long" not in known:
            message = f"{count} tokens, of which the text encoder sees the first {limit}"
            found = [*found, Finding("caption-too-long", "warning", where, message, "shorten it")]
        return tuple(sorted(found, key=lambda finding: finding.severity != "error"))

    def others(self) -> tuple[Finding, ...]:
        """The findings of the check that are not about one image."""
        if self.checked is None:
            return ()
        mine = {finding for found in self._findings.values() for finding in found}
        return tuple(finding for finding in self.checked.findings if finding not in mine)

    # -- which images ----------------------------------------------------------------------------------------------

    def shown(self) -> list[str]:
        """The images that the filter lets through, in order. May run in a thread."""
        entries, query = self.entries, self.query
        if query is None:
            return list(entries)
        return [name for name, entry in entries.items() if query.matches(self.subject(entry))]

    def subject(self, entry: Entry) -> Subject:
        rules = tuple(finding.rule for finding in self.problems(entry.name))
        return Subject(entry.name, entry.caption, tuple(split_tags(entry.caption)), self.tokens(entry.name), rules)

    def target(self, shown: Sequence[str]) -> tuple[str, list[Entry]]:
        """What a change of many is about, in words and as entries: the marked images, else those shown."""
        marked = [entry for name, entry in self.entries.items() if name in self.marked]
        if marked:
            hidden = len(self.marked - set(shown))
            return _count(len(marked), "marked image") + (f", {hidden:,} of them not shown" if hidden else ""), marked
        entries = [self.entries[name] for name in shown if name in self.entries]
        return ("all " if self.query is None else "") + _count(len(entries), "image" if self.query is None else
                                                                "filtered image"), entries  # fmt: skip

    def mark(self, names: Iterable[str], on: bool) -> None:
        """Mark images, or unmark them."""
        if on:
            self.marked.update(name for name in names if name in self.entries)
        else:
            self.marked.difference_update(names)

    def forget_gone(self) -> None:
        """Marks of images that are not there any more are dropped."""
        self.marked &= self.entries.keys()


def _below(folder: Path, path: Path) -> str:
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return path.name


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
