"""Pictures in a terminal: only where it says that it can, whole, and within their box."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.errors import LabError
from loratui.lab.pictures.inline import (
    Terminal,
    block_sequence,
    chosen_protocol,
    full_picture,
    half_blocks,
    picture_protocol,
    picture_sequence,
    terminal_of,
)
from loratui.lab.pictures.thumbnails import thumbnail


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
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "mintty"}, "sixel"),
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


@pytest.mark.parametrize(
    ("preference", "environment", "expected"),
    [
        ("auto", {"TERM": "xterm-kitty"}, ("kitty", False)),
        ("auto", {"TERM": "xterm-256color"}, ("blocks", False)),
        ("blocks", {"TERM": "xterm-kitty"}, ("blocks", False)),
        ("sixel", {"TERM": "xterm-256color"}, ("sixel", False)),
        ("auto", {"TERM": "tmux-256color", "TMUX": "x", "LC_TERMINAL": "iTerm2"}, ("blocks", False)),
        ("kitty", {"TERM": "tmux-256color", "TMUX": "x"}, ("kitty", True)),
        ("kitty", {"TERM": "screen-256color", "TMUX": "x"}, ("kitty", True)),
        ("kitty", {"TERM": "screen", "STY": "x"}, ("blocks", False)),
        ("nonsense", {"TERM": "xterm-kitty"}, ("blocks", False)),
    ],
)
def test_a_preference_wins_and_tmux_is_passed_through_only_when_asked(
    preference: str, environment: dict[str, str], expected: tuple[str, bool]
) -> None:
    assert chosen_protocol(preference, environment) == expected


def sent(sequence: str) -> Image.Image:
    """The picture in a kitty sequence."""
    chunks = re.findall(r"\x1b_G[^;]*;([^\x1b]*)\x1b\\", sequence)
    return Image.open(io.BytesIO(base64.b64decode("".join(chunks))))


def test_kitty_gets_the_file_itself_and_scales_it(sheet: Path) -> None:
    sequence = full_picture(sheet, "kitty", Terminal(30, 20))
    data = "".join(re.findall(r"\x1b_G[^;]*;([^\x1b]*)\x1b\\", sequence))
    assert base64.b64decode(data) == sheet.read_bytes()
    assert "r=20," in sequence  # 300x600 in 300x400 pixels: its height is what limits it
    assert "c=" not in sequence.partition(";")[0]


def test_the_limiting_side_follows_the_real_cells(sheet: Path) -> None:
    assert "c=20," in full_picture(sheet, "kitty", Terminal(20, 20, (8, 30)))
    assert "height=20;" in full_picture(sheet, "iterm2", Terminal(30, 20, (10, 20)))


def test_a_small_picture_is_enlarged_in_squares(tmp_path: Path) -> None:
    small = Image.new("RGB", (2, 1), "red")
    small.putpixel((1, 0), (0, 0, 255))
    small.save(tmp_path / "a.png")
    picture = sent(full_picture(tmp_path / "a.png", "kitty", Terminal(10, 10))).convert("RGB")
    assert picture.size == (100, 50)
    assert (picture.getpixel((49, 20)), picture.getpixel((50, 20))) == ((255, 0, 0), (0, 0, 255))


def test_what_kitty_cannot_read_is_sent_as_png(tmp_path: Path) -> None:
    Image.new("RGB", (900, 900), "red").save(tmp_path / "a.jpg")
    assert sent(full_picture(tmp_path / "a.jpg", "kitty", Terminal(20, 20))).format == "PNG"
    iterm = full_picture(tmp_path / "a.jpg", "iterm2", Terminal(20, 20))
    assert base64.b64decode(iterm.partition(":")[2].rstrip("\x07")) == (tmp_path / "a.jpg").read_bytes()


def test_a_turned_photograph_is_sent_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (900, 300), "red").save(tmp_path / "a.jpg", exif=exif)
    iterm = full_picture(tmp_path / "a.jpg", "iterm2", Terminal(20, 20))
    assert Image.open(io.BytesIO(base64.b64decode(iterm.partition(":")[2].rstrip("\x07")))).size == (300, 900)


def test_sixels_are_bounded_and_within_the_box(tmp_path: Path) -> None:
    Image.linear_gradient("L").resize((3000, 2000)).save(tmp_path / "a.png", compress_level=1)
    sequence = full_picture(tmp_path / "a.png", "sixel", Terminal(300, 80))
    size = re.match(r'\x1bP0;1q"1;1;(\d+);(\d+)', sequence)
    assert size is not None
    assert int(size[1]) * int(size[2]) <= 800 * 800
    assert abs(int(size[1]) / int(size[2]) - 1.5) < 0.02


def test_through_tmux_every_escape_is_doubled(sheet: Path) -> None:
    plainly = full_picture(sheet, "kitty", Terminal(20, 20))
    wrapped = full_picture(sheet, "kitty", Terminal(20, 20), passthrough=True)
    parts = re.findall(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", wrapped)
    assert "".join(parts).replace("\x1b\x1b", "\x1b") == plainly
    assert sum(len(part) for part in parts) + len(parts) * 9 == len(wrapped)


def test_full_size_of_what_is_no_picture_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(LabError, match="not a picture"):
        full_picture(tmp_path / "a.png", "kitty", Terminal(10, 10))


def test_blocks_name_a_colour_only_when_it_changes(tmp_path: Path) -> None:
    picture = Image.new("RGB", (3, 3), (255, 0, 0))
    picture.putpixel((2, 0), (0, 0, 255))
    picture.save(tmp_path / "a.png")
    first, second = block_sequence(thumbnail(tmp_path / "a.png", 3, 3)).split("\n")
    assert first == "\x1b[38;2;255;0;0;48;2;255;0;0m▀▀\x1b[38;2;0;0;255m▀\x1b[0m"
    assert second == "\x1b[38;2;255;0;0;49m▀▀▀\x1b[0m", "below the last row is the terminal's own background"


@pytest.mark.parametrize(
    ("rgb", "number"),
    [((0, 0, 0), 16), ((255, 255, 255), 231), ((128, 128, 128), 244), ((255, 0, 0), 196), ((0, 95, 255), 27)],
)
def test_of_256_colours_the_nearest_is_taken(tmp_path: Path, rgb: tuple[int, int, int], number: int) -> None:
    Image.new("RGB", (1, 2), rgb).save(tmp_path / "a.png")
    assert block_sequence(thumbnail(tmp_path / "a.png", 1, 1), truecolour=False).startswith(f"\x1b[38;5;{number};")


def test_a_terminal_without_a_size_is_80_by_24(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert terminal_of(file.fileno()) == Terminal(80, 24)
