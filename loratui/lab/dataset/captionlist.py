"""The images of a dataset folder with their captions, read fast and kept up to date while other programs write too.

No image is opened and nothing is written. What a caption is follows captionfiles.py, which files belong together
dataset.py; what is odd about a caption is told by the names of the check's rules.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from loratui.lab.check.findings import Finding
from loratui.lab.dataset.captionfiles import MOST, read_caption, understand
from loratui.lab.dataset.captionwrite import Signature, signature, signed
from loratui.lab.dataset.dataset import ListedImage, list_images
from loratui.lab.errors import LabError
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from loratui.lab.project.settings import Dataset

_RECENT = 50_000_000  # ns; what changed so lately may change again within one tick of the disk's clock
_OFTEN = 64  # images between two calls of progress


@dataclass(frozen=True, slots=True)  # ten thousand of them are kept
class Entry:
    """An image and the caption it is trained with: that of its file, or else the words of a kohya folder's name."""

    folder: Path
    name: str  # below the dataset folder, with /
    caption_name: str  # the same of its caption file: where that is, or would be made
    caption: str
    has_file: bool
    repeats: int
    problems: tuple[str, ...]  # names of the rules of the check it breaks, as far as they show without the image

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def caption_path(self) -> Path:
        return self.folder / self.caption_name


@dataclass(frozen=True, slots=True)  # ten thousand of them are kept
class _Item:
    """What the names alone say of an image. `rules` are those it breaks by that, `words` caption it without a file."""

    image: ListedImage
    caption_name: str
    rules: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.image.name


