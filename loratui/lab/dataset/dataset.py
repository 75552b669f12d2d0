"""A folder of images and captions as a list of things to train on, with everything odd about it as findings.

A plain folder holds images with caption files of the same stem beside them; it is not searched deeper. A kohya folder
holds `N_name` folders: N repeats of each image (times `dataset.repeats`), and `name` as the caption of images that
have no caption file; a path that is itself named so counts as one. Hidden files, masks and what other trainers leave
behind are passed over. Nothing is ever written here. What the findings mean for a project is judged in check.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.lab.check.findings import Finding
from loratui.lab.dataset.captionfiles import read_caption
from loratui.lab.dataset.imagefiles import FORMATS, UnreadableImage, fit, quiet, read_header, read_rgb
from loratui.lab.patience import Progress
from loratui.lab.patience import quiet as unwatched
from loratui.lab.threads import spread

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from loratui.lab.project.settings import Dataset

_KOHYA = re.compile(r"([0-9]{1,6})_(.*\S.*)", re.DOTALL)
_SUFFIXES = tuple(FORMATS)
_MASKS = ("-masklabel", "-condlabel")  # OneTrainer's masks and control images, beside the picture they belong to
_OTHER_CAPTIONS = (".txt", ".caption", ".tags")


@dataclass(frozen=True)
class TrainingImage:
    """One image: `name` is its path below the dataset folder, width and height are after EXIF orientation."""

    path: Path
    name: str
    sha256: str
    width: int
    height: int
    caption: str
    caption_path: Path | None
    repeats: int

    @property
    def where(self) -> str:
        """The image for a person: its name behind that of the dataset folder."""
        return f"{_folder_name(self.path.parents[self.name.count('/')])}/{self.name}"

    @property
    def caption_where(self) -> str:
        """The same of its caption file, or of the image itself when it has none."""
        return self.where if self.caption_path is None else self.where[: -len(self.path.name)] + self.caption_path.name


@dataclass(frozen=True)
class Scan:
    """The images that can be trained on, in natural order, and what is odd about the folder."""

    images: tuple[TrainingImage, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")


@dataclass(frozen=True, slots=True)  # ten thousand of them are kept: as text, since a Path takes five times as much
class ListedImage:
    """An image known by its name alone: nothing was opened. `words` caption it when it has no caption file.

    `name` and `caption_name` are below the dataset `folder`, with /.
    """

    folder: Path
    name: str
    caption_name: str | None
    words: str | None
    repeats: int

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def caption_path(self) -> Path | None:
        return None if self.caption_name is None else self.folder / self.caption_name


class _Group:
    """Images of one folder that share their repeats; `words` caption an image that has no caption file."""

    def __init__(self, folder: Path, files: list[str], prefix: str, number: int, words: str | None) -> None:
        self.folder, self.prefix, self.number, self.words = folder, prefix, number, words
        self.files = frozenset(files)
        pictures = sorted((name for name in files if name.lower().endswith(_SUFFIXES)), key=natural)
        stems = {_stem(name) for name in pictures}
        self.images = tuple(name for name in pictures if not _is_mask(_stem(name), stems))

    def captions(self, extension: str) -> dict[str, str]:
        """The caption file of each stem: `stem.txt`, or else with the extension in another letter case."""
        cut, found = len(extension), {}
        for name in sorted(self.files, key=lambda name: name.endswith(extension)):
            if name.lower().endswith(extension.lower()):
                found[name[:-cut]] = name
        return found


def list_images(folder: Path, dataset: Dataset, most: int | None = None) -> list[ListedImage]:
    """The images `scan_dataset` would look at, in natural order, and where their captions are, by names alone.

    Nothing is opened: 10,000 images take a tenth of a second. With `most`, only the first so many. Raises OSError when
    the folder cannot be listed.
    """
    groups = _groups(folder, dataset)[0]
    members = _members(groups, _extension(dataset))
    listed = [
        ListedImage(
            folder,
            group.prefix + name,
            None if caption_file is None else group.prefix + caption_file,
            group.words,
            group.number * dataset.repeats,
        )
        for group, name, caption_file in (islice(members, most) if len(groups) == 1 else members)
    ]
    return listed if len(groups) == 1 else sorted(listed, key=lambda image: natural(image.name))[:most]


def scan_dataset(folder: Path, dataset: Dataset, progress: Progress = unwatched) -> Scan:
    """Read every image's header, hash and caption. Never raises for what lies in the folder, and never writes.

    `folder` is the resolved `dataset.path`. Progress counts images; what it raises ends the scan.
    """
    try:
        groups, findings = _groups(folder, dataset)
    except OSError as error:
        reason = "there is no such folder" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        where, remedy = str(error.filename or folder), "set dataset.path to the folder of images"
        missing = Finding("dataset-missing", "error", where, reason, remedy)
        return Scan((), (missing,))
    images: list[TrainingImage] = []
    extension = _extension(dataset)
    work = [(folder, *member, extension, dataset) for member in _members(groups, extension)]
    with quiet(), spread(lambda item: _read(*item), work, min(8, (os.cpu_count() or 1) + 2)) as results:
        for done, (image, found) in enumerate(results, start=1):
            findings += found
            if image is not None:
                images.append(image)
            progress(done, len(work))
    for group in groups:
        findings += _shared_captions(folder, group)
    if not images:
        findings.append(_nothing(folder, bool(work)))
    images.sort(key=lambda image: natural(image.name))
    findings.sort(key=lambda finding: natural(finding.where))
    return Scan(tuple(images), tuple(findings))


def count_images(folder: Path) -> tuple[int, tuple[Path, ...]]:
    """How many files a scan would look at, told by their names alone, and the folders that were listed for it.

    Quick for any folder. When a name comes or goes, the time of one of those folders changes.
    """
    try:
        beside, names = _pictures(folder)
        folders = [folder / name for name in names]
        return sum(_pictures(path)[0] for path in folders) or beside, (folder, *folders)
    except (OSError, ValueError):
        return 0, (folder,)


def _pictures(folder: Path) -> tuple[int, list[str]]:
    """How many pictures are in a folder, and its N_name folders that are trained on."""
    stems: list[str] = []
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122  # a Path for each of 10,000 takes ten times as long
            if suffix.lower() in FORMATS:
                stems.append(stem)
            elif (match := _KOHYA.fullmatch(entry.name)) and int(match[1]) and entry.is_dir():
                folders.append(entry.name)
    known = set(stems)
    return sum(not stem.startswith(".") and not _is_mask(stem, known) for stem in stems), folders


def load_pixels(image: TrainingImage | Path, width: int, height: int) -> npt.NDArray[np.uint8]:
    """The image at its training size: uint8 (height, width, 3), RGB. Pure. Raises UnreadableImage (a LabError)."""
    with quiet():
        return fit(read_rgb(image if isinstance(image, Path) else image.path), width, height)


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key by which "image 2" comes before "image 10"."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts if part], name


def _extension(dataset: Dataset) -> str:
    return "." + dataset.caption_extension.lstrip(".")


def _members(groups: list[_Group], extension: str) -> Iterator[tuple[_Group, str, str | None]]:
    """Every image of the groups with the name of its caption file, if there is one."""
    for group in groups:
        captions = group.captions(extension)
        for name in group.images:
            yield group, name, captions.get(_stem(name))


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """The names of files and (in order) of folders in a folder, hidden ones left out; links count as their target."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as found:
        for entry in found:
            if not entry.name.startswith("."):
                is_folder = _is_dir(entry) and not entry.name.lower().endswith(_SUFFIXES)
                (folders if is_folder else files).append(entry.name)
    return files, sorted(folders, key=natural)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def _groups(folder: Path, dataset: Dataset) -> tuple[list[_Group], list[Finding]]:
    files, folders = _listed(folder)
    findings: list[Finding] = []
    groups: list[_Group] = []
    for name in folders:
        if match := _KOHYA.fullmatch(name):
            group = _Group(folder / name, _listed(folder / name)[0], f"{name}/", int(match[1]), match[2].strip())
            if group.images and group.number:
                groups.append(group)
            elif group.images:
                findings.append(
                    Finding(
                        "folder-not-used",
                        "warning",
                        f"{_folder_name(folder)}/{name}",
                        "0 repeats: its images are not trained on",
                        "give the folder a number from 1, or move it elsewhere",
                    )
                )
    beside = _Group(folder, files, "", 1, None)
    if groups:
        if beside.images:
            findings.append(
                Finding(
                    "folder-mixed",
                    "warning",
                    _folder_name(folder),
                    f"images beside the N_name folders are not used: {len(beside.images)}, {beside.images[0]} first",
                    "move them into one of those folders",
                )
            )
    elif (match := _KOHYA.fullmatch(folder.absolute().name)) and int(match[1]):
        groups = [_Group(folder, files, "", int(match[1]), match[2].strip())]
    else:
        groups = [beside]
    most = max(group.number for group in groups)
    if most > 1 and dataset.repeats > 1:
        findings.append(
            Finding(
                "repeats-multiplied",
                "warning",
                "dataset.repeats",
                f"{dataset.repeats} here times {most} in the folder's name: {dataset.repeats * most} views an epoch",
                "keep one of the two, unless you want both",
            )
        )
    return groups, findings


