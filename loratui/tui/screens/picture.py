"""One picture as large as the terminal gives, everything that made it beside it, and the ways to its neighbours.

A sample of a run, a contact sheet, or an image of a dataset. Its files are only looked at; what happens outside the
bench's frames (full resolution, another program) is in viewer.py. Nothing is measured here: a child process does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.geometry import Size

from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.pictures.aboutpicture import About, about_image, about_sample, about_sheet, images_beside
from loratui.lab.pictures.gallery import Axis, Gallery, Where
from loratui.lab.run.runs import RunFolder
from loratui.tui.picturemeasures import Seen, look_at, mask_order, measured, with_measures
from loratui.tui.pixels import Drawn, Key
from loratui.tui.places import Place
from loratui.tui.samplelines import scale_words
from loratui.tui.screens.base import BenchScreen
from loratui.tui.text import safe_title
from loratui.tui.widgets.facts import Facts
from loratui.tui.widgets.thumb import Thumb

if TYPE_CHECKING:
    from textual import events

NARROWEST, WIDEST = 36, 64  # columns of what is said about a picture
LIVE_SECONDS = 3.0  # between two looks for new samples of a live run


class Picture(Thumb, can_focus=True):
    """The picture itself; a click shows it at full resolution."""

    help_text = (
        "The picture in half blocks, two pixels a cell; a small one is enlarged a whole number of times. "
        "v shows it at full resolution, where the terminal can."
    )

    def _put(self, key: Key | None, drawn: Drawn | None, words: tuple[str, ...] = ()) -> None:
        super()._put(key, drawn, words)
        if isinstance(self.screen, PictureScreen):
            self.screen.entitle()


class PictureScreen(BenchScreen):
    """`Place("picture", project, (run,), picture)`; without a run it is an image of a dataset."""

    TITLE_WORD = "Picture"
    HELP = (
        "One picture and everything that made it. b flips between the base model and the LoRA in place: what changes "
        "is what was learned. Left and right go from seed to seed, up and down from prompt to prompt, comma and full "
        "stop to the steps before and after."
    )
    CHANGES = frozenset({"note"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move('seed',-1)", "Seed ←", id="picture.previous", show=False, tooltip="The seed before"),
        Binding("right,l", "move('seed',1)", "Seed →", id="picture.next", show=False, tooltip="The next seed"),
        Binding("up,k", "move('prompt',-1)", "Prompt ↑", id="picture.prompt_before", show=False,
                tooltip="The same seed of the prompt before"),
        Binding("down,j", "move('prompt',1)", "Prompt ↓", id="picture.prompt_after", show=False,
                tooltip="The same seed of the next prompt"),
        Binding("b", "flip", "Base/LoRA", id="picture.flip",
                tooltip="The same noise without the LoRA, and with it again"),
        Binding("comma,less_than_sign", "move('step',-1)", "Earlier", id="picture.earlier",
                tooltip="The same picture at the step before"),
        Binding("full_stop,greater_than_sign", "move('step',1)", "Later", id="picture.later",
                tooltip="The same picture at the next step"),
        Binding("i", "inference_steps", "Denoising", id="picture.inference", show=False,
                tooltip="The same picture with another number of inference steps"),
        Binding("left_square_bracket", "move('scale',-1)", "Scale −", id="picture.weaker", show=False,
                tooltip="The LoRA at the scale before"),
        Binding("right_square_bracket", "move('scale',1)", "Scale +", id="picture.stronger", show=False,
                tooltip="The LoRA at the next scale"),
        Binding("left,h", "other(-1)", "Before", id="picture.other_before", show=False, tooltip="The picture before"),
        Binding("right,l", "other(1)", "Next", id="picture.other_next", show=False, tooltip="The next picture"),
        Binding("v", "full", "Full size", id="picture.full", tooltip="At full resolution, on the whole terminal"),
        Binding("o", "outside", "Open", id="picture.outside", show=False,
                tooltip="Open it in a viewer outside the terminal"),
        Binding("c", "sheet", "Sheet", id="picture.sheet", show=False,
                tooltip="The contact sheet of this step, and back"),
        Binding("m", "mask", "Mask", id="picture.mask",
                tooltip="What a measure looked at in this picture, all else dimmed; again: the next measure's"),
        Binding("n", "note", "Note", id="picture.note", tooltip="Write down what is seen in this picture"),
        Binding("y", "copy", "Copy path", id="picture.copy", show=False, tooltip="Copy the path of the file"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    PictureScreen #beside { height: 1fr; }
    PictureScreen Picture { width: 1fr; height: 1fr; }
    PictureScreen Facts { width: 36; height: 1fr; }
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        if place.picture is None:
            raise LabError("no picture was chosen; choose one among the samples or the images first")
        self.path = place.picture
        self.where: Where | None = None
        self.gallery = Gallery(RunFolder(place.runs[0])) if place.runs else None
        self._others: Sequence[Path] = ()  # sheets or images before and after this one
        self._before_sheet: Path | None = None
        self._scale: float | None = None  # of the LoRA that `b` goes back to
        self.masked = ""  # the measure whose mask is shown
        self._known = Seen(place.picture)

    def body(self) -> ComposeResult:
        with Horizontal(id="beside"):
            yield Picture(empty="no picture", classes="panel", id="picture")
            facts = Facts(classes="panel", id="facts")
            facts.styles.width = _beside(self.app.size)
            yield facts

    def on_mount(self) -> None:
        self.picture, self.facts = self.query_one(Picture), self.query_one(Facts)
        self.panels = [self.picture, self.facts]
        safe_title(self.facts, "What made it" if self.gallery else "About it", 2)
        self.picture.focus()
        self.look()
        self.every(LIVE_SECONDS, self._look_while_live)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(Facts).styles.width = _beside(event.size)

    def on_show_again(self) -> None:
        self.look()

    def _look_while_live(self) -> None:
        if any(live.run.path == self.run_path for live in self.bench.live):
            self.look()

    # -- which picture ----------------------------------------------------------------------------------------

    @work(exclusive=True, group="look", exit_on_error=False)
    async def look(self) -> None:
        """See what neighbours there are, and show the picture."""
        try:
            self._others = await self.aside(_neighbours, self.gallery, self.path)
        except (LabError, OSError) as error:
            self.bench.fail(error)
        self._show(self.path)

    def _show(self, path: Path, where: Where | None = None) -> None:
        self.path = path
        self.where = where or (self.gallery.locate(path) if self.gallery is not None else None)
        if self.where is not None and self.where.scale is not None:
            self._scale = self.where.scale
        self.place = replace(self.place, picture=path)
        if self._known.path != path:
            self._known = Seen(path)
        self._put()
        self._tell()
        self.refresh_bindings()

    def _put(self) -> None:
        """Show the picture, or its mask where one is wanted and known."""
        shown = self._known.masks.get(self.masked, self.path) if self.masked else self.path
        if shown == self.picture.path:
            self.entitle()
        self.picture.show(shown)

    def entitle(self) -> None:
        """Say on the picture's border which it is: with the picture and not before it, so that they are one repaint."""
        safe_title(self.picture, self._title, 1)
        if self.picture.border_subtitle != self._subtitle:
            self.picture.border_subtitle = self._subtitle

    @property
    def _title(self) -> str:
        where = self.where
        if where is None or self.gallery is None:
            return self.path.name
        words = f"seed {where.spot.seed} · {scale_words(where.scale, self.gallery.scales)}"
        return words if where.scale is None else f"{words} · step {where.step}"

    @property
    def _subtitle(self) -> str:
        if self.masked:
            there = self.masked in self._known.masks
            return f"what {self.masked} looked at · m the next" if there else f"looking what {self.masked} looked at…"
        where, gallery = self.where, self.gallery
        if where is None or gallery is None:
            names = list(self._others)
            place = f"{names.index(self.path) + 1} of {len(names)}" if self.path in names else ""
            return place if gallery is None else " · ".join(filter(None, (place, "v shows it at full size")))
        if where.step not in gallery.steps or len(gallery.steps) < 2:
            return ""
        beside = "beside " if where.scale is None else ""
        return f"{beside}step {gallery.steps.index(where.step) + 1} of {len(gallery.steps)}"

    @work(exclusive=True, group="about", exit_on_error=False)
    async def _tell(self) -> None:
        path, masked = self.path, self.masked
        try:
            about = await self.aside(_about, path, self.where, self.gallery, self.place.project)
            seen = await self.aside(look_at, self._known, self.gallery, self.where)
            if path != self.path:
                return
            self._known = seen
            self._say(about)
            if masked and not seen.is_whole:
                self._known = await self.aside(measured, seen, self._wanted)
        except Cancelled:
            return
        except (LabError, OSError) as error:
            self.bench.fail(error)
            self._no_mask()
            return
        if path == self.path:
            self._say(about)
            self._put()
            self.refresh_bindings()

    def _say(self, about: About) -> None:
        self.facts.show(about.title, with_measures(about.rows, self._known))

    def _wanted(self, done: int, total: int) -> None:
        self.bench.patience(done, total)
        if not self.is_attached:
            raise Cancelled

    def _no_mask(self) -> None:
        self.masked = ""
        self._put()
        self.entitle()

    # -- keys -------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        sample, gallery = self.where, self.gallery
        if action in ("move", "flip", "inference_steps") and (sample is None or gallery is None):
            return False
        if action == "flip":
            return gallery is not None and sample is not None and gallery.twin(sample) is not None
        if action == "inference_steps":
            return gallery is not None and len(gallery.inference_steps) > 1
        if action == "move" and gallery is not None:
            several = {"step": len(gallery.steps), "scale": len(gallery.scales),
                       "prompt": len({spot.prompt for spot in gallery.spots})}  # fmt: skip
            return several.get(str(parameters[0]), 2) > 1
        if action == "other":
            return sample is None and len(self._others) > 1
        if action == "sheet":
            return self._before_sheet is not None or (
                gallery is not None and sample is not None and bool(gallery.sheets(sample.step))
            )
        if action == "note" and gallery is None:
            return False
        if action == "mask":
            return gallery is None or sample is not None  # not of contact sheets
        return super().check_action(action, parameters)

    def go_to(self, where: Where | None) -> None:
        """Show another sample of the run."""
        path = self.gallery.path(where) if self.gallery is not None and where is not None else None
        if path is not None:
            self._show(path, where)

    def action_move(self, axis: Axis, by: int) -> None:
        if self.gallery is None or self.where is None:
            return
        there = self.gallery.move(self.where, axis, by)
        if there is None:
            self.picture.border_subtitle = f"this is the {'first' if by < 0 else 'last'} {axis}"
        else:
            self.go_to(there)

    def action_flip(self) -> None:
        if self.gallery is not None and self.where is not None:
            self.go_to(self.gallery.twin(self.where, self._scale))

    def action_inference_steps(self) -> None:
        if self.gallery is None or self.where is None:
            return
        there = self.gallery.move(self.where, "inference_steps", 1)
        at = self.where
        while there is None and (back := self.gallery.move(at, "inference_steps", -1)) is not None:
            at = back
        self.go_to(there or at)

    def action_mask(self) -> None:
        """The mask of the next measure, first of those that something was expected of; after the last, none."""
        order = ["", *mask_order(self._known)]
        self.masked = order[(order.index(self.masked) + 1) % len(order)] if self.masked in order else ""
        self.entitle()
        self._put()
        if self.masked and not self._known.is_whole:
            self._tell()

    def action_other(self, by: int) -> None:
        names = list(self._others)
        if self.path in names and 0 <= (at := names.index(self.path) + by) < len(names):
            self._show(names[at])

    def action_sheet(self) -> None:
        if self.where is not None and self.gallery is not None:
            sheets = self.gallery.sheets(self.where.step)
            if sheets:
                self._before_sheet, self._others = self.path, self.gallery.all_sheets
                self._show(sheets[0])
        elif self._before_sheet is not None:
            path, self._before_sheet = self._before_sheet, None
            self._show(path)

    @on(Thumb.Opened)
    def action_full(self) -> None:
        from loratui.tui.viewer import show_full

        caption = f"{self._title} · {self.path.name}" if self.where is not None else self.path.name
        truecolour = self.app.console.color_system == "truecolor"
        try:
            with self.app.suspend():
                show_full(self.picture.path or self.path, caption, self.bench.preferences.pictures, truecolour)
        except SuspendNotSupported:
            self.bench.say(
                "full size needs the terminal for itself, which this one cannot give; o opens a viewer", "warning"
            )

    def action_outside(self) -> None:
        from loratui.tui.viewer import open_outside

        reason = open_outside(self.path, self.bench.preferences.viewer)
        if reason:
            self.bench.say(reason, "warning")
            self.bench.copy(str(self.path))
        else:
            self.bench.say(f"opened {self.path.name}")

    def action_copy(self) -> None:
        self.bench.copy(str(self.path))

    def action_note(self) -> None:
        from loratui.tui.dialogs.note import NoteDialog

        if self.gallery is not None:
            step = self.where.step if self.where is not None and self.where.scale is not None else None
            if self.where is None:
                step = next((one for one in self.gallery.steps if self.path in self.gallery.sheets(one)), None)
            self.app.push_screen(NoteDialog(self.gallery.run, step=step, pictures=(self.path,)))


def _beside(size: Size) -> int:
    """Columns for words: what a square picture leaves free, but never so many that they stand far from it."""
    free = size.width - 2 * (size.height - 4) - 4
    return min(WIDEST, max(NARROWEST, free), max(20, size.width - 24))


def _neighbours(gallery: Gallery | None, path: Path) -> Sequence[Path]:
    if gallery is None:
        return images_beside(path)
    gallery.refresh()
    gallery.read_words()
    return gallery.all_sheets


def _about(path: Path, where: Where | None, gallery: Gallery | None, project: Path | None) -> About:
    if gallery is None:
        from loratui.lab.pictures.thumbnails import thumbnail

        return about_image(path, thumbnail(path, 16, 8).size, project)
    if where is not None:
        return about_sample(path, gallery.prompt(where.spot.prompt).expected)
    sheet = next((step for step in gallery.steps if path in gallery.sheets(step)), None)
    return about_sheet(path, sheet) if path in gallery.all_sheets else about_sample(path)
