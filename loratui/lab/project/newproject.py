"""New projects: from nothing, from a folder of images, from an example, or as a copy of another.

A project is made under a hidden name and gets its own when it is whole, so that no one ever sees half of one. What it
is made from is only read. Renaming and removing projects is in moving.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.lab.dataset.dataset import count_images
from loratui.lab.dataset.imagefiles import FORMATS
from loratui.lab.errors import LabError
from loratui.lab.files import PART_SUFFIX, fsync_folder, read_text
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.project.project import FILE_NAME, Project, load_project
from loratui.lab.project.projectnames import checked_name, free_name

__all__ = ["Example", "Made", "copy_project", "examples", "free_name", "from_example", "from_images", "from_nothing"]

VIEWS = 75  # of images in an epoch, that new projects aim at: ten epochs are minutes on a laptop, and enough to see
_CAPTIONS = (".txt", ".caption", ".tags")
_PACKAGE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Made:
    """A new project, and what there is to say about how it was made, a harmless line each."""

    folder: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """A project that comes with loratui."""

    name: str
    question: str
    folder: Path


# -- four ways --------------------------------------------------------------------------------------------------------


def from_nothing(folder: Path, name: str, question: str = "") -> Made:
    """A project.toml with good defaults, commented, and an empty dataset folder that says what to put there."""
    with _building(folder, name) as part:
        (part / "dataset").mkdir()
        (part / "dataset" / "README.md").write_text(_WELCOME, encoding="utf-8")
        (part / FILE_NAME).write_text(_settings(question, "dataset", 25, _steps(3, 25)), encoding="utf-8")
    return Made(folder / name, ("put images and their captions into its folder dataset",))


def from_images(
    folder: Path, name: str, images: Path, *, copy: bool, question: str = "", progress: Progress = quiet
) -> Made:
    """A project on a folder of images: their copies (`copy`), or the folder where it is.

    A folder of N_name folders keeps its repeats. LabError when there are no images. Pictures that cannot be copied
    are named in the notes.
    """
    images = images.expanduser().absolute()
    count, groups = _pictures_in(images)
    repeats = 1 if any(group != images for group in groups) else max(1, round(VIEWS / count))
    steps = _steps(count, repeats) if groups == (images,) else "steps = images x their folders' repeats x epochs"
    extension = _caption_extension(groups)
    if not copy:
        with _building(folder, name) as part:
            text = _settings(question, str(images), repeats, steps, extension)
            (part / FILE_NAME).write_text(text, encoding="utf-8")
        return Made(folder / name, (plain(f"its images stay where they are: {images}"),))
    notes: list[str] = []
    with _building(folder, name) as part:
        done = 0
        for group in groups:
            target = part / "dataset" if group == images else part / "dataset" / group.name
            target.mkdir(parents=True)
            done += _imported(group, target, extension, done, count, progress, notes)
        if not done:
            raise LabError("\n".join([f"{plain(images)}: none of its images could be copied", *notes[:5]]))
        (part / FILE_NAME).write_text(_settings(question, "dataset", repeats, steps, extension), encoding="utf-8")
    return Made(folder / name, (f"{done} image{'s' if done != 1 else ''} copied", *notes))


def examples() -> list[Example]:
    """The projects that come with loratui: within the package where it is installed, beside it in a checkout."""
    shelf = _PACKAGE / "examples"
    if not shelf.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        shelf = _PACKAGE.parent / "projects"
    found = []
    for file in sorted(shelf.glob(f"*/{FILE_NAME}")):
        with contextlib.suppress(LabError):  # someone's own, half written
            found.append(Example(file.parent.name, load_project(file).settings.question, file.parent))
    return found


def from_example(folder: Path, name: str, example: str, progress: Progress = quiet) -> Made:
    """A copy of one of `examples()`, by its name."""
    known = {one.name: one for one in examples()}
    if example not in known:
        raise LabError(f"{plain(example)}: there is no such example; there are: {', '.join(known) or 'none'}")
    return copy_project(known[example].folder, folder, name, progress)


def copy_project(source: Path, folder: Path, name: str, progress: Progress = quiet) -> Made:
    """A project with the settings (comments and all) and the dataset of another, and none of its runs."""
    file = source / FILE_NAME
    try:
        text = read_text(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LabError(f"{plain(file)}: cannot be copied: {reason}") from error
    try:
        project: Project | None = load_project(file)
    except LabError:
        project = None  # it may be copied to be mended
    inside, outside = _datasets(source, project)
    notes = [plain(f"its images stay where they are: {path}") for path in outside]
    with _building(folder, name) as part:
        total = sum(len(_files(source / path)) for path in inside)
        done = 0
        for path in inside:
            for one in _files(source / path):
                progress(done, total)
                done += 1
                target = part / path / one.relative_to(source / path)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(one, target)
        progress(done, total)
        fitted, more = _with_paths_from(source, folder / name, text, project)
        (part / FILE_NAME).write_bytes(fitted.encode("utf-8"))
    return Made(folder / name, (*notes, *more))


# -- making -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _building(folder: Path, name: str) -> Iterator[Path]:
    """A folder to fill, which becomes `folder/name` on leaving. When the block raises, nothing stays behind."""
    target = folder / checked_name(name, folder)
    part = folder / f".{name[:40]}.{os.urandom(4).hex()}{PART_SUFFIX}"
    try:
        try:
            part.mkdir(parents=True)
            yield part
            target.mkdir()  # whoever made the name first has it; an empty folder may be replaced
            part.rename(target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except FileExistsError as error:
        raise LabError(f"{plain(folder)}: {plain(name)} is there already; take another name") from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise LabError(f"{plain(target)}: cannot be made: {plain(why)} ({plain(error.filename or folder)})") from error
    except UnicodeEncodeError as error:
        raise LabError(f"{plain(target)}: {plain(error.object, 200)!r} is not Unicode text; rename it first") from error
    fsync_folder(folder)


def _settings(question: str, dataset: str, repeats: int, steps: str, extension: str = ".txt") -> str:
    captions = f"caption_extension = {_quoted(extension)}\n" if extension != ".txt" else ""
    gap = " " * max(1, 19 - len(_quoted(dataset)))
    return f"""\
