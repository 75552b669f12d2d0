"""Pictures in a terminal's text: as themselves where the terminal says by its name that it can, else in half blocks.

No terminal is asked anything: an answer that comes late over SSH would end up in the person's typing.
"""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from loratui.lab.files import open_binary, read_file

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.text import Text

    from loratui.lab.pictures.thumbnails import Cells

Protocol = Literal["kitty", "iterm2", "sixel"]
_CELL = (10, 20)  # pixels; what cells usually are, where the terminal does not say
_CHUNK = 4096
_LARGEST_FILE = 8 * 2**20  # bytes of a file that is sent as it is
_LARGEST_SIDE = 2560  # pixels of what is sent in its place
_LARGEST_SIXEL = 800 * 800  # pixels; sixels are about a byte a pixel
_SIXEL_TERMS = ("foot", "foot-extra", "mlterm", "mlterm-256color", "yaft-256color", "contour")


class Terminal(NamedTuple):
    """A box of cells and the pixels of one."""

    columns: int
    rows: int
    cell: tuple[int, int] = _CELL


def picture_protocol(environment: Mapping[str, str] | None = None) -> Protocol | None:
    """How this terminal takes pictures, or None. Multiplexers take none, whatever is around them."""
    env = os.environ if environment is None else environment
    term, program = env.get("TERM", ""), env.get("TERM_PROGRAM", "")
    if _multiplexer(env):
        return None
    if term in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    # LC_ names are what SSH passes on.
    if program in ("iTerm.app", "WezTerm") or env.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    if term in _SIXEL_TERMS or program == "mintty":
        return "sixel"
    return None


def chosen_protocol(
    preference: str = "auto", environment: Mapping[str, str] | None = None
) -> tuple[Protocol | Literal["blocks"], bool]:
    """How to show a picture at full size, and whether it must be passed through tmux.

    `preference` is auto, kitty, iterm2, sixel or blocks. tmux is passed through only for one who names a protocol (and
    has `allow-passthrough on`); screen takes nothing but blocks.
    """
    env = os.environ if environment is None else environment
    around = _multiplexer(env)
    if preference == "auto":
        return picture_protocol(env) or "blocks", False
    if around == "screen" or preference not in ("kitty", "iterm2", "sixel"):
        return "blocks", False
    named: Protocol = preference  # type: ignore[assignment]
    return named, around == "tmux"


def _multiplexer(env: Mapping[str, str]) -> Literal["tmux", "screen", ""]:
    term = env.get("TERM", "")
    if env.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if env.get("STY") or term.startswith("screen") else ""


