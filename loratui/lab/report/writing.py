"""Puts an article on disk: report.html, report.md and its pictures, replacing only what an earlier report wrote.

What was written is listed with its hashes in `.report.json` beside it. A file that is not in that list, or was changed
since, is somebody's, and is never replaced.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.files import make_folder, read_text, sha256_file, write_atomic
from loratui.lab.patience import Progress, quiet
from loratui.lab.report import markdownpage, page
from loratui.lab.report.composing import compose

HTML, MARKDOWN, PICTURES = "report.html", "report.md", "pictures"
LIST = ".report.json"
Hashes = dict[str, list[str]]  # by name below the folder: what it may be, as a report wrote it


def write_report(project_folder: Path, output: Path | None = None, progress: Progress = quiet) -> list[Path]:
    """Write a project's article into `output` (by default `report` in the project) and tell its files, HTML first.

    LabError where it is no project, or a file is in the way that no report wrote: then nothing is changed.
    """
    home = project_folder.parent if project_folder.is_file() else project_folder
    folder = output if output is not None else home / "report"
    if folder.exists() and not folder.is_dir():
        raise LabError(f"{folder}: a report is a folder of files, and this is a file; give another --output")
    article = compose(project_folder, progress)
    text, pictures = markdownpage.render(article, PICTURES)
    files: dict[str, bytes] = {HTML: page.render(article).encode("utf-8"), MARKDOWN: text.encode("utf-8")}
    files |= {f"{PICTURES}/{name}": data for name, data in sorted(pictures.items())}
    known = _known(folder)
    _refuse_what_is_not_ours(folder, files, known)
    _write(folder, files, known)
    return [folder / name for name in (HTML, MARKDOWN)]


def _known(folder: Path) -> Hashes:
    try:
        document = json.loads(read_text(folder / LIST))
        return {str(name): [str(one) for one in hashes] for name, hashes in document["files"].items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # damaged: then nothing here is known to be ours


def _refuse_what_is_not_ours(folder: Path, files: Mapping[str, bytes], known: Hashes) -> None:
    for name, data in files.items():
        there = _hash_of(folder / name)
        if there is not None and there not in (*known.get(name, ()), _hash(data)):
            why = "was changed since loratui wrote it" if name in known else "is not loratui's"
            raise LabError(f"{folder / name}: {why}, and is not replaced; move it away, or give another --output")


def _write(folder: Path, files: Mapping[str, bytes], known: Hashes) -> None:
    make_folder(folder / PICTURES)
    new = {name: [_hash(data)] for name, data in files.items()}
    # Before the files, so that a report that is cut off leaves nothing that the next one takes for somebody's.
    both = {name: [*known.get(name, ()), *new.get(name, ())] for name in sorted({*known, *new})}
    _list(folder, both)
    for name, data in files.items():
        if _hash_of(folder / name) != _hash(data):
            write_atomic(folder / name, data)
    for name in known:
        # Of an earlier report, and not in this one. Anyone could have written a name into the list that leads outside.
        gone = name not in files and Path(name).parent == Path(PICTURES)
        if gone and _hash_of(folder / name) in known[name]:
            (folder / name).unlink(missing_ok=True)
    _list(folder, new)


def _list(folder: Path, hashes: Hashes) -> None:
    document = {"about": "what loratui --report wrote here, and may replace", "files": hashes}
    write_atomic(folder / LIST, json.dumps(document, indent=1, sort_keys=True) + "\n")


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hash_of(file: Path) -> str | None:
    try:
        return sha256_file(file)
    except FileNotFoundError:
        return None
