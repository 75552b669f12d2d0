"""One caption file: its text as training uses it, and what is odd about it.

The text is the first line that is not blank, without a byte order mark and without spaces around it. Everything else
becomes a finding, never an exception. Files are only read.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from stat import S_ISREG

from loratui.lab.check.findings import Finding

BOM = b"\xef\xbb\xbf"
MOST = 2**20  # bytes looked at; a caption of a megabyte is somebody's novel
_JOINERS = "\u200c\u200d"  # needed inside emoji, Persian and Indic words


def read_caption(path: Path, where: str) -> tuple[str, tuple[Finding, ...]]:
    """The caption in a file and the findings about it. `where` names the file in the findings."""
    try:
        if not S_ISREG(path.stat().st_mode):
            return "", (_unreadable(where, "not a regular file"),)
        with path.open("rb") as file:
            data = file.read(MOST)
    except OSError as error:
        return "", (_unreadable(where, error.strerror or type(error).__name__),)
    return understand(data, where)


def understand(data: bytes, where: str) -> tuple[str, tuple[Finding, ...]]:
    """The same of the first megabyte of a file that was read already."""
    findings: list[Finding] = []
    if data.startswith(BOM):
        data = data[len(BOM) :]
        findings.append(
            Finding(
                "caption-bom",
                "warning",
                where,
                "begins with a byte order mark, which is left out here; other trainers make it part of the first word",
                'save it as "UTF-8" without "BOM"',
            )
        )
    text = data.decode("utf-8", errors="replace")
    if text.encode("utf-8") != data and len(data) < MOST:
        findings.append(_not_utf8(data, where))
        text = text.replace("\0", "")
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    filled = [line for line in lines if line]
    caption = filled[0] if filled else ""
    if len(filled) > 1:
        findings.append(
            Finding(
                "caption-multiline",
                "warning",
                where,
                f"has {len(filled)} lines of text; only the first is used",
                "put all tags on one line, separated by commas",
            )
        )
    if not caption:
        findings.append(
            Finding(
                "caption-empty",
                "warning",
                where,
                "is empty: the image is trained without words",
                "write the caption, or leave it if that is what you want to study",
            )
        )
    odd = [] if caption.isprintable() else sorted({c for c in caption if is_control(c)})
    if odd:
        names = ", ".join(f"U+{ord(c):04X} {unicodedata.name(c, '')}".strip() for c in odd[:3])
        findings.append(
            Finding(
                "caption-control",
                "warning",
                where,
                f"holds characters that cannot be seen but are read as tokens: {names}",
                "delete them; retyping the line does it",
            )
        )
    return caption, tuple(findings)


def is_control(character: str) -> bool:
    """Whether a character is invisible and does something to a terminal or to the tokens; a tab is only a space."""
    return unicodedata.category(character) in ("Cc", "Cf") and character != "\t" and character not in _JOINERS


def _unreadable(where: str, reason: str) -> Finding:
    return Finding("caption-unreadable", "error", where, f"cannot be read: {reason}", "put a readable text file here")


def _not_utf8(data: bytes, where: str) -> Finding:
    try:
        data.decode("utf-8")
        place = len(data)
    except UnicodeDecodeError as error:
        place = error.start
    kind = "it looks like UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"byte {place + 1} does not fit"
    return Finding("caption-not-utf8", "error", where, f"is not UTF-8 text ({kind})", "save it again as UTF-8")