def terminal_of(descriptor: int) -> Terminal:
    """What the system knows of the terminal's size; a terminal that does not tell its pixels has usual cells."""
    import fcntl
    import struct
    import termios

    try:
        packed = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, width, height = struct.unpack("HHHH", packed)
    except OSError:
        return Terminal(80, 24)
    if not (rows and columns):
        return Terminal(80, 24)
    cell = (width // columns, height // rows)
    return Terminal(columns, rows, cell if 3 <= cell[0] <= 100 and 5 <= cell[1] <= 200 else _CELL)


def picture_sequence(path: Path, protocol: Protocol, columns: int, rows: int) -> str:
    """The characters that show a picture within a box of cells; made smaller to fit, never larger.

    OSError when it cannot be read.
    """
    image = _fitted(path, columns * _CELL[0], rows * _CELL[1])
    if protocol == "sixel":
        from loratui.lab.pictures.sixel import sixel

        return sixel(_at_most(image, _LARGEST_SIXEL))
    width = max(1, math.ceil(image.width / _CELL[0]))
    return "".join(_sequences(_png(image), protocol, f"c={width}", f"width={width}"))


def full_picture(path: Path, protocol: Protocol, box: Terminal, passthrough: bool = False) -> str:
    """The characters that show a picture as large as it fits into the box, from its own file where that can be sent.

    The terminal scales it down; a small one is enlarged a whole number of times, so that each pixel is a square.
    `passthrough` wraps it for tmux. UnreadableImage when it cannot be shown.
    """
    from PIL import Image as Images

    from loratui.lab.dataset.imagefiles import read_small
    from loratui.lab.pictures.thumbnails import MOST_PIXELS, fitted

    image, size = read_small(path, _LARGEST_SIDE, MOST_PIXELS)
    room = (box.columns * box.cell[0], box.rows * box.cell[1])
    shown = fitted(size, room)
    if protocol == "sixel":
        from loratui.lab.pictures.sixel import sixel

        most = min(1.0, math.sqrt(_LARGEST_SIXEL / (shown[0] * shown[1])))
        shown = (max(1, int(shown[0] * most)), max(1, int(shown[1] * most)))
        how = Images.Resampling.NEAREST if shown[0] >= size[0] else Images.Resampling.LANCZOS
        sequences = [sixel(image.resize(shown, how))]
    else:
        if shown[0] > size[0]:
            content = _png(image.resize(shown, Images.Resampling.NEAREST))
        else:
            content = _own_bytes(path, protocol) or _png(_at_most(image, _LARGEST_SIDE**2))
        if shown[0] * box.rows * box.cell[1] >= shown[1] * box.columns * box.cell[0]:  # only one side: no distortion
            cells = min(box.columns, max(1, math.ceil(shown[0] / box.cell[0])))
            sequences = list(_sequences(content, protocol, f"c={cells}", f"width={cells}"))
        else:
            cells = min(box.rows, max(1, math.ceil(shown[1] / box.cell[1])))
            sequences = list(_sequences(content, protocol, f"r={cells}", f"height={cells}"))
    return "".join(map(_through_tmux, sequences)) if passthrough else "".join(sequences)


def block_sequence(cells: Cells, truecolour: bool = True) -> str:
    """A picture's half blocks as lines of characters, from its own left edge; colours are named only as they change."""
    lines = []
    width = cells.width
    for y in range(0, cells.height, 2):
        upper = cells.pixels[3 * y * width : 3 * (y + 1) * width]
        lower = cells.pixels[3 * (y + 1) * width : 3 * (y + 2) * width]
        parts, last = [], ("", "")
        for x in range(0, 3 * width, 3):
            colours = _sgr(38, upper[x : x + 3], truecolour), _sgr(48, lower[x : x + 3], truecolour) if lower else "49"
            codes = ";".join(new for new, old in zip(colours, last, strict=True) if new != old)
            parts.append(f"\x1b[{codes}m▀" if codes else "▀")
            last = colours
        lines.append("".join(parts) + "\x1b[0m")
    return "\n".join(lines)


def half_blocks(path: Path, columns: int, rows: int) -> Text:
    """The picture as coloured half blocks, two pixels a cell. OSError when it cannot be read."""
    import numpy as np
    from rich.text import Text

    pixels = np.asarray(_fitted(path, columns, rows * 2))
    if pixels.shape[0] % 2:
        pixels = np.concatenate([pixels, np.full_like(pixels[:1], 255)])
    text = Text(no_wrap=True, end="")
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for (r, g, b), (r2, g2, b2) in zip(upper.tolist(), lower.tolist(), strict=True):
            text.append("▀", f"rgb({r},{g},{b}) on rgb({r2},{g2},{b2})")
        text.append("\n")
    return text


def _fitted(path: Path, width: int, height: int) -> Image:
    from PIL import Image

    with open_binary(path) as file, Image.open(file) as image:
        fitted = image.convert("RGB")
    fitted.thumbnail((width, height), Image.Resampling.LANCZOS)
    return fitted


def _at_most(image: Image, pixels: int) -> Image:
    """The picture, smaller where it has more pixels."""
    scale = math.sqrt(pixels / (image.width * image.height))
    return image if scale >= 1 else image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))


def _png(image: Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=4)
    return content.getvalue()


def _own_bytes(path: Path, protocol: Protocol) -> bytes | None:
    """The file as it is, if the terminal can read it and it is not too large; kitty reads PNG alone."""
    try:
        content = read_file(path, _LARGEST_FILE)
    except OSError:
        return None
    # Terminals differ on whether a photograph's own notes turn it.
    is_jpeg = protocol == "iterm2" and content.startswith(b"\xff\xd8") and b"Exif\0" not in content[:4096]
    return content if is_jpeg or content.startswith(b"\x89PNG\r\n") else None


def _sequences(content: bytes, protocol: Protocol, kitty_size: str, iterm_size: str) -> Iterator[str]:
    data = base64.standard_b64encode(content).decode("ascii")
    if protocol == "iterm2":
        yield f"\x1b]1337;File=inline=1;size={len(content)};{iterm_size};preserveAspectRatio=1:{data}\x07"
        return
    chunks = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    keys = f"f=100,a=T,q=2,{kitty_size},"  # q=2: the terminal answers nothing
    for i, chunk in enumerate(chunks):
        yield f"\x1b_G{keys if i == 0 else 'q=2,'}m={int(i < len(chunks) - 1)};{chunk}\x1b\\"


def _through_tmux(sequence: str) -> str:
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def _sgr(kind: int, colour: bytes, truecolour: bool) -> str:
    red, green, blue = colour
    if truecolour:
        return f"{kind};2;{red};{green};{blue}"
    if max(colour) - min(colour) < 10:  # the grey ramp is finer than the colours
        grey = (red + green + blue) // 3
        number = 16 if grey < 4 else 231 if grey > 246 else 232 + min(23, max(0, round((grey - 8) / 10)))
    else:
        sixths = [0 if value < 48 else 1 if value < 115 else (value - 35) // 40 for value in colour]
        number = 16 + 36 * sixths[0] + 6 * sixths[1] + sixths[2]
    return f"{kind};5;{number}"