def _read(
    folder: Path, group: _Group, filename: str, caption_file: str | None, extension: str, dataset: Dataset
) -> tuple[TrainingImage | None, list[Finding]]:
    path, name = group.folder / filename, group.prefix + filename
    where = f"{_folder_name(folder)}/{name}"
    if not _is_text(name):
        shown = where.encode("utf-8", errors="backslashreplace").decode()
        return None, [Finding("image-name", "error", shown, "its name is not UTF-8 text", "rename the file")]
    try:
        header = read_header(path)
    except UnreadableImage as error:
        if path.is_dir():
            return None, [Finding("image-is-folder", "warning", where, error.cause, error.remedy)]
        return None, [Finding("image-unreadable", "error", where, error.cause, error.remedy)]
    findings = list(_image_findings(where, path, header.format, header.animated))
    caption_path, caption = None, group.words or ""
    if caption_file is not None:
        caption_path = group.folder / caption_file
        caption, found = read_caption(caption_path, f"{_folder_name(folder)}/{group.prefix}{caption_file}")
        findings += found
    elif group.words is None:
        findings.append(_missing(where, group.files, path, extension))
    repeats = group.number * dataset.repeats
    image = TrainingImage(path, name, header.sha256, header.width, header.height, caption, caption_path, repeats)
    return image, findings


