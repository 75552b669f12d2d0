"""Outside text inside a Markdown document: it shows as it was written, and can neither break the document nor act.

For CommonMark with GitHub's additions. Nothing is read from Markdown here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from loratui.lab.plain import plain

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>&#|~$^!]")
_LINE_START = re.compile(r"^(?:([-+=:])|(\d{1,9})([.)]))")
_LINKS = re.compile(r"(:)(?=//)|(?<=www)(\.)|(@)", re.IGNORECASE)


def escape(text: object) -> str:
    """One line of text: control characters are signs, and no character of it means anything to Markdown."""
    shown = " ".join(plain(text, newlines=True).split())
    shown = _SPECIAL.sub(lambda found: f"\\{found[0]}", shown)
    shown = _LINKS.sub(lambda found: f"\\{found[0]}", shown)
    return _LINE_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", shown)


def paragraphs(text: object) -> str:
    """Text of several lines: line ends stay, and empty lines part paragraphs."""
    parts = re.split(r"\n\s*\n", plain(text, newlines=True).strip())
    return "\n\n".join("\\\n".join(escape(line) for line in part.split("\n") if line.strip()) for part in parts)


def picture(path: Path, folder: Path, name: object) -> str:
    """A picture as a link from a document in `folder`: relative, so that the two can move together."""
    place = _walked(path.absolute(), folder.absolute())
    return f"![{escape(name)}]({quote(place.as_posix(), errors='surrogateescape')})"


def table(headings: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A table of outside text."""
    lines = [" | ".join(escape(cell) or " " for cell in row) for row in (headings, *rows)]
    lines.insert(1, " | ".join("---" for _ in headings))
    return "\n".join(f"| {line} |" for line in lines)


def _walked(path: Path, folder: Path) -> Path:
    """`path` as seen from `folder`; Path.relative_to climbs only from Python 3.12 on."""
    shared = 0
    for one, other in zip(path.parts, folder.parts, strict=False):
        if one != other:
            break
        shared += 1
    return Path(*[".."] * (len(folder.parts) - shared), *path.parts[shared:])