question = {_quoted(question)}{"" if question else "   # what is this LoRA to find out? One sentence"}

[base]
model = "tinyworld"       # built in, trained on in minutes without a GPU; or a Stable Diffusion 1.x: a folder, a hub id

[dataset]
path = {_quoted(dataset)}{gap}# images, each with a caption beside it: one.png, one{extension}
{captions}repeats = {repeats}{" " * (15 - len(str(repeats)))} # how often each image is seen in an epoch
# trigger = "myshape"     # the word that is to mean what you teach; every caption should hold it

[lora]
rank = 8                  # more can hold more
alpha = 8

[train]
epochs = 10               # {steps}
batch_size = 1
learning_rate = 3e-4      # for tinyworld; take 1e-4 on Stable Diffusion
seed = 0

[sample]
every = "epoch"           # pictures with and without the LoRA, from the same noise
seeds = [1, 2, 3, 4]
inference_steps = [1, 25] # the first denoising step is worth looking at

# Without prompts of its own, a run draws up to four of the training captions.
# [[sample.prompt]]
# text = "myshape"
"""


def _steps(images: int, repeats: int) -> str:
    return (
        f"{images} image{'s' if images != 1 else ''} x {repeats} repeat{'s' if repeats != 1 else ''} x 10 epochs "
        f"/ batch 1 = {images * repeats * 10:,} steps"
    )


_WELCOME = f"""\
# Put your images here

A handful is enough to begin with: {", ".join(FORMATS)}.

Beside each image goes its caption, a text file of the same name: `one.png` and `one.txt`, one line of words or tags
parted by commas, such as `myshape, circle, white background`. Give what you want to teach a word of its own and put
that word into every caption.

