"""Pictures as cells: right pixels in the right place, quickly the second time, and words where there is no picture."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.pictures import thumbnails
from loratui.lab.pictures.thumbnails import Cells, fitted, prune, stamp, thumbnail


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "thumbs"


def pixel(cells: Cells, x: int, y: int) -> tuple[int, ...]:
    at = 3 * (y * cells.width + x)
    return tuple(cells.pixels[at : at + 3])


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def kept(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.jpg"))


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((64, 64), (30, 30), (30, 30)),
        ((64, 64), (70, 70), (64, 64)),  # not once and a bit: that would double some pixels and not others
        ((64, 64), (128, 200), (128, 128)),
        ((64, 32), (30, 30), (30, 15)),
        ((1, 1000), (10, 20), (1, 20)),
        ((1000, 1), (10, 20), (10, 1)),
    ],
)
def test_a_picture_keeps_its_shape(size: tuple[int, int], box: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fitted(size, box) == expected


def test_pixels_are_where_they_are_in_the_picture(tmp_path: Path) -> None:
    picture = Image.new("RGB", (4, 2), (255, 0, 0))
    picture.putpixel((3, 1), (0, 0, 255))
    cells = thumbnail(saved(tmp_path / "a.png", picture), 9, 4)
    assert (cells.width, cells.height) == (8, 4)  # twice as large, each pixel a square
    assert (cells.left, cells.top) == (0, 1)
    assert cells.size == (4, 2)
    assert pixel(cells, 0, 0) == (255, 0, 0)
    assert [pixel(cells, x, y) for x, y in ((6, 2), (7, 2), (6, 3), (7, 3))] == [(0, 0, 255)] * 4
    assert pixel(cells, 5, 3) == (255, 0, 0)
    assert len(cells.pixels) == 3 * 8 * 4


def test_transparency_lies_over_white_and_exif_turns_the_picture(tmp_path: Path) -> None:
    clear = thumbnail(saved(tmp_path / "clear.png", Image.new("RGBA", (4, 4), (255, 0, 0, 0))), 4, 2)
    assert pixel(clear, 0, 0) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = thumbnail(saved(tmp_path / "turned.jpg", Image.new("RGB", (40, 20)), exif=exif), 40, 20)
    assert turned.size == (20, 40)
    assert (turned.width, turned.height) == (20, 40)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    grey = Image.new("I;16", (2, 2))
    grey.putpixel((0, 0), 65535)
    grey.putpixel((1, 0), 257 * 100)
    cells = thumbnail(saved(tmp_path / "grey.png", grey), 2, 1)
    assert [pixel(cells, 0, 0)[0], pixel(cells, 1, 0)[0], pixel(cells, 0, 1)[0]] == [255, 100, 0]


def test_of_an_animation_the_first_frame_is_shown(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), shade) for shade in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert pixel(thumbnail(tmp_path / "a.webp", 4, 2), 0, 0) == (255, 0, 0)


def test_a_slow_picture_is_kept_small_and_used_again(tmp_path: Path, cache: Path) -> None:
    path = saved(tmp_path / "large.png", Image.new("RGB", (1000, 500), (10, 200, 30)))
    first = thumbnail(path, 30, 15)
    (file,) = kept(cache)
    with Image.open(file) as small:
        assert max(small.size) == 256
    Image.new("RGB", (256, 128), (200, 0, 0)).save(file, comment=b"1000 500")
    again = thumbnail(path, 30, 15)
    assert again.size == first.size == (1000, 500)
    assert pixel(again, 5, 5)[0] > 190, "it was decoded again"


def test_a_changed_picture_is_not_the_kept_one(tmp_path: Path, cache: Path) -> None:
    path = saved(tmp_path / "large.png", Image.new("RGB", (800, 800), "red"))
    before = stamp(path)
    thumbnail(path, 10, 5)
    saved(path, Image.new("RGB", (801, 800), "blue"))
    os.utime(path, ns=(before[0] + 1, before[0] + 1) if before else None)
    assert pixel(thumbnail(path, 10, 5), 3, 3) == (0, 0, 255)


def test_a_small_picture_needs_no_file(tmp_path: Path, cache: Path) -> None:
    thumbnail(saved(tmp_path / "small.png", Image.new("RGB", (64, 64))), 30, 15)
    assert kept(cache) == []


def test_a_large_box_gets_more_pixels_than_are_kept(tmp_path: Path) -> None:
    path = saved(tmp_path / "large.png", Image.new("RGB", (1200, 1200), "red"))
    thumbnail(path, 30, 15)
    assert thumbnail(path, 600, 300).width == 600


def test_a_torn_file_in_the_cache_is_made_again(tmp_path: Path, cache: Path) -> None:
    path = saved(tmp_path / "large.png", Image.new("RGB", (800, 800), "red"))
    thumbnail(path, 10, 5)
    (file,) = kept(cache)
    for content in (file.read_bytes()[:100], b"", b"not a picture"):
        file.write_bytes(content)
        assert pixel(thumbnail(path, 10, 5), 3, 3)[0] > 250
    assert len(kept(cache)) == 1


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    path = saved(tmp_path / "large.png", Image.new("RGB", (800, 800), "red"))
    assert pixel(thumbnail(path, 10, 5), 3, 3) == (255, 0, 0)


def test_the_cache_is_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    for number in range(10):
        file = tmp_path / f"{number % 3}" / f"{number}.jpg"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x" * 100)
        os.utime(file, (number, number))
    prune(tmp_path, 1000)
    assert len(kept(tmp_path)) == 10
    prune(tmp_path, 800)
    assert sorted(int(file.stem) for file in kept(tmp_path)) == [4, 5, 6, 7, 8, 9]


def test_many_at_once_agree(tmp_path: Path, cache: Path) -> None:
    path = saved(tmp_path / "large.png", Image.effect_noise((900, 900), 80))
    whole = thumbnail(path, 30, 15).pixels  # from the picture itself; the others may be from the kept one
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: thumbnail(path, 30, 15), range(16)))
    assert {len(one.pixels) for one in results} == {len(whole)}
    assert not any(one.problem for one in results)
    assert len(kept(cache)) == 1
    assert not [file for file in cache.rglob("*") if file.name.startswith(".")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, ""),
        (b"<!doctype html><p>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_what_is_no_picture_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    cells = thumbnail(tmp_path / "a.png", 30, 15)
    assert cells.pixels == b""
    assert cells.problem
    assert words in cells.problem


def test_missing_cut_short_and_too_large_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such file" in thumbnail(tmp_path / "none.png", 30, 15).problem
    assert "folder" in thumbnail(tmp_path, 30, 15).problem
    noise = saved(tmp_path / "cut.png", Image.effect_noise((100, 100), 90))
    noise.write_bytes(noise.read_bytes()[:3000])
    assert "damaged or cut short" in thumbnail(noise, 30, 15).problem
    monkeypatch.setattr(thumbnails, "MOST_PIXELS", 9_999)
    whole = saved(tmp_path / "whole.png", Image.effect_noise((100, 100), 90))
    assert "100x100 pixels are too many" in thumbnail(whole, 30, 15).problem
    assert thumbnail(tmp_path / "nul\0.png", 3, 3).problem


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    for name in (b"\xff\xfe.png", b"[red]\x1b[2J\n.png", "‮gnp.png".encode()):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(saved(tmp_path / "a.png", Image.new("RGB", (700, 700), "red")).read_bytes())
        assert thumbnail(path, 4, 2).size == (700, 700)
        assert thumbnail(path, 4, 2).size == (700, 700)


def test_numpy_is_not_needed(tmp_path: Path) -> None:
    saved(tmp_path / "a.png", Image.new("RGBA", (800, 600)))
    script = (
        "import sys; from pathlib import Path; from loratui.lab.pictures.thumbnails import thumbnail; "
        f"assert not thumbnail(Path({str(tmp_path / 'a.png')!r}), 30, 15).problem; "
        "assert not {'numpy', 'torch', 'textual'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
