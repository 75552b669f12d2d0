"""What a new project is to be called, what it asks, and which images it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Button, Checkbox, Input, Label, Static

from loratui.lab.plain import plain
from loratui.tui.dialogs.base import Dialog
from loratui.tui.text import line

if TYPE_CHECKING:
    from loratui.lab.patience import Progress
    from loratui.lab.project.newproject import Made

_SAY_NOTHING = ("dataset", "data", "images", "img", "train")  # names of folders
HINT_SECONDS = 0.15  # after the last letter, before a folder is looked into

Way = tuple[str, str]  # ("nothing" | "images" | "example" | "copy", its name or path)


@dataclass(frozen=True)
class Wish:
    """What was asked for. `images` is a folder as it was typed; it and `copy` count only for the way "images"."""

    way: Way
    name: str
    question: str = ""
    images: str = ""
    copy: bool = True


class Folders(Suggester):
    """Folders on this disk that begin as what was typed."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(None, folder_like, value)


def folder_like(typed: str) -> str | None:
    """The first folder whose path begins as `typed`, written the way it was begun; None when there is none."""
    head, slash, begin = typed.rpartition("/")
    if not typed or not (slash or typed.startswith("~")):
        return None
    try:
        inside = Path(f"{head}/" if slash else typed).expanduser()
        names = sorted(
            path.name
            for path in inside.iterdir()
            if path.name.startswith(begin) and path.name.startswith(".") == begin.startswith(".") and path.is_dir()
        )
    except (OSError, RuntimeError, ValueError):
        return None
    return f"{head}{slash}{names[0]}" if slash and names and names[0].isprintable() else None


class NewProject(Dialog[Wish]):
    """The wish, or None. `folder` is where the project will be."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "create", "Create", id="new_project.create", tooltip="Make the project"),
    ]
    DEFAULT_CSS = """
    NewProject Label { color: $text-muted; padding-left: 1; }
    NewProject Checkbox { border: none; padding: 0 1; background: $surface; }
    NewProject #found { padding-left: 1; height: auto; }
    NewProject #fault { padding-left: 1; height: auto; }
    """

    def __init__(self, folder: Path, way: Way, title: str, name: str) -> None:
        super().__init__(title)
        self._folder, self._way, self._own_name = folder, way, name
        self._named = False  # by the person: then a folder of images no longer says the name

    def content(self) -> ComposeResult:
        if self._way[0] == "images":
            yield Label("Folder of images")
            yield Input(placeholder="/path/to/images", id="images", suggester=Folders())
            yield Static("", id="found", classes="hint", markup=False)
            yield Checkbox("copy them into the project; else it refers to that folder", True, id="copy")
        yield Label("Name of the project, which is that of its folder")
        yield Input(plain(self._own_name), id="name")
        if self._way[0] in ("nothing", "images"):
            yield Label("Question: what is this LoRA to find out?")
            yield Input(placeholder="may be written later", id="question")
        yield Static("", id="fault", classes="fault", markup=False)
        with Horizontal(classes="buttons"):
            yield Button("Cancel", id="cancel")
            yield Button("Create", id="create", variant="primary")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self.query(Input).first().focus()

    @property
    def wished(self) -> str:
        return self.query_one("#name", Input).value

    def _fault(self) -> str:
        from loratui.lab.project.projectnames import name_fault

        return name_fault(self.wished, self._folder) or ""

    def _tell(self, fault: str) -> None:
        shown = self.query_one("#fault", Static)
        if shown.content != line(fault):
            shown.update(line(fault))

    @on(Input.Changed, "#name")
    def _name_changed(self) -> None:
        self._named = self._named or self.focused is self.query_one("#name", Input)
        self._tell(self._fault())

    @on(Input.Changed, "#images")
    def _images_changed(self, event: Input.Changed) -> None:
        self._look(event.value)

    @work(exclusive=True, group="images", exit_on_error=False)
    async def _look(self, typed: str) -> None:
        import asyncio

        await asyncio.sleep(HINT_SECONDS)
        words, name = await asyncio.get_running_loop().run_in_executor(None, images_words, typed, self._folder)
        self.query_one("#found", Static).update(line(words))
        if name and not self._named:
            self.query_one("#name", Input).value = name

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        fields = list(self.query(Input))
        after = fields.index(event.input) + 1
        if after < len(fields):
            fields[after].focus()
        else:
            self.action_create()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "create":
            self.action_create()
        else:
            self.dismiss(None)

    def action_create(self) -> None:
        images = self.query_one("#images", Input).value.strip() if self._way[0] == "images" else ""
        fault = self._fault()
        if self._way[0] == "images" and not images:
            fault = "which folder are the images in? Give its path"
        if fault:
            self._tell(fault)
            return
        questions = self.query("#question")
        question = questions.first(Input).value.strip() if questions else ""
        copy = self.query_one("#copy", Checkbox).value if self._way[0] == "images" else True
        self.dismiss(Wish(self._way, self.wished, question, images, copy))


def images_words(typed: str, shelf: Path) -> tuple[str, str]:
    """What there is in a folder of images, in words, and a name for a project of them ("" when there are none)."""
    from loratui.lab.dataset.dataset import count_images
    from loratui.lab.project.projectnames import free_name

    if not typed.strip():
        return "", ""
    try:
        folder = Path(typed.strip()).expanduser().absolute()
        if not folder.is_dir():
            return "there is no such folder yet", ""
        count, folders = count_images(folder)
        captions = sum(path.suffix.lower() in (".txt", ".caption") for one in folders for path in one.iterdir())
    except (OSError, RuntimeError, ValueError) as error:
        return f"cannot be read: {error}", ""
    if not count:
        return "no images in it: .png, .jpg, .jpeg, .webp or .bmp", ""
    words = f"{count:,} image{'s' if count != 1 else ''}, {captions:,} caption file{'s' if captions != 1 else ''}"
    said = folder if folder.name.casefold() not in _SAY_NOTHING else folder.parent
    return words, free_name(said.name, shelf)


# -- the ways, and making ---------------------------------------------------------------------------------------------


def ways_from(project: Path | None) -> list[tuple[Way, str, str]]:
    """What a project can begin with, for `Choose`; `project` is the one that could be copied."""
    from loratui.lab.project.newproject import examples

    ways: list[tuple[Way, str, str]] = [
        (("nothing", ""), "nothing", "commented settings, and no images yet"),
        (("images", ""), "a folder of images", "copied in with their captions, or left where they are"),
    ]
    ways += [(("example", one.name), f"the example {one.name}", one.question) for one in examples()]
    if project is not None:
        ways.append((("copy", str(project)), f"a copy of {project.name}", "its settings and images, none of its runs"))
    return ways


def name_for(way: Way, folder: Path) -> str:
    """A name that is free; "" where the person or the folder of images says it."""
    from loratui.lab.project.projectnames import free_name

    kind, what = way
    return free_name(Path(what).name, folder) if kind in ("example", "copy") else ""


def make(folder: Path, wish: Wish, progress: Progress) -> Made:
    """Make the project that was wished for."""
    from loratui.lab.project import newproject

    kind, what = wish.way
    if kind == "nothing":
        return newproject.from_nothing(folder, wish.name, wish.question)
    if kind == "images":
        images = Path(wish.images)
        return newproject.from_images(
            folder, wish.name, images, copy=wish.copy, question=wish.question, progress=progress
        )
    if kind == "example":
        return newproject.from_example(folder, wish.name, what, progress)
    return newproject.copy_project(Path(what), folder, wish.name, progress)