class CaptionList:
    """All images in natural order, with what was last known of their captions."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self.folder, self.dataset = folder, dataset
        self._root = os.path.join(folder, "")  # noqa: PTH118  # with the slash behind it, which a Path does not have
        self.extension = "." + dataset.caption_extension.lstrip(".")
        self._items: dict[str, _Item] = {}
        self._entries: dict[str, Entry] = {}
        self._shown: tuple[Entry, ...] | None = ()
        self._sharing: dict[str, tuple[str, ...]] = {}  # the images of each caption file, by its name below the folder
        # The hash of the signature of each image and caption file when it was last read: by name. A fifth of the memory
        self._seen: dict[str, int] = {}
        self._folders: dict[Path, int] = {}  # when the names in them last changed

    @property
    def entries(self) -> tuple[Entry, ...]:
        if self._shown is None:
            self._shown = tuple(self._entries.values())
        return self._shown

    def __getitem__(self, name: str) -> Entry:
        """The entry of an image; KeyError when there is none of that name."""
        return self._entries[name]

    def get(self, name: str) -> Entry | None:
        return self._entries.get(name)

    def words(self, name: str) -> str:
        """The caption of an image as long as it has no caption file."""
        return self._items[name].image.words or ""

    def load(self, progress: Progress = quiet) -> None:
        """Read all names and captions anew. LabError when the folder cannot be listed."""
        self._list(progress, {})

    def refresh(self) -> frozenset[str]:
        """Take in what other programs changed; the names whose caption or image was changed, added or removed."""
        before = self._entries
        images = {name for name in before if self._moved(name)}
        moved = images | {name for name, entry in before.items() if self._moved(entry.caption_name)}
        if any(_changed(folder) != time for folder, time in self._folders.items()):
            self._list(quiet, {name: entry for name, entry in before.items() if name not in moved})
        elif moved:
            self._entries = before.copy()
            for name in moved:
                self._read(self._items[name])
        after = self._entries
        other = {name for name in before.keys() & after.keys() if before[name] != after[name]}
        return frozenset(images | other | (before.keys() ^ after.keys()))

    def reread(self, caption_path: Path) -> None:
        """Take in one caption file as it is now."""
        for name in self._sharing.get(self._below(caption_path), ()):
            self._read(self._items[name])

    def know(self, caption_path: Path, data: bytes | None, now: Signature | None) -> None:
        """Take in one caption file that was just written, or removed (`data` None)."""
        below = self._below(caption_path)
        self._seen[below] = hash(now)
        for name in self._sharing.get(below, ()):
            self._take(self._items[name], None if data is None else understand(data, name))

    def _list(self, progress: Progress, keep: Mapping[str, Entry]) -> None:
        try:
            folders = _folders(self.folder)
            listed = list_images(self.folder, self.dataset)
        except OSError as error:
            reason = "there is no such folder" if isinstance(error, FileNotFoundError) else error.strerror
            raise LabError(f"{plain(self.folder)}: {reason}; set dataset.path to the folder of images") from error
        files = [image.caption_name or image.name[: image.name.rindex(".")] + self.extension for image in listed]
        fresh = CaptionList(self.folder, self.dataset)
        fresh._folders = folders
        for image, file in zip(listed, files, strict=True):
            fresh._sharing[file] = (*fresh._sharing.get(file, ()), image.name)
        for done, (image, file) in enumerate(zip(listed, files, strict=True), start=1):
            item = fresh._items[image.name] = _Item(image, file, _rules(image, len(fresh._sharing[file]) > 1))
            old = keep.get(image.name)
            if old is not None and old.caption_name == file and self._items[image.name] == item:
                fresh._entries[image.name] = old
                for seen in (file, image.name):
                    fresh._seen[seen] = self._seen[seen]
            else:
                fresh._read(item)
            if done % _OFTEN == 0:
                progress(done, len(listed))
        progress(len(listed), len(listed))
        # Only now, so that who cancels or reads meanwhile has the list as it was.
        self.__dict__.update(fresh.__dict__)

    def _below(self, path: Path) -> str:
        return str(path).removeprefix(self._root)

    def _moved(self, below: str) -> bool:
        return hash(signature(self._root + below)) != self._seen[below]

    def _read(self, item: _Item) -> None:
        self._seen[item.name] = hash(signature(self._root + item.name))
        seen, read = _caption(self._root + item.caption_name, item.name)
        self._seen[item.caption_name] = hash(seen)
        self._take(item, read)

    def _take(self, item: _Item, read: tuple[str, tuple[Finding, ...]] | None) -> None:
        image = item.image
        rules: tuple[str, ...]
        if read is not None:
            caption, rules = read[0], tuple(finding.rule for finding in read[1])
        elif image.words is not None:
            caption, rules = image.words, ()
        else:
            caption, rules = "", ("caption-missing",)
        self._entries[item.name] = Entry(
            self.folder, image.name, item.caption_name, caption, read is not None, image.repeats, rules + item.rules
        )
        self._shown = None


def _caption(path: str, where: str) -> tuple[Signature | None, tuple[str, tuple[Finding, ...]] | None]:
    """How a caption file is, and what `read_caption` says of it: the same, but quicker for ten thousand of them."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None, read_caption(Path(path), where) if os.path.lexists(path) else None
    if not S_ISREG(status.st_mode):
        return _sign(status), read_caption(Path(path), where)
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.read(file, min(status.st_size, MOST))
        finally:
            os.close(file)
    except OSError:
        return _sign(status), read_caption(Path(path), where)
    return _sign(status), understand(data, where)


def _rules(image: ListedImage, shared: bool) -> tuple[str, ...]:
    rules = ["caption-shared"] if shared else []
    try:
        image.name.encode("utf-8")
    except UnicodeEncodeError:
        rules.append("image-name")
    return tuple(rules)


def _folders(folder: Path) -> dict[Path, int]:
    """The folder and those in it, with when their names changed; taken before the names are read."""
    folders = [folder]
    with os.scandir(folder) as found:
        for entry in found:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                folders.append(folder / entry.name)
    return {path: _settled(_changed(path)) for path in folders}


def _changed(folder: Path) -> int:
    """When the names in a folder last changed, in ns; -1 when it is gone."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return -1


def _settled(time_ns: int) -> int:
    """A time of change that will show the next change; 0, which fits nothing, where that may come within one tick."""
    return 0 if 0 <= time.time_ns() - time_ns < _RECENT else time_ns


def _sign(status: os.stat_result) -> Signature:
    time_ns, size, inode = signed(status)
    return _settled(time_ns), size, inode
