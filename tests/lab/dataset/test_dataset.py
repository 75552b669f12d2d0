"""What lies in a dataset folder is read as it is, and what is odd about it is said, not raised."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loratui.lab.check.findings import Finding
from loratui.lab.dataset import imagefiles
from loratui.lab.dataset.dataset import Scan, load_pixels, scan_dataset
from loratui.lab.project.settings import Dataset


def picture(path: Path, size: tuple[int, int] = (32, 24), colour: object = (200, 10, 10), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)  # type: ignore[arg-type]
    return path


def captioned(path: Path, caption: str | bytes = "myshape", **options: object) -> Path:
    picture(path, **options)  # type: ignore[arg-type]
    path.with_suffix(".txt").write_bytes(caption if isinstance(caption, bytes) else caption.encode())
    return path


def rules(scan: Scan) -> list[str]:
    return [finding.rule for finding in scan.findings]


def only(scan: Scan, rule: str) -> Finding:
    assert rules(scan) == [rule], scan.findings
    return scan.findings[0]


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_plain_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        captioned(tmp_path / f"shape {number}.png", f"shape, number {number}")
    scan = scan_dataset(tmp_path, Dataset(repeats=25))
    assert scan.findings == ()
    assert [image.name for image in scan.images] == ["shape 1.png", "shape 2.png", "shape 10.png"]
    first = scan.images[0]
    assert first.path == tmp_path / "shape 1.png"
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert (first.width, first.height, first.repeats) == (32, 24, 25)
    assert (first.caption, first.caption_path) == ("shape, number 1", tmp_path / "shape 1.txt")


def test_scanning_changes_nothing(tmp_path: Path) -> None:
    captioned(tmp_path / "a.png", b"\xef\xbb\xbfred\n\nblue\n")
    (tmp_path / "broken.png").write_bytes(b"no")
    (tmp_path / "a_sdxl.npz").write_bytes(b"cache")
    before = snapshot(tmp_path)
    scan = scan_dataset(tmp_path, Dataset())
    load_pixels(scan.images[0], 16, 16)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.Png", "a.jpg", "a.JPEG", "a.webp", "a.bmp"])
def test_the_usual_formats_in_any_letter_case(tmp_path: Path, name: str) -> None:
    captioned(tmp_path / name)
    scan = scan_dataset(tmp_path, Dataset())
    assert [image.name for image in scan.images] == [name]
    assert scan.findings == ()


def test_what_other_trainers_leave_behind_is_passed_over(tmp_path: Path) -> None:
    captioned(tmp_path / "a.png")
    for name in ("a_0032x0024_sdxl.npz", "a_te_outputs.npz", "metadata_cache.json", "notes.md", "a.safetensors"):
        (tmp_path / name).write_bytes(b"\0")
    for name in ("a-masklabel.png", "a-condlabel.png", "._a.png", ".hidden.png"):
        picture(tmp_path / name)
    picture(tmp_path / "_latent_cache" / "b.png")
    scan = scan_dataset(tmp_path, Dataset())
    assert [image.name for image in scan.images] == ["a.png"]
    assert scan.findings == ()


# --- kohya folders ------------------------------------------------------------------------------------------------


def test_kohya_folders_give_repeats_and_captions(tmp_path: Path) -> None:
    captioned(tmp_path / "10_red monster" / "a.png", "monster, red")
    picture(tmp_path / "10_red monster" / "b.png")
    picture(tmp_path / "3_cup" / "c.png")
    scan = scan_dataset(tmp_path, Dataset())
    assert scan.findings == ()
    assert [(image.name, image.repeats, image.caption) for image in scan.images] == [
        ("3_cup/c.png", 3, "cup"),
        ("10_red monster/a.png", 10, "monster, red"),
        ("10_red monster/b.png", 10, "red monster"),
    ]


def test_a_path_named_like_a_kohya_folder_is_one(tmp_path: Path) -> None:
    picture(tmp_path / "25_monster" / "a.png")
    scan = scan_dataset(tmp_path / "25_monster", Dataset())
    assert [(image.name, image.repeats, image.caption) for image in scan.images] == [("a.png", 25, "monster")]
    assert scan.findings == ()


def test_repeats_of_the_settings_multiply_those_of_a_folder_and_that_is_said(tmp_path: Path) -> None:
    picture(tmp_path / "25_monster" / "a.png")
    scan = scan_dataset(tmp_path, Dataset(repeats=2))
    assert scan.images[0].repeats == 50
    assert "50 views" in only(scan, "repeats-multiplied").message


def test_images_beside_kohya_folders_are_not_used_and_that_is_said(tmp_path: Path) -> None:
    picture(tmp_path / "2_cup" / "a.png")
    picture(tmp_path / "stray.png")
    scan = scan_dataset(tmp_path, Dataset())
    assert [image.name for image in scan.images] == ["2_cup/a.png"]
    assert "stray.png" in only(scan, "folder-mixed").message


def test_a_folder_of_zero_repeats_is_not_used_and_that_is_said(tmp_path: Path) -> None:
    picture(tmp_path / "2_cup" / "a.png")
    picture(tmp_path / "0_old" / "b.png")
    scan = scan_dataset(tmp_path, Dataset())
    assert [image.name for image in scan.images] == ["2_cup/a.png"]
    assert only(scan, "folder-not-used").where.endswith("0_old")


def test_folders_that_are_not_kohyas_are_not_searched(tmp_path: Path) -> None:
    captioned(tmp_path / "a.png")
    for folder in ("x_cup", "old", "_2", "2_", "10_empty", "a/deeper"):
        (tmp_path / folder).mkdir(parents=True)
    picture(tmp_path / "old" / "b.png")
    scan = scan_dataset(tmp_path, Dataset())
    assert [image.name for image in scan.images] == ["a.png"]
    assert scan.findings == ()


# --- captions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "caption", "expected"),
    [
        (b"red, circle", "red, circle", []),
        (b"red, circle\n", "red, circle", []),
        (b"red, circle\r\n\r\n \n", "red, circle", []),
        (b"\n  red \n", "red", []),
        (b"red\tcircle", "red\tcircle", []),
        ("café 日本 👨‍👩‍👧".encode(), "café 日本 👨‍👩‍👧", []),
        (b"\xef\xbb\xbfred", "red", ["caption-bom"]),
        (b"red\nblue\n", "red", ["caption-multiline"]),
        (b"red\rblue", "red", ["caption-multiline"]),
        (b"", "", ["caption-empty"]),
        (b" \n\n", "", ["caption-empty"]),
        (b"\xef\xbb\xbf", "", ["caption-bom", "caption-empty"]),
        ("caf\xe9".encode("latin-1"), "caf\ufffd", ["caption-not-utf8"]),
        ("red".encode("utf-16"), None, ["caption-not-utf8"]),
        (b"red\x1b[31m", "red\x1b[31m", ["caption-control"]),
        ("red\u202eeulb".encode(), "red\u202eeulb", ["caption-control"]),
        ("red\u200b, blue".encode(), "red\u200b, blue", ["caption-control"]),
        (b"r\0e\0d\0", "r\0e\0d\0", ["caption-control"]),
    ],
)
def test_a_caption_file_gives_its_text_and_its_oddities(
    tmp_path: Path, content: bytes, caption: str | None, expected: list[str]
) -> None:
    captioned(tmp_path / "a.png", content)
    scan = scan_dataset(tmp_path, Dataset())
    assert [rule for rule in rules(scan) if caption is not None or rule == "caption-not-utf8"] == expected
    if caption is not None:
        assert scan.images[0].caption == caption
    for finding in scan.findings:
        assert finding.where == f"{tmp_path.name}/a.txt"
        assert finding.remedy
        assert finding.severity == ("error" if finding.rule == "caption-not-utf8" else "warning")


def test_what_is_wrong_with_the_bytes_of_a_caption_is_placed(tmp_path: Path) -> None:
    captioned(tmp_path / "a.png", "red caf\xe9".encode("latin-1"))
    captioned(tmp_path / "b.png", "red".encode("utf-16"))
    first, second = (f for f in scan_dataset(tmp_path, Dataset()).findings if f.rule == "caption-not-utf8")
    assert "byte 8" in first.message
    assert "UTF-16" in second.message


def test_an_image_without_a_caption_is_a_warning(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    scan = scan_dataset(tmp_path, Dataset())
    finding = only(scan, "caption-missing")
    assert (finding.severity, scan.images[0].caption, scan.images[0].caption_path) == ("warning", "", None)
    assert "a.txt" in finding.remedy


def test_captions_under_another_ending_are_pointed_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.caption").write_text("red")
    assert 'caption_extension = ".caption"' in only(scan_dataset(tmp_path, Dataset()), "caption-missing").remedy
    assert scan_dataset(tmp_path, Dataset(caption_extension=".caption")).images[0].caption == "red"


def test_captions_named_after_the_whole_image_name_are_pointed_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.png.txt").write_text("red")
    assert "rename that to a.txt" in only(scan_dataset(tmp_path, Dataset()), "caption-missing").remedy


def test_a_caption_ending_in_capitals_counts_but_the_exact_one_wins(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.TXT").write_text("loud")
    assert scan_dataset(tmp_path, Dataset()).images[0].caption == "loud"
    (tmp_path / "a.txt").write_text("quiet")
    assert scan_dataset(tmp_path, Dataset()).images[0].caption == "quiet"


def test_two_images_of_one_stem_share_a_caption_and_that_is_said(tmp_path: Path) -> None:
    captioned(tmp_path / "a.png")
    picture(tmp_path / "a.jpg")
    scan = scan_dataset(tmp_path, Dataset())
    assert [image.caption for image in scan.images] == ["myshape", "myshape"]
    assert "a.png" in only(scan, "caption-shared").message


def test_a_folder_in_the_place_of_a_caption_is_no_caption(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.txt").mkdir()
    assert only(scan_dataset(tmp_path, Dataset()), "caption-missing").severity == "warning"


def test_a_caption_that_cannot_be_read_is_an_error_and_never_waited_for(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "a.txt")
    assert only(scan_dataset(tmp_path, Dataset()), "caption-unreadable").severity == "error"


# --- files that are not what they seem ----------------------------------------------------------------------------


def truncated(path: Path) -> None:
    noise = np.random.Generator(np.random.Philox(key=1)).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 600 << 20)  # a hole, which takes no room on the disk


def one_byte_wrong(path: Path) -> None:
    Image.new("RGB", (64, 64), (1, 2, 3)).save(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "spoil", "cause"),
    [
        ("a.png", lambda path: path.write_bytes(b""), "empty"),
        ("a.png", lambda path: path.write_bytes(b"hello"), "not a picture"),
        ("a.jpg", lambda path: path.write_bytes(b"<!DOCTYPE html><html>"), "web page"),
        ("a.png", lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
        ("a.jpg", lambda path: path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0"), "HEIC"),
        ("a.png", lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "not a picture"),
        ("a.png", truncated, "cut short"),
        ("a.jpg", truncated, "cut short"),
        ("a.webp", truncated, "cut short"),
        ("a.bmp", truncated, "cut short"),
        ("a.png", one_byte_wrong, "damaged"),
        ("a.png", lambda path: path.symlink_to("nowhere.png"), "link to a file that is not there"),
        ("a.png", lambda path: path.symlink_to("a.png"), "cannot be read"),
        ("a.png", lambda path: os.mkfifo(path), "not a regular file"),
        ("a.png", huge, "600 MiB is more than the 512 MiB that are read of a picture"),
    ],
)
def test_an_image_that_cannot_be_trained_on_is_an_error_with_its_cause(
    tmp_path: Path, name: str, spoil: Callable[[Path], object], cause: str
) -> None:
    captioned(tmp_path / "good.png")
    spoil(tmp_path / name)
    scan = scan_dataset(tmp_path, Dataset())
    assert [image.name for image in scan.images] == ["good.png"]
    finding = only(scan, "image-unreadable")
    assert cause in finding.message
    assert (finding.severity, finding.where) == ("error", f"{tmp_path.name}/{name}")
    assert finding.remedy
    assert scan.errors == (finding,)


def test_an_image_of_absurd_size_is_an_error_not_a_full_memory(tmp_path: Path) -> None:
    captioned(tmp_path / "good.png")
    path = picture(tmp_path / "bomb.bmp", size=(4, 4))
    data = bytearray(path.read_bytes())
    data[18:26] = (60_000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    assert "million pixels" in only(scan_dataset(tmp_path, Dataset()), "image-unreadable").message


def test_a_jpeg_named_png_loads_with_a_warning(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", colour=(0, 90, 0)).rename(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("green")
    scan = scan_dataset(tmp_path, Dataset())
    finding = only(scan, "image-mislabelled")
    assert (finding.severity, "JPEG" in finding.message, "a.jpg" in finding.remedy) == ("warning", True, True)
    assert abs(int(load_pixels(scan.images[0], 8, 8)[4, 4, 1]) - 90) < 3


def test_an_animation_is_trained_by_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    (tmp_path / "a.txt").write_text("red")
    scan = scan_dataset(tmp_path, Dataset())
    assert only(scan, "image-animated").severity == "warning"
    assert load_pixels(scan.images[0], 8, 8)[0, 0].tolist() == [255, 0, 0]


def test_a_folder_named_like_an_image_is_a_warning(tmp_path: Path) -> None:
    captioned(tmp_path / "a.png")
    (tmp_path / "x.png").mkdir()
    scan = scan_dataset(tmp_path, Dataset())
    assert len(scan.images) == 1
    assert only(scan, "image-is-folder").severity == "warning"


def test_a_name_that_is_not_text_is_an_error_that_can_be_shown(tmp_path: Path) -> None:
    captioned(tmp_path / "a.png")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.png")).write_bytes((tmp_path / "a.png").read_bytes())
    except OSError:
        return  # this file system has no such names
    finding = only(scan_dataset(tmp_path, Dataset()), "image-name")
    assert finding.where.encode("utf-8").endswith(b"b\\udcff.png")


def test_links_to_images_are_followed_and_loops_of_folders_are_no_trap(tmp_path: Path) -> None:
    original = picture(tmp_path / "store" / "a.png")
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "a.png").symlink_to(original)
    (folder / "a.txt").write_text("red")
    (folder / "loop").symlink_to(folder)
    scan = scan_dataset(folder, Dataset())
    assert [image.name for image in scan.images] == ["a.png"]
    assert scan.findings == ()


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "data").write_text("")
    finding = only(scan_dataset(tmp_path / "data", Dataset()), "dataset-missing")
    assert finding.severity == "error"
    assert (finding.where, "dataset.path" in finding.remedy) == (str(tmp_path / "data"), True)


def test_an_empty_folder_is_an_error_that_says_what_to_put_there(tmp_path: Path) -> None:
    finding = only(scan_dataset(tmp_path, Dataset()), "dataset-empty")
    assert finding.severity == "error"
    assert ".png" in finding.remedy


def test_the_wrong_level_of_folders_is_pointed_out(tmp_path: Path) -> None:
    picture(tmp_path / "img" / "a.png")
    finding = only(scan_dataset(tmp_path, Dataset()), "dataset-empty")
    assert '"img"' in finding.message
    assert "10_img" in finding.remedy


def test_a_folder_of_nothing_but_broken_images_has_no_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no")
    assert sorted(rules(scan_dataset(tmp_path, Dataset()))) == ["dataset-empty", "image-unreadable"]


def test_thousands_of_images_are_scanned_in_seconds(tmp_path: Path) -> None:
    source = picture(tmp_path / "source.png", size=(512, 512)).read_bytes()
    folder = tmp_path / "dataset"
    folder.mkdir()
    for number in range(1500):
        (folder / f"{number}.png").write_bytes(source)
        (folder / f"{number}.txt").write_text(f"tag {number}")
    start = time.perf_counter()
    scan = scan_dataset(folder, Dataset())
    elapsed = time.perf_counter() - start
    assert [image.caption for image in scan.images] == [f"tag {number}" for number in range(1500)]
    assert scan.findings == ()
    assert elapsed < 15  # about one; comparing each file with each other one would take minutes


def test_an_image_of_more_pixels_than_are_looked_at_is_an_error_with_its_size(tmp_path: Path) -> None:
    captioned(tmp_path / "good.png")
    picture(tmp_path / "large.png", size=(8001, 8000))
    message = only(scan_dataset(tmp_path, Dataset()), "image-unreadable").message
    assert message == "8001x8000 pixels is more than the 64 million pixels that are looked at"


def test_large_images_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [picture(tmp_path / f"{number}.png", size=(4001, 4000)) for number in range(4)]
    at_work: list[int] = []
    most: list[int] = []

    def slow(image: Image.Image) -> Image.Image:
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.05)
        at_work.pop()
        return image

    monkeypatch.setattr(imagefiles, "_to_rgb", slow)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(imagefiles.read_rgb, paths))
    assert most == [1, 1, 1, 1]