In loratui, `t` on the project opens this folder: there images can be brought in by their paths, and captions written.
This file is never read by a run; delete it when you like.
"""


def _quoted(text: str) -> str:
    """A string as TOML writes it; like JSON, but that DEL is refused as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# -- what it is made from ---------------------------------------------------------------------------------------------


def _pictures_in(images: Path) -> tuple[int, tuple[Path, ...]]:
    """How many images a folder has, and the folders they lie in. LabError when there are none."""
    if not images.is_dir():
        what = "a file; give the folder it is in" if images.is_file() else "there is no such folder; look at the path"
        raise LabError(f"{plain(images)}: {what}")
    count, listed = count_images(images)
    if not count:
        deeper = [path.name for path in sorted(images.iterdir()) if path.is_dir() and count_images(path)[0]]
        hint = f'its folder "{plain(deeper[0])}" does: give that one' if deeper else f"put {', '.join(FORMATS)} there"
        raise LabError(f"{plain(images)}: holds no images itself; {hint}")
    grouped = tuple(path for path in listed[1:] if count_images(path)[0])
    return count, grouped or (images,)


def _caption_extension(groups: tuple[Path, ...]) -> str:
    """The ending that most caption files beside the images have."""
    endings = [path.suffix.lower() for group in groups for path in _files_in(group)]
    return max(_CAPTIONS, key=endings.count)


def _imported(
    group: Path, target: Path, extension: str, before: int, total: int, progress: Progress, notes: list[str]
) -> int:
    """Copy the pictures of a folder with their captions; returns how many came."""
    from loratui.lab.dataset.importing import import_images

    pictures = [path for path in _files_in(group) if path.suffix.lower() in FORMATS]
    imported = import_images(
        pictures, target, lambda done, _: progress(before + done, total), caption_extension=extension
    )
    notes += [plain(f"not copied: {skipped.path}: {skipped.reason}", 300) for skipped in imported.skipped]
    return len(imported.copied)


def _datasets(source: Path, project: Project | None) -> tuple[list[str], list[Path]]:
    """The dataset folders within a project, by their paths in it, and those that are elsewhere."""
    paths = ["dataset"]
    if project is not None:
        paths = [project.settings.dataset.path]
        paths += [str(v.overrides["dataset.path"]) for v in project.variants if "dataset.path" in v.overrides]
    inside, outside = [], []
    for path in dict.fromkeys(paths):
        place = Path(os.path.normpath(source / Path(path).expanduser()))
        if not Path(path).expanduser().is_absolute() and place.is_relative_to(source):
            inside.append(str(place.relative_to(source)))
        elif place.is_dir():
            outside.append(place)
    return inside, outside


def _files(dataset: Path) -> list[Path]:
    """What of a dataset a run looks at: the files in it and in its N_name folders, hidden ones left out."""
    _, folders = count_images(dataset)
    return [path for folder in folders for path in _files_in(folder)]


def _files_in(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError:
        return []
    return [path for path in found if path.name not in (FILE_NAME, "ARCHIVED")]


def _with_paths_from(source: Path, target: Path, text: str, project: Project | None) -> tuple[str, list[str]]:
    """The text of a project.toml, its paths out of the project made to lead from another place where they led before.

    Returns it with a note for each path that was rewritten.
    """
    if project is None:
        return text, []
    import tomlkit

    document: Any = tomlkit.parse(text.removeprefix("\ufeff"))
    notes: list[str] = []

    def follow(table: Any, key: str, within: bool) -> None:
        path = table.get(key) if hasattr(table, "get") else None
        if not isinstance(path, str) or Path(path).expanduser().is_absolute():
            return
        old = Path(os.path.normpath(source / path))
        moved = old.is_dir() and (within or not old.is_relative_to(source))
        if moved and Path(os.path.normpath(target / path)) != old:
            table[key] = str(old)
            notes.append(plain(f"{key} leads to where it led before: {old}"))

    for table in (document, *document.get("variant", [])):
        follow(table.get("dataset"), "path", within=False)
        follow(table, "dataset", within=False)  # a variant may write its path so
        follow(table.get("base"), "model", within=True)
    return (tomlkit.dumps(document) if notes else text), notes
