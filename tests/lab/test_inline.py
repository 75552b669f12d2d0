"""Pictures in a terminal: only where it says that it can, whole, and within their box."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.inline import half_blocks, picture_protocol, picture_sequence


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    noise = Image.effect_noise((300, 600), 80).convert("RGB")
    noise.save(tmp_path / "sheet.png", compress_level=0)
    return tmp_path / "sheet.png"


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, None),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({}, None),
    ],
)
def test_a_terminal_is_known_by_its_environment(environment: dict[str, str], protocol: str | None) -> None:
    assert picture_protocol(environment) == protocol


def test_kitty_gets_the_whole_picture_in_chunks_and_answers_nothing(sheet: Path) -> None:
    sequence = picture_sequence(sheet, "kitty", 60, 20)
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sequence)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in chunks) == sequence
    assert len(chunks) > 1
    assert all("q=2" in keys and len(data) <= 4096 for keys, data in chunks)
    assert ["m=1" in keys for keys, _ in chunks] == [True] * (len(chunks) - 1) + [False]
    picture = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in chunks))))
    assert picture.size == (200, 400)
    assert "c=20," in chunks[0][0]


def test_iterm2_gets_the_whole_picture(sheet: Path) -> None:
    match = re.fullmatch(
        r"\x1b\]1337;File=inline=1;size=(\d+);width=20;preserveAspectRatio=1:([^\x07]*)\x07",
        picture_sequence(sheet, "iterm2", 60, 20),
    )
    assert match is not None
    content = base64.b64decode(match[2])
    assert len(content) == int(match[1])
    assert Image.open(io.BytesIO(content)).size == (200, 400)


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    assert "c=7," in picture_sequence(tmp_path / "a.png", "kitty", 60, 20)


def test_half_blocks_stay_within_their_box_and_have_the_colours(tmp_path: Path) -> None:
    picture = Image.new("RGB", (4, 3), (255, 0, 0))
    picture.putpixel((0, 1), (0, 0, 255))
    picture.save(tmp_path / "a.png")
    text = half_blocks(tmp_path / "a.png", 10, 10)
    assert text.plain == "▀▀▀▀\n▀▀▀▀\n"
    assert str(text.spans[0].style) == "rgb(255,0,0) on rgb(0,0,255)"
    assert str(text.spans[-1].style) == "rgb(255,0,0) on rgb(255,255,255)"
    large = half_blocks(_large(tmp_path), 30, 10).plain.splitlines()
    assert max(len(line) for line in large) <= 30
    assert len(large) <= 10


def _large(folder: Path) -> Path:
    Image.new("RGB", (900, 300)).save(folder / "large.png")
    return folder / "large.png"


def test_what_is_no_picture_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(OSError):
        picture_sequence(tmp_path / "a.png", "kitty", 10, 10)
