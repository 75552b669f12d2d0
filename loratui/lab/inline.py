"""Pictures in a terminal's text: as themselves where the terminal says by its name that it can, else in half blocks.

No terminal is asked anything: an answer that comes late over SSH would end up in the person's typing.
"""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.text import Text

Protocol = Literal["kitty", "iterm2"]
_CELL = (10, 20)  # pixels; what cells usually are, as their size cannot be asked
_CHUNK = 4096


def picture_protocol(environment: Mapping[str, str] | None = None) -> Protocol | None:
    """How this terminal takes pictures, or None. Multiplexers take none, whatever is around them."""
    env = os.environ if environment is None else environment
    term = env.get("TERM", "")
    if env.get("TMUX") or env.get("STY") or term.startswith(("screen", "tmux")):
        return None
    if term in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    # LC_ names are what SSH passes on.
    if env.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm") or env.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    return None


def picture_sequence(path: Path, protocol: Protocol, columns: int, rows: int) -> str:
    """The characters that show a picture within a box of cells; made smaller to fit, never larger.

    OSError when it cannot be read.
    """
    image = _fitted(path, columns * _CELL[0], rows * _CELL[1])
    content = io.BytesIO()
    image.save(content, "PNG")
    data = base64.standard_b64encode(content.getvalue()).decode("ascii")
    width = max(1, math.ceil(image.width / _CELL[0]))
    if protocol == "iterm2":
        return f"\x1b]1337;File=inline=1;size={len(content.getvalue())};width={width};preserveAspectRatio=1:{data}\x07"
    chunks = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    keys = f"f=100,a=T,q=2,c={width},"  # q=2: the terminal answers nothing
    return "".join(
        f"\x1b_G{keys if i == 0 else 'q=2,'}m={int(i < len(chunks) - 1)};{chunk}\x1b\\"
        for i, chunk in enumerate(chunks)
    )


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

    with Image.open(path) as image:
        fitted = image.convert("RGB")
    fitted.thumbnail((width, height), Image.Resampling.LANCZOS)
    return fitted
