"""The one boundary through which text from outside (captions, file names, notes, messages) goes to a screen.

What could move a cursor, hide or reorder letters, or break an encoder becomes a visible sign for itself; all other
letters stay as they are. This is for showing: files keep their own bytes.
"""

from __future__ import annotations

import unicodedata

_INVISIBLE = frozenset([0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0])  # letters and marks that show nothing
_HIDDEN_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])


def plain(text: object, limit: int | None = None, *, newlines: bool = False) -> str:
    """`str(text)` made harmless: it encodes to UTF-8 and holds no control, format or surrogate character.

    Control characters show as their symbols (ESC as ␛, DEL as ␡, newline as ␊), others as `<U+202E>`. With
    `newlines`, line ends stay (`\\r\\n` becomes `\\n`) and a tab becomes four spaces. `limit` is the greatest number
    of characters of the result, the last being `…` where something was cut. Never raises.
    """
    raw = str(text)
    if limit is not None:
        limit = max(limit, 1)
        raw = raw[: 2 * limit + 2]  # no more than two characters become one, so nothing that could show is lost
    if raw.isascii() and raw.isprintable():
        shown = raw
    elif newlines:
        shown = "\n".join(
            line.replace("\t", "    ").translate(_VISIBLE) for line in raw.replace("\r\n", "\n").split("\n")
        )
    else:
        shown = raw.translate(_VISIBLE)
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def _sign(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if unicodedata.category(chr(code)) in _HIDDEN_CATEGORIES or code in _INVISIBLE or 0xE0000 <= code <= 0xE0FFF:
        return f"<U+{code:04X}>"
    return chr(code)


class _Table(dict[int, str]):
    """What each character shows as, learned as characters come by."""

    def __missing__(self, code: int) -> str:
        sign = self[code] = _sign(code)
        return sign


_VISIBLE = _Table()
