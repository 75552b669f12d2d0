"""The cover of a project: its question, its first images as a contact sheet with captions, and what it sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from loratui.lab.plain import plain
from loratui.tui.text import safe_title
from loratui.tui.widgets.thumb import Thumb

if TYPE_CHECKING:
    from loratui.lab.notes.observations import Observation
    from loratui.lab.project.cover import Cover

ACROSS, DOWN = 3, 2
_NOTHING = "Of the project under the cursor its question, its first images and its settings are shown here."


class CoverPanel(VerticalScroll):
    """`show(cover)` shows one; thumbs stay where they are, so that another project is a repaint."""

    help_text = (
        "The project under the cursor before you open it: its question, the first images of its dataset with their "
        "captions, and the settings that differ from the defaults. t opens the dataset, s the settings."
    )
    DEFAULT_CSS = """
    CoverPanel {
        scrollbar-size: 1 1;
        #question { height: auto; }
        #sheet { grid-size: 3; grid-gutter: 0 1; grid-rows: 7; height: auto; margin: 1 0; }
        #sheet Thumb { width: 100%; height: 100%; }
        #told { height: auto; }
    }
    .-very-wide CoverPanel #sheet, .-narrow CoverPanel #sheet { grid-rows: 9; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, can_focus=True)
        self.cover: Cover | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="question", markup=False)
        with Grid(id="sheet"):
            for _ in range(ACROSS * DOWN):
                yield Thumb(empty="")
        yield Static("", id="told", markup=False)

    def on_mount(self) -> None:
        self.clear()

    def clear(self) -> None:
        """No project is chosen."""
        self.cover = None
        safe_title(self, "Project", 3)
        self._say(Content(""), Content.styled(_NOTHING, "dim"))
        self._show_images(())

    def show(self, cover: Cover, observation: Observation | None = None) -> None:
        """Show a project. All that comes from outside is made plain here."""
        self.cover = cover
        safe_title(self, cover.folder.name, 3)
        head = Content.styled(plain(cover.question, 500), "bold") if cover.question else Content("")
        if cover.dataset is None:
            self._say(*_broken(cover))
            self._show_images(())
            return
        if not cover.question:
            head = Content.assemble(("No question yet. What is this LoRA to find out? ", "dim"), ("s", "bold"),
                                    (" opens the settings.", "dim"))  # fmt: skip
        parts = [_images_words(cover)]
        if observation is not None:
            parts += [Content(""), _observed(observation)]
        parts += [Content(""), _settings(cover, self.content_size.width or 38)]
        self._say(head, Content("\n").join(parts))
        self._show_images([(image.path, image.caption or "(no caption)") for image in cover.images])

    def _say(self, head: Content, told: Content) -> None:
        for name, content in (("#question", head), ("#told", told)):
            shown = self.query_one(name, Static)
            if shown.content != content:
                shown.update(content)

    def _show_images(self, images: object) -> None:
        pictures = list(images) if isinstance(images, (list, tuple)) else []
        self.query_one("#sheet").display = bool(pictures)
        for index, thumb in enumerate(self.query(Thumb)):
            thumb.display = index < ACROSS or len(pictures) > ACROSS
            path, caption = pictures[index] if index < len(pictures) else (None, "")
            thumb.show(path, caption)


def _broken(cover: Cover) -> tuple[Content, Content]:
    head = Content.styled("✗ project.toml is not in order", "bold $text-error")
    words = plain(cover.error, 4000, newlines=True).replace(f"{plain(cover.folder)}/", "")
    hint = " opens it in your editor; the list follows when it is saved."
    return head, Content.assemble(words, "\n\n", ("e", "bold"), hint)


def _images_words(cover: Cover) -> Content:
    if cover.error:
        return Content.styled(f"✗ {plain(cover.error, 1000)}", "$text-error")
    if not cover.count:
        hint = f" opens the dataset, where images are brought in; or put them into {plain(cover.dataset, 200)}"
        return Content.assemble(("No images yet. ", "bold"), ("t", "bold"), hint)
    more = cover.count - len(cover.images)
    count = f"{cover.count:,} image{'s' if cover.count != 1 else ''}"
    return Content.styled(f"{count}, the first {len(cover.images)} above" if more else count, "dim")


def _observed(observation: Observation) -> Content:
    feature = f"{plain(observation.feature, 60)}: " if observation.feature else ""
    verdict = f" ({observation.verdict})" if observation.verdict else ""
    note = plain(" ".join(observation.note.split()), 300)
    return Content.assemble(("Last observation  ", "dim"), feature, note, verdict)


def _settings(cover: Cover, room: int) -> Content:
    if not cover.differing:
        return Content.styled("All settings are the defaults.", "dim")
    width = max(len(key) for key, _, _ in cover.differing)
    lines = [Content.styled("Not as by default", "dim")]
    for key, value, default in cover.differing:
        shown = plain(value, 120)
        before = f"  ({plain(default)})"
        if width + 2 + len(shown) + len(before) > room:
            before = ""
        lines.append(Content.assemble((f"{key:{width}}  ", "$foreground 60%"), shown, (before, "dim")))
    if cover.variants:
        lines.append(Content.assemble(("variants  ", "$foreground 60%"), plain(", ".join(cover.variants), 200)))
    return Content("\n").join(lines)