def _image_findings(where: str, path: Path, kind: str, animated: bool) -> Iterator[Finding]:
    if FORMATS[path.suffix.lower()] != kind:
        yield Finding(
            "image-mislabelled",
            "warning",
            where,
            f"is really a {kind} file; it loads here, but trips other trainers",
            f"rename it to {path.stem}.{'jpg' if kind == 'JPEG' else kind.lower()}",
        )
    if animated:
        yield Finding(
            "image-animated", "warning", where, "is an animation; only its first frame is used", "export that frame"
        )


def _missing(where: str, files: frozenset[str], image: Path, extension: str) -> Finding:
    others = [ext for ext in _OTHER_CAPTIONS if ext != extension and image.stem + ext in files]
    if others:
        beside = f"but {image.stem}{others[0]} lies beside it"
        remedy = f'set dataset.caption_extension = "{others[0]}"'
    elif image.name + extension in files:
        beside, remedy = f"but {image.name}{extension} lies beside it", f"rename that to {image.stem}{extension}"
    else:
        beside, remedy = "so it is trained without words", f"write {image.stem}{extension} beside it"
    return Finding("caption-missing", "warning", where, f"has no caption file, {beside}", remedy)


def _shared_captions(folder: Path, group: _Group) -> Iterator[Finding]:
    by_stem: dict[str, list[str]] = {}
    for name in group.images:
        by_stem.setdefault(_stem(name), []).append(name)
    for stem, names in by_stem.items():
        if len(names) > 1:
            yield Finding(
                "caption-shared",
                "warning",
                f"{_folder_name(folder)}/{group.prefix}{names[0]}",
                f"shares its caption file with {', '.join(names[1:])}, which have the same stem",
                f"rename one of them, so that {stem} is the stem of one image",
            )


def _nothing(folder: Path, tried: bool) -> Finding:
    if tried:
        return Finding("dataset-empty", "error", str(folder), "none of its images can be read", "see the lines above")
    deeper = [name for name in _listed(folder)[1] if _Group(folder, _files(folder / name), "", 1, None).images]
    if deeper:
        message = f'holds no images itself; its folder "{deeper[0]}" does'
        remedy = f"point dataset.path at that folder, or name it N_words (N repeats), such as 10_{deeper[0]}"
    else:
        message, remedy = "holds no images", f"put {', '.join(FORMATS)} files there, or set dataset.path"
    return Finding("dataset-empty", "error", str(folder), message, remedy)


def _files(folder: Path) -> list[str]:
    try:
        return _listed(folder)[0]
    except OSError:
        return []


def _folder_name(folder: Path) -> str:
    return folder.name or folder.absolute().name


def _stem(image_name: str) -> str:
    return image_name[: image_name.rindex(".")]


def _is_mask(stem: str, stems: set[str]) -> bool:
    return any(stem.endswith(end) and stem.removesuffix(end) in stems for end in _MASKS)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
