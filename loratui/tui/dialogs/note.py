"""Writing an observation: what one sees, of which feature, and the verdict by one key.

What is typed is kept in the run folder as it is typed, so that nothing that ends the bench loses it; an observation
exists only once it is saved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from loratui.lab.errors import LabError
from loratui.lab.notes.drafts import Draft, drop_draft, find_draft, save_draft, take_over
from loratui.lab.notes.notebook import short_run, verdict_words
from loratui.lab.notes.observations import (
    PERSON,
    VERDICTS,
    Observation,
    edit,
    features_used,
    observe,
    project_observations,
)
from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.accepting import Suggestion, accept
from loratui.tui.dialogs.base import Dialog
from loratui.tui.dialogs.confirm import Confirm
from loratui.tui.text import line, panel_title
from loratui.tui.widgets.thumb import Thumb

DRAFT_SECONDS = 0.4  # between the last letter and the draft on disk
VERDICT_KEYS = {"l": "learned", "p": "partly", "n": "not shown", "u": "uncertain", "0": ""}


class NoteArea(TextArea):
    """Enter is for saving; ctrl+j starts a new line, and so does alt+enter where a terminal can tell it from enter."""

    class Submitted(Message):
        """Enter was pressed."""

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted())
        elif event.key in ("alt+enter", "ctrl+j", "shift+enter"):
            event.stop()
            event.prevent_default()
            self.insert("\n")


class VerdictRow(Widget, can_focus=True):
    """The verdicts on one line; one is chosen."""

    help_text = "The verdict: l learned, p partly, n not shown, u uncertain, 0 none. It is a person's judgement."
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"choose({word!r})", word or "no verdict", show=False, id=f"verdict.{key}",
                  tooltip=f"Verdict: {word or 'none'}") for key, word in VERDICT_KEYS.items()),
        Binding("left", "move(-1)", show=False, id="verdict.left"),
        Binding("right", "move(1)", show=False, id="verdict.right"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    VerdictRow { height: 3; border: round $foreground 30%; padding: 0 1; border-title-color: $text-muted; }
    VerdictRow:focus { border: round $primary; }
    """

    class Changed(Message):
        """Another verdict was chosen."""

    def __init__(self, verdict: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.verdict = verdict
        self.border_title = "verdict"
        self._spots: list[tuple[int, int, str]] = []

    def render(self) -> Content:
        parts: list[tuple[str, str]] = []
        self._spots, column = [], 0
        for key, verdict in VERDICT_KEYS.items():
            words = f" {verdict_words(verdict) if verdict else '· none'} "
            parts += [(key, "bold $text-accent"), (words, "reverse bold" if verdict == self.verdict else ""), (" ", "")]
            self._spots.append((column, column + 1 + len(words), verdict))
            column += len(words) + 2
        return Content.assemble(*parts)

    def choose(self, verdict: str) -> None:
        if verdict != self.verdict:
            self.verdict = verdict
            self.refresh()
            self.post_message(self.Changed())

    def action_choose(self, verdict: str) -> None:
        self.choose(verdict)

    def action_move(self, by: int) -> None:
        words = list(VERDICT_KEYS.values())
        self.choose(words[(words.index(self.verdict) + by) % len(words)])

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        for start, end, verdict in self._spots if place is not None else ():
            if place is not None and start <= place.x < end:
                self.choose(verdict)

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            self.post_message(NoteArea.Submitted())


class NoteDialog(Dialog[Observation]):
    """The observation as it was saved, or None. With `observation` that one is edited, its history kept.

    With a `suggestion` it begins with what a measure says; saved as it is, it is the measure's, accepted.
    """

    HELP = "Write what you see. Enter or ctrl+s saves; ctrl+j starts a new line; tab goes on to feature and verdict."
    WIDTH = 76
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="note.save", tooltip="Save the observation"),
        Binding("ctrl+o", "take_up", "Take up", id="note.draft", tooltip="Go on with the note that was not saved"),
        # Before the text area, which would write their letters.
        *(Binding(f"alt+{key}", f"verdict({word!r})", word or "no verdict", show=False, priority=True,
                  id=f"note.{word or 'none'}".replace(" ", "_"),
                  tooltip=f"Verdict from anywhere in the dialog: {word or 'none'}")
          for key, word in VERDICT_KEYS.items()),
    ]  # fmt: skip
    DEFAULT_CSS = """
    NoteDialog {
        #what, #what > Vertical { height: auto; }
        #picture { width: 16; height: 8; margin-right: 1; display: none; }
        #picture.-there { display: block; }
        NoteArea { height: 8; border: round $foreground 30%; background: $surface; padding: 0 1; }
        NoteArea:focus { border: round $primary; }
        #about, #hint { color: $text-muted; height: 1; }
        #draft { color: $text-warning; height: auto; }
        Input { border-title-color: $text-muted; }
        #known { color: $text-muted; height: 1; padding: 0 2; }
    }
    """

    def __init__(
        self,
        run: RunFolder,
        step: int | None = None,
        pictures: Sequence[Path | str] = (),
        observation: Observation | None = None,
        suggestion: Suggestion | None = None,
    ) -> None:
        word = "Edit the note on" if observation else "Note on"
        super().__init__(f"{word} {short_run(run.id)}")
        self.run, self.observation, self.suggestion = run, observation, suggestion
        begin = observation or suggestion  # what stands in the dialog at first
        self.step = begin.step if begin else step
        self.pictures = tuple(_below(run, picture) for picture in (begin.pictures if begin else pictures))
        self._edited = observation.id if observation else ""
        self._shown = plain(begin.note, newlines=True) if begin else ""
        self._begin = begin
        self._waiting: Timer | None = None
        self._writing = asyncio.Lock()
        self._over = False
        self._left: Draft | None = None  # a note that was not saved, found when this opened

    def content(self) -> ComposeResult:
        old = self._begin
        yield Static("", id="about", markup=False)
        with Horizontal(id="what"):
            yield Thumb(id="picture")
            with Vertical():
                yield NoteArea(self._shown, soft_wrap=True, show_line_numbers=False, tab_behavior="focus", id="note")
        yield Input(plain(old.feature) if old else "", placeholder="such as grey, shape, background", id="feature")
        yield Static("", id="known", markup=False)
        yield VerdictRow(old.verdict if old else "", id="verdict")
        yield Static("", id="draft", markup=False)
        yield Static("", id="fault", classes="fault", markup=False)
        yield Static("enter saves · ctrl+j new line · tab goes on · alt+l p n u verdict", id="hint", markup=False)

    def on_mount(self) -> None:
        area, feature = self.query_one(NoteArea), self.query_one("#feature", Input)
        area.cursor_blink = feature.cursor_blink = False
        area.border_title, feature.border_title = "what you see", "feature"
        area.move_cursor(area.document.end)
        area.focus()
        self._tell_about()
        self._look_around()

    def _tell_about(self) -> None:
        names = [plain(Path(picture).name, 60) for picture in self.pictures]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        parts = [f"step {self.step}" if self.step is not None else "", f"{names[0]}{more}" if names else ""]
        about = " · ".join(part for part in parts if part) or "the run as a whole"
        self.query_one("#about", Static).update(line(about))
        thumb = self.query_one(Thumb)
        thumb.set_class(bool(self.pictures), "-there")
        if self.pictures:
            thumb.show(self.run.path / self.pictures[0])

    @work(exclusive=True, group="around", exit_on_error=False)
    async def _look_around(self) -> None:
        """The features used before, and a note that was not saved."""
        loop = asyncio.get_running_loop()
        try:
            seen = await loop.run_in_executor(None, project_observations, self.run.project_folder, [])
            self._left = await loop.run_in_executor(None, find_draft, self.run)
        except OSError:
            return
        known = [feature for feature in features_used(seen) if feature.isprintable()]
        if known:
            self.query_one("#feature", Input).suggester = SuggestFromList(known, case_sensitive=False)
            self.query_one("#known", Static).update(line("used before: " + ", ".join(known), 68))
        if self.suggestion is not None and self.suggestion.note and self._left is None:
            words = "A measure suggests this. Change what you see otherwise; nothing is written before you save."
            self.query_one("#draft", Static).update(line(words))
        if self._left is not None:
            words = plain(self._left.note or self._left.verdict, 40)
            self.query_one("#draft", Static).update(line(f"Not saved last time: “{words}”. ctrl+o takes it up."))
            self.refresh_bindings()

    # -- the draft --------------------------------------------------------------------------------------------

    def draft(self) -> Draft:
        """What stands in the dialog now."""
        return Draft(self._text(), self.query_one("#feature", Input).value, self.query_one(VerdictRow).verdict,
                     self.step, self.pictures, self._edited)  # fmt: skip

    def _text(self) -> str:
        """The note; that of the observation as it is on disk where nobody changed what was shown of it."""
        text = self.query_one(NoteArea).text
        return self._begin.note if self._begin is not None and text == self._shown else text

    @property
    def _is_changed(self) -> bool:
        old, draft = self._begin, self.draft()
        if old is None:
            return not draft.is_empty
        return (draft.note, draft.verdict) != (old.note, old.verdict) or draft.feature != plain(old.feature)

    @on(TextArea.Changed)
    @on(Input.Changed)
    @on(VerdictRow.Changed)
    def _changed(self) -> None:
        self.query_one("#fault", Static).update("")
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = self.set_timer(DRAFT_SECONDS, self._keep_draft)

    @work(group="draft", exit_on_error=False)
    async def _keep_draft(self) -> None:
        async with self._writing:
            if not self._over and self._is_changed:
                try:
                    await asyncio.get_running_loop().run_in_executor(None, save_draft, self.run, self.draft())
                except OSError as error:
                    self.query_one("#fault", Static).update(line(f"the draft is not kept: {error.strerror}"))

    def flush(self) -> None:
        """The bench ends: keep what is written."""
        if not self._over and self._is_changed:
            save_draft(self.run, self.draft())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "take_up" or self._left is not None

    def action_take_up(self) -> None:
        left, self._left = self._left, None
        if left is None:
            return
        take_over(self.run, left)
        self.step, self.pictures, self._edited = left.step, left.pictures, left.observation
        if self.observation is not None and self.observation.id != left.observation:
            self.observation = None
        self._begin = self.observation
        self.query_one(NoteArea).text = plain(left.note, newlines=True)
        self.query_one("#feature", Input).value = plain(left.feature)
        self.query_one(VerdictRow).choose(left.verdict if left.verdict in VERDICTS else "")
        self.query_one("#draft", Static).update("")
        title = f"{'Edit the note on' if left.observation else 'Note on'} {short_run(self.run.id)}"
        self.query_one("#box").border_title = panel_title(None, title, 80)
        self._tell_about()
        self.refresh_bindings()

    # -- the end ----------------------------------------------------------------------------------------------

    @on(NoteArea.Submitted)
    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_save()

    def action_verdict(self, verdict: str) -> None:
        self.query_one(VerdictRow).choose(verdict)

    @work(exclusive=True, group="save", exit_on_error=False)
    async def action_save(self) -> None:
        draft = self.draft()
        async with self._writing:
            try:
                saved = await asyncio.get_running_loop().run_in_executor(None, self._save, draft)
            except (LabError, OSError) as error:
                self.query_one("#fault", Static).update(line(error))
                return
            self._over = True
            drop_draft(self.run)
        self.dismiss(saved)

    def _save(self, draft: Draft) -> Observation:
        if draft.observation:
            return edit(self.run, draft.observation, note=draft.note, feature=draft.feature, verdict=draft.verdict,
                        step=draft.step, pictures=draft.pictures, by=PERSON)  # fmt: skip
        if self.suggestion is not None and self._begin is self.suggestion:
            return accept(self.run, self.suggestion, note=draft.note, feature=draft.feature, verdict=draft.verdict)
        return observe(self.run, draft.note, feature=draft.feature, verdict=draft.verdict, step=draft.step,
                       pictures=draft.pictures)  # fmt: skip

    def action_cancel(self) -> None:
        self._leave()

    @work(exclusive=True, group="save")
    async def _leave(self) -> None:
        if self._is_changed:
            sure = await self.app.push_screen_wait(
                Confirm("Throw this note away?", "It is not saved yet.", yes="Throw away", no="Keep writing")
            )
            if not sure:
                return
        async with self._writing:
            self._over = True
            drop_draft(self.run)
        self.dismiss(None)


def _below(run: RunFolder, picture: Path | str) -> str:
    """A picture as it is kept: below the run folder where it is there, so that both can move together."""
    path = Path(picture)
    return path.relative_to(run.path).as_posix() if path.is_relative_to(run.path) else str(picture)
