"""The dataset: its images, one of them large, its caption with its tokens, and the tags of all.

What is read, saved, counted and checked beside the event loop is datasetwork.py's; which images, captions and problems
there are is the desk's (lab/desk.py). Here it is shown, and keys become what they mean.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from loratui.lab.dataset.tagstats import TagCount
from loratui.lab.plain import plain
from loratui.tui.screens.datasetactions import DatasetActions
from loratui.tui.screens.datasetwork import finding_words
from loratui.tui.text import line, safe_title
from loratui.tui.widgets.captionedit import CaptionEdit, why_locked
from loratui.tui.widgets.filterbar import FilterBar
from loratui.tui.widgets.imagelist import ImageList, ImageRow
from loratui.tui.widgets.picturepanel import PicturePanel
from loratui.tui.widgets.tagpanel import TagPanel
from loratui.tui.widgets.thumb import Thumb
from loratui.tui.widgets.tokenpanel import MOST_PIECES, TokenPanel

_AT_ONCE = 3_000  # characters of a caption whose tokens are shown without waiting
_TAGS_AFTER = 0.3  # seconds


class DatasetScreen(DatasetActions):
    """Five panels: images, picture, caption, tokens, tags."""

    TITLE_WORD = "Dataset"
    HELP = (
        "The images of this project with their captions. Captions are saved as you type, into the files beside the "
        "images; the images themselves are never written. Space marks images, b changes the captions of many at once "
        "after showing every change, z undoes, also after a restart. Files that another program changes are noticed, "
        "merged, or asked about."
    )
    CHANGES = frozenset({"bulk", "undo", "redo", "import", "editor", "clean"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "bulk", "Bulk", id="dataset.bulk",
                tooltip="Change the captions of the marked images, or of all that are shown"),
        Binding("v", "view", "View", id="dataset.view", tooltip="The picture full size"),
        Binding("i", "import", "Import", id="dataset.import", tooltip="Copy pictures into this dataset by their paths"),
        Binding("z", "undo", "Undo", id="dataset.undo", tooltip="Take the last change of captions back"),
        Binding("Z", "redo", "Redo", show=False, id="dataset.redo", tooltip="Make the change undone last again"),
        Binding("a", "mark_all", "Mark all", show=False, id="dataset.mark_all",
                tooltip="Mark all images that are shown, or none"),
        Binding("e", "editor", "Editor", id="dataset.editor", tooltip="Open the caption file in $EDITOR"),
        Binding("ctrl+l", "check", "Check", show=False, id="dataset.check",
                tooltip="Look at every image and caption for problems; again, to stop"),
        Binding("f", "findings", "Findings", show=False, id="dataset.findings",
                tooltip="Everything that the check found, to read"),
        Binding("c", "clean", "Clean", id="dataset.clean",
                tooltip="Take the characters that cannot be seen out of this caption"),
        Binding("p", "side", "Picture", show=False, id="dataset.side", tooltip="Show or hide picture and tags"),
        Binding("y", "copy", "Copy path", show=False, id="dataset.copy", tooltip="Copy the path of this image"),
        Binding("enter", "mend", "Settings", id="dataset.mend", tooltip="Go to the settings to put the project right"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    DatasetScreen {
        #broken { display: none; padding: 1 2; height: 1fr; }
        #columns { height: 1fr; }
        #main { width: 1fr; }
        #side { width: 42%; }
        #images { height: 1fr; padding: 0; }
        #images > ImageList { height: 1fr; }
        #caption { height: 7; }
        #about { height: auto; max-height: 2; color: $text-muted; }
        #tokens { height: 11; }
        #picture { height: 1fr; padding: 0; }
        #tags { height: 1fr; min-height: 8; padding: 0 1; }
        &.-very-wide #caption { height: 9; }
        &.-very-wide #tokens { height: 16; }
        &.-short #caption { height: 5; }
        &.-short #about { max-height: 1; }
        &.-short #tokens { height: 7; }
        &.-narrow #side { width: 30; display: none; }
        &.-narrow.-side #side { display: block; }
        &.-narrow #together { display: none; }
        &.-wide.-no-side #side { display: none; }
        &.-broken #columns { display: none; }
        &.-broken #broken { display: block; }
    }
    """

    def body(self) -> ComposeResult:
        yield Static("", id="broken", markup=False)
        with Horizontal(id="columns"):
            with Vertical(id="main"):
                with Vertical(id="images", classes="panel"):
                    yield ImageList(self._row)
                    yield FilterBar()
                with Vertical(id="caption", classes="panel"):
                    yield CaptionEdit()
                    yield Static("", id="about", markup=False)
                yield TokenPanel(self._text_of, id="tokens", classes="panel")
            with Vertical(id="side"):
                yield PicturePanel(id="picture", classes="panel")
                yield TagPanel(id="tags", classes="panel")

    def on_mount(self) -> None:
        self.images = self.query_one(ImageList)
        self.edit = self.query_one(CaptionEdit)
        self.filters = self.query_one(FilterBar)
        self.tokens = self.query_one(TokenPanel)
        self.tags = self.query_one(TagPanel)
        self.thumb = self.query_one(Thumb)
        self.panels = [self.query_one(f"#{name}") for name in ("images", "picture", "caption", "tokens", "tags")]
        for number, (panel, word) in enumerate(zip(self.panels, ("Images", "Picture", "Caption", "Tokens", "Tags"),
                                                   strict=True), start=1):  # fmt: skip
            safe_title(panel, word, number)
        self.images.words = "reading the captions…"
        self.edit.present(None, "")
        self.images.focus()
        self._tags_timer = self.set_timer(_TAGS_AFTER, self.count_tags, pause=True)

    # -- what there is --------------------------------------------------------------------------------------------

    def _text_of(self, name: str) -> str:
        return self.desk.text(name) if self.desk else ""

    def _row(self, name: str) -> ImageRow:
        desk = self.desk
        entry = desk.entries.get(name) if desk else None
        if desk is None or entry is None:
            return ImageRow(name, "", False, False, None, False, 0, 0)
        problems = desk.problems(name)
        errors = sum(finding.severity == "error" for finding in problems)
        count, limit = desk.tokens(name), desk.index.limit if desk.index else 0
        return ImageRow(
            name, desk.text(name), entry.has_file, name in desk.marked, count,
            count is not None and count > limit, errors, len(problems) - errors,
        )  # fmt: skip

    # -- hooks of the jobs ----------------------------------------------------------------------------------------

    def opened(self) -> None:
        self.set_class(self.desk is None, "-broken")
        if self.desk is None:
            self.query_one("#broken", Static).update(_broken_words(self.broken))
            self.set_focus(None)
        else:
            if self.focused is None:
                self.images.focus()
            self.show_list()
            self.count_tags()
        self.refresh_bindings()

    def captions_changed(self, names: Collection[str], *, list_too: bool) -> None:
        desk = self.desk
        if desk is None:
            return
        if list_too:
            desk.forget_gone()
            self.show_list()
        else:
            for name in names:
                self.images.refresh_image(name)
        if self.images.current in names:
            self.show_caption()
        if names:
            self.count_tokens()
            self._tags_timer.resume()
            self._tags_timer.reset()
        self.refresh_bindings()

    def tokens_known(self) -> None:
        self.images.refresh()
        self.show_tokens()

    def problems_known(self) -> None:
        self.images.refresh()
        self.show_about()
        self.show_counts()

    # -- showing --------------------------------------------------------------------------------------------------

    def show_list(self) -> None:
        self._fill_list()

    @work(exclusive=True, group="list", exit_on_error=False)
    async def _fill_list(self) -> None:
        """The images that the filter lets through; the cursor stays on its image."""
        desk = self.desk
        if desk is None:
            return
        names = list(desk.entries) if desk.query is None else await self.aside(desk.shown)
        if desk is not self.desk:
            return
        self.images.words = _empty_words(desk.folder.is_dir(), bool(desk.entries), desk.project.settings.dataset.path)
        self.images.set_names(names, self.images.current)
        self.show_counts()
        self.refresh_bindings()

    def show_counts(self) -> None:
        """How many images, how many of them are shown and marked, and what the check is about."""
        desk = self.desk
        if desk is None:
            return
        shown, total = len(self.images.names), len(desk.entries)
        parts = [f"{shown:,}/{total:,} shown" if desk.query else f"{total:,}"]
        if desk.marked:
            parts.append(f"{len(desk.marked):,} marked")
        if self.doing:
            parts.append(f"{self.doing}, ctrl+l stops")
        elif desk.checked is not None:
            errors = sum(finding.severity == "error" for finding in desk.checked.findings)
            warnings = len(desk.checked.findings) - errors
            signs = [f"{sign}{count}" for sign, count in (("✗", errors), ("!", warnings)) if count]
            parts.append(f"check: {' '.join(signs) or '✓'}")
        subtitle = "  ".join(parts)
        panel = self.panels[0]
        if panel.border_subtitle != subtitle:
            panel.border_subtitle = subtitle

    @on(ImageList.Highlighted)
    def _other_image(self, event: ImageList.Highlighted) -> None:
        event.stop()
        if self.desk is not None and self.desk.drafts:
            self.save()
        self.show_image()

    def show_image(self) -> None:
        """All panels for the image under the cursor."""
        entry = self.current
        self.thumb.show(entry.path if entry else None)
        safe_title(self.panels[1], f"Picture {entry.name}" if entry else "Picture", 2)
        self.show_caption()
        self.refresh_bindings()

    def show_caption(self) -> None:
        entry = self.current
        text = self._text_of(entry.name) if entry else ""
        self.edit.present(entry.name if entry else None, text, locked=self.bench.readonly or bool(why_locked(text)))
        self.show_about()
        self.show_tokens()

    def show_about(self) -> None:
        """Under the caption: why it cannot be edited, and the gravest of its problems. On the border: is it saved?"""
        desk, entry = self.desk, self.current
        words, state = "", ""
        if desk is not None and entry is not None:
            text = desk.text(entry.name)
            reason = why_locked(text)
            problems = desk.problems(entry.name)
            more = f"  (and {len(problems) - 1} more: f)" if len(problems) > 1 else ""
            words = f"✗ {reason}" if reason else finding_words(problems[0]) + more if problems else ""
            if entry.name in desk.held:
                state = "✗ not saved: another program changed it; enter decides"
            elif entry.name in desk.drafts:
                state = "saving…"
            elif self.bench.readonly or reason:
                state = "to look at only"
            elif not entry.has_file:
                state = "no caption file yet" if not entry.caption else "by the folder's name"
            else:
                state = f"✓ in {plain(entry.caption_path.name, 40)}"
        about = self.query_one("#about", Static)
        about.update(line(words, 600))
        about.display = bool(words)
        panel = self.panels[2]
        if panel.border_subtitle != state:
            panel.border_subtitle = state

    def show_tokens(self) -> None:
        """The tokens of what is being typed."""
        desk, entry = self.desk, self.current
        if desk is None or entry is None:
            self.tokens.show(None, "no image is under the cursor")
        elif desk.index is None:
            self.tokens.show(None, self.tokens_missing or "reading the vocabulary…")
        elif len(text := desk.text(entry.name)) <= _AT_ONCE:
            self.tokens.show(desk.index.view(entry.name, text, MOST_PIECES), image=entry.name)
        else:
            self._show_many_tokens(entry.name, text)

    @work(exclusive=True, group="view", exit_on_error=False)
    async def _show_many_tokens(self, name: str, text: str) -> None:
        if self.desk is not None and self.desk.index is not None:
            view = await self.aside(self.desk.index.view, name, text, MOST_PIECES)
            if name == self.images.current and text == self._text_of(name):
                self.tokens.show(view, image=name)

    @work(exclusive=True, group="tags", exit_on_error=False)
    async def count_tags(self) -> None:
        self._tags_timer.pause()
        self.tags.show_tags(await self.tag_counts())

    @on(TagPanel.Looked)
    @work(exclusive=True, group="beside", exit_on_error=False)
    async def _show_beside(self, event: TagPanel.Looked) -> None:
        beside: Sequence[TagCount] = await self.tags_beside(event.tag)
        self.tags.show_together(event.tag, beside)

    # -- keys -----------------------------------------------------------------------------------------------------

    @on(ImageList.Chosen)
    def _edit_caption(self, event: ImageList.Chosen) -> None:
        event.stop()
        self.edit.focus()

    @on(CaptionEdit.Typed)
    def _typed(self, event: CaptionEdit.Typed) -> None:
        event.stop()
        if self.desk is not None:
            self.desk.type_in(event.name, event.text)
            self.images.refresh_image(event.name)
            self.show_about()
            self.show_tokens()
            self.save_soon()

    @on(FilterBar.Filtered)
    def _filtered(self, event: FilterBar.Filtered) -> None:
        event.stop()
        if self.desk is not None:
            self.desk.query = event.query
            self.tags.show_chosen([count.tag for count in self.tags.all_tags.tags if self.filters.asks_for(count.tag)])
            self.show_list()

    @on(FilterBar.Left)
    def _to_list(self, event: FilterBar.Left) -> None:
        event.stop()
        self.images.focus()

    @on(TagPanel.Wanted)
    def _filter_by_tag(self, event: TagPanel.Wanted) -> None:
        event.stop()
        self.filters.toggle_tag(event.tag)

    def filter_widget(self) -> Widget | None:
        return self.filters if self.desk is not None else None

    def action_filter(self) -> None:
        self.filters.open()

    def close_filter(self) -> bool:
        if self.focused is self.edit or not self.filters.close():
            return False
        self.images.focus()
        return True

    def focus_panel(self, number: int) -> None:
        if number in (2, 5) and not self._side_is_shown():
            self.action_side()
        super().focus_panel(number)

    def _side_is_shown(self) -> bool:
        return self.has_class("-side") if self.has_class("-narrow") else not self.has_class("-no-side")

    def action_side(self) -> None:
        """Show or hide the picture and the tags: a narrow screen begins without them."""
        shown = self._side_is_shown()
        if shown and self.focused is not None and self.query_one("#side") in self.focused.ancestors_with_self:
            self.images.focus()
        self.set_class(not shown, "-side")
        self.set_class(shown, "-no-side")

    def on_show_again(self) -> None:
        if self.desk is None or self._project_changed():
            self.open_project()
        else:
            self.look_at_disk()


def _broken_words(reason: str) -> Content:
    return Content.assemble(
        ("This project cannot be read\n\n", "bold"), plain(reason, 4000, newlines=True),
        ("\n\nenter or g s", "bold"), " goes to its settings, where it can be put right.  ", ("ctrl+r", "bold"),
        " reads it again.",
    )  # fmt: skip


def _empty_words(has_folder: bool, has_images: bool, path: str) -> str:
    """What stands in the list when nothing else does."""
    if has_images:
        return "The filter lets no image through.\n\nescape  shows all again\n/  changes the filter"
    if not has_folder:
        return (
            f"There is no folder {plain(path, 100)} yet.\n\ni  copies pictures into it by their paths, and makes it\n"
            "g s  goes to the settings, where dataset.path can be another one"
        )
    return (
        "No images here yet.\n\ni  copies pictures in by their paths; so does pasting paths, or dropping files, here\n"
        "g s  goes to the settings, where dataset.path can be another folder"
    )
