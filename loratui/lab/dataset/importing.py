"""Pictures from elsewhere, copied into a dataset folder with the captions beside them.

Nothing that is in the folder is ever overwritten, and sources are only read. A copy is whole or not there at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from loratui.lab.dataset.captionfiles import MOST
from loratui.lab.dataset.dataset import list_images
from loratui.lab.dataset.imagefiles import FORMATS, UnreadableImage, read_header
from loratui.lab.dataset.imagefiles import quiet as without_warnings
from loratui.lab.dataset.pasting import read_paste
from loratui.lab.errors import LabError
from loratui.lab.files import atomic_path, sha256_file
from loratui.lab.patience import Progress, quiet
from loratui.lab.plain import plain
from loratui.lab.project.settings import Dataset

__all__ = ["Imported", "Skipped", "import_images", "read_paste"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # the next picture would fare no better


@dataclass(frozen=True)
class Skipped:
    """What was not copied, and why, with what to do about it."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Imported:
    """`copied` are the new pictures, where they are now."""

    copied: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def import_images(
    paths: Sequence[Path], folder: Path, progress: Progress = quiet, *, caption_extension: str = ".txt"
) -> Imported:
    """Copy pictures, of folders the pictures in them, into `folder`, which is made when it is not there.

    A name that is taken gets a number (name-2.png); a picture that is in the folder already is passed over. LabError
    when the folder takes no more: what was copied until then is whole, as after Cancelled, and doing it again goes on.
    """
    extension = "." + caption_extension.lstrip(".")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = _There(folder, extension)
    except OSError as error:
        raise LabError(f"{plain(folder)}: {error.strerror}; import into a folder that can be written") from error
    copied: list[Path] = []
    skipped: list[Skipped] = []
    sources = list(_sources(paths, extension, skipped))
    progress(0, len(sources))
    for done, source in enumerate(sources, start=1):
        try:
            copied.append(_import(source, there, skipped))
        except _Skip as reason:
            skipped.append(Skipped(source, str(reason)))
        except OSError as error:
            if error.errno in _FULL:
                raise LabError(
                    f"{plain(folder)}: {error.strerror}, at {plain(source.name)}. {len(copied)} of {len(sources)} "
                    "pictures were copied, all of them whole; make room or allow writing, and import again: nothing "
                    "is copied twice"
                ) from error
            skipped.append(Skipped(source, f"cannot be copied: {error.strerror}"))
        progress(done, len(sources))
    return Imported(tuple(copied), tuple(skipped))


class _Skip(Exception):
    """Why a source is not copied."""


class _There:
    """What is in the folder already."""

    def __init__(self, folder: Path, extension: str) -> None:
        self.folder, self.extension = folder, extension
        self._stems: set[str] = set()
        self._sizes: dict[int, list[Path]] = {}
        self._hashes: dict[Path, str] = {}
        with os.scandir(folder) as found:
            for entry in found:
                if Path(entry.name).suffix.lower() in FORMATS and entry.is_file():
                    self.add(folder / entry.name, entry.stat().st_size)

    def add(self, path: Path, size: int) -> None:
        self._stems.add(path.stem.casefold())
        self._sizes.setdefault(size, []).append(path)

    def twin(self, sha256: str, size: int) -> Path | None:
        """A picture with the very same bytes."""
        for path in self._sizes.get(size, ()):
            with contextlib.suppress(OSError):
                if path not in self._hashes:
                    self._hashes[path] = sha256_file(path)
                if self._hashes[path] == sha256:
                    return path
        return None

    def free(self, name: str, caption: bytes | None) -> Path:
        """Where a picture of this name can go, so that neither it nor its caption file meets another's."""
        given = Path(name)
        number, stem = 1, given.stem
        while True:
            path = self.folder / f"{stem}{given.suffix}"
            beside = path.with_name(stem + self.extension)
            theirs = caption is not None and os.path.lexists(beside) and not _holds(beside, caption)
            if stem.casefold() not in self._stems and not os.path.lexists(path) and not theirs:
                return path
            number += 1
            stem = f"{given.stem}-{number}"


def _sources(paths: Sequence[Path], extension: str, skipped: list[Skipped]) -> Iterator[Path]:
    for path in dict.fromkeys(paths):
        if not path.is_dir():
            yield path
            continue
        try:
            listed = list_images(path, Dataset(caption_extension=extension))
        except OSError as error:
            skipped.append(Skipped(path, f"cannot be listed: {error.strerror}"))
            continue
        within = [image.path for image in listed if image.path.parent == path]
        if not within:
            deeper = f"; its folder {plain(listed[0].path.parent.name)} does" if listed else ""
            skipped.append(Skipped(path, f"holds no pictures itself ({', '.join(FORMATS)}){deeper}"))
        yield from within


def _import(source: Path, there: _There, skipped: list[Skipped]) -> Path:
    """Copy one picture and its caption; where to. Raises _Skip, or OSError when nothing of them was left behind."""
    if not os.path.lexists(source):
        raise _Skip("there is no such file on this machine; if it is on yours, copy it here first, as with scp")
    if source.suffix.lower() not in FORMATS:
        raise _Skip(f"not an image that can be trained on ({', '.join(FORMATS)}); convert it to PNG first")
    if source.name.startswith("."):
        raise _Skip("hidden, so it would not be trained on; give it a name without a dot in front")
    try:
        source.name.encode("utf-8")
    except UnicodeEncodeError:
        raise _Skip("its name is not UTF-8 text; rename it") from None
    try:
        with without_warnings():
            header = read_header(source)
    except UnreadableImage as error:
        raise _Skip(f"{error.cause}; {error.remedy}") from error
    size = source.stat().st_size
    if twin := there.twin(header.sha256, size):
        raise _Skip(f"already here, as {plain(twin.name)}")
    caption = _caption_beside(source, there.extension, skipped)
    target = there.free(source.name, caption)
    beside = target.with_name(target.stem + there.extension)
    made = caption is not None and not os.path.lexists(beside)
    try:
        if caption is not None and made:
            with _new(beside) as part:
                part.write_bytes(caption)
        with _new(target) as part:
            shutil.copyfile(source, part)
    except BaseException:
        if made and not os.path.lexists(target):
            beside.unlink(missing_ok=True)
        raise
    there.add(target, size)
    return target


@contextlib.contextmanager
def _new(path: Path) -> Iterator[Path]:
    """`atomic_path` for a file that must not be there, even if somebody made it a moment ago."""
    with atomic_path(path) as part:
        yield part
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _caption_beside(source: Path, extension: str, skipped: list[Skipped]) -> bytes | None:
    """The bytes of the caption file of a picture, if it has one."""
    for ending in dict.fromkeys((extension, extension.lower(), extension.upper())):
        path = source.with_name(source.stem + ending)
        try:
            status = path.stat()
            if S_ISREG(status.st_mode) and status.st_size <= MOST:
                return path.read_bytes()
            reason = "larger than a caption can be (1 MB)" if S_ISREG(status.st_mode) else "not a regular file"
        except FileNotFoundError:
            continue
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        skipped.append(Skipped(path, f"{reason}; its picture is copied without a caption"))
        return None
    return None


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.is_file() and path.read_bytes() == data
    except OSError:
        return False
