"""Pictures are copied in whole with their captions, over nothing; and a paste is read as the paths it names."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from loratui.lab.dataset.dataset import scan_dataset
from loratui.lab.dataset.importing import Imported, import_images, read_paste
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.project.settings import Dataset
from tests.lab.dataset.test_dataset import captioned, picture, snapshot


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def reasons(imported: Imported) -> dict[str, str]:
    return {skipped.path.name: skipped.reason for skipped in imported.skipped}


# --- copying ------------------------------------------------------------------------------------------------------


def test_pictures_come_with_their_captions_and_the_sources_stay_as_they_are(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "project" / "dataset"
    captioned(source / "a.png", b"\xef\xbb\xbfred\r\nnote\r\n", colour="red")
    picture(source / "b.JPG", colour="blue")
    (source / "b.txt.bak").write_text("not a caption")
    before = snapshot(source)
    imported = import_images([source / "a.png", source / "b.JPG"], folder)
    assert imported == Imported((folder / "a.png", folder / "b.JPG"), ())
    assert names(folder) == ["a.png", "a.txt", "b.JPG"]
    assert (folder / "a.png").read_bytes() == (source / "a.png").read_bytes()
    assert (folder / "a.txt").read_bytes() == b"\xef\xbb\xbfred\r\nnote\r\n"
    assert snapshot(source) == before


def test_of_a_folder_its_images_are_taken_in_natural_order_and_nothing_else(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "dataset"
    for number in (10, 2):
        captioned(source / f"i{number}.png", str(number), colour=(number, 0, 0))
    picture(source / "i2-masklabel.png", colour="white")
    picture(source / ".hidden.png", colour="green")
    picture(source / "deeper" / "c.png", colour="blue")
    (source / "notes.md").write_text("mine")
    assert [path.name for path in import_images([source], folder).copied] == ["i2.png", "i10.png"]
    assert names(folder) == ["i10.png", "i10.txt", "i2.png", "i2.txt"]


def test_a_folder_without_images_of_its_own_is_said_to_be_so(tmp_path: Path) -> None:
    picture(tmp_path / "kohya" / "10_cup" / "a.png")
    (tmp_path / "empty").mkdir()
    imported = import_images([tmp_path / "kohya", tmp_path / "empty"], tmp_path / "dataset")
    assert imported.copied == ()
    assert "its folder 10_cup does" in reasons(imported)["kohya"]
    assert "holds no pictures itself (.png, .jpg" in reasons(imported)["empty"]


def test_nothing_is_overwritten_and_no_caption_meets_another_image(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "dataset"
    captioned(folder / "a.png", "mine", colour="white")
    (folder / "b.txt").write_text("a caption that waits for its picture")
    (folder / "c.txt").write_text("mine")
    captioned(source / "a.png", "theirs too", colour="red")
    captioned(source / "a.jpg", "theirs too", colour="blue")
    picture(source / "b.png", colour="green")
    captioned(source / "c.png", "theirs", colour="black")
    before = snapshot(folder)
    imported = import_images([source / name for name in ("a.png", "a.jpg", "b.png", "c.png")], folder)
    assert [path.name for path in imported.copied] == ["a-2.png", "a-3.jpg", "b.png", "c-2.png"]
    assert before.items() <= snapshot(folder).items()
    assert {image.name: image.caption for image in scan_dataset(folder, Dataset()).images} == {
        "a.png": "mine",
        "a-2.png": "theirs too",
        "a-3.jpg": "theirs too",
        "b.png": "a caption that waits for its picture",
        "c-2.png": "theirs",
    }


def test_a_picture_that_is_there_already_is_passed_over_under_any_name(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "dataset"
    picture(source / "a.png", colour="red")
    folder.mkdir()
    shutil.copy(source / "a.png", folder / "renamed.png")
    picture(source / "b.png", colour="blue")
    shutil.copy(source / "b.png", source / "b again.png")
    imported = import_images([source, source / "a.png", folder], folder)
    assert [path.name for path in imported.copied] == ["b again.png"]
    assert reasons(imported) == {
        "a.png": "already here, as renamed.png",
        "b.png": "already here, as b again.png",
        "renamed.png": "already here, as renamed.png",
    }
    assert import_images([source], folder).copied == ()


def test_what_is_no_picture_is_skipped_with_the_reason(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "dataset"
    source.mkdir()
    (source / "page.jpg").write_text("<!DOCTYPE html>")
    (source / "empty.png").write_bytes(b"")
    (source / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (source / "link.png").symlink_to("nowhere.png")
    os.mkfifo(source / "pipe.png")
    (source / "folder.png").mkdir()
    picture(source / ".hidden.png")
    picture(source / os.fsdecode(b"caf\xe9.png"))
    picture(source / "good.png")
    paths = [*sorted(source.iterdir()), source / "gone.png"]
    imported = import_images(paths, folder)
    assert [path.name for path in imported.copied] == ["good.png"]
    said = reasons(imported)
    assert "web page" in said["page.jpg"]
    assert "empty" in said["empty.png"]
    assert "convert it to PNG" in said["photo.heic"]
    assert "link to a file that is not there" in said["link.png"]
    assert "not a regular file" in said["pipe.png"]
    assert "holds no pictures" in said["folder.png"]
    assert "hidden" in said[".hidden.png"]
    assert "not UTF-8" in said[os.fsdecode(b"caf\xe9.png")]
    assert "no such file on this machine" in said["gone.png"]
    assert names(folder) == ["good.png"]


def test_a_caption_that_cannot_be_taken_along_is_told(tmp_path: Path) -> None:
    source = tmp_path / "source"
    picture(source / "a.png", colour="red")
    (source / "a.txt").mkdir()
    picture(source / "b.png", colour="blue")
    (source / "b.txt").write_bytes(b"x" * (2**20 + 1))
    imported = import_images([source], tmp_path / "dataset")
    assert "not a regular file; its picture is copied without" in reasons(imported)["a.txt"]
    assert "larger than a caption" in reasons(imported)["b.txt"]
    assert names(tmp_path / "dataset") == ["a.png", "b.png"]


def test_captions_have_the_ending_of_the_dataset(tmp_path: Path) -> None:
    source = tmp_path / "source"
    captioned(source / "a.png", "a txt file", colour="red")
    (source / "a.caption").write_text("a caption file")
    picture(source / "b.png", colour="blue")
    (source / "b.CAPTION").write_text("in capitals")
    import_images([source], tmp_path / "dataset", caption_extension=".caption")
    assert names(tmp_path / "dataset") == ["a.caption", "a.png", "b.caption", "b.png"]


def test_a_cancelled_import_leaves_whole_files_only(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "dataset"
    for number in range(5):
        captioned(source / f"{number}.png", str(number), colour=(number, 0, 0))
    seen = []

    def end(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        import_images([source], folder, end)
    assert seen == [(0, 5), (1, 5), (2, 5)]
    assert names(folder) == ["0.png", "0.txt", "1.png", "1.txt"]
    assert len(import_images([source], folder).copied) == 3
    assert scan_dataset(folder, Dataset()).findings == ()


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
def test_a_full_disk_leaves_no_halves_and_says_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    source, folder = tmp_path / "source", tmp_path / "dataset"
    for stem in "abc":
        captioned(source / f"{stem}.png", stem, colour=(ord(stem), 0, 0))
    true, count = os.fsync, iter(range(100))

    def fails(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".part" and next(count) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        true(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("loratui.lab.files.os.fsync", fails)
        with pytest.raises(LabError, match=rf"dataset: No space left.*{number // 2} of 3 pictures were copied, all of"):
            import_images([source], folder)
    assert names(folder) == [f"{stem}{end}" for stem in "abc"[: number // 2] for end in (".png", ".txt")]
    assert len(import_images([source], folder).copied) == 3 - number // 2


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match=r"dataset: .*import into a folder that can be written"):
        import_images([], tmp_path / "file" / "dataset")


# --- pasting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("/a/b.png", ["/a/b.png"]),
        ("/a/b.png /a/c.png", ["/a/b.png", "/a/c.png"]),
        ("/a/b.png\n/a/c.png\r\n/a/d.png\r/a/e.png\n\n", ["/a/b.png", "/a/c.png", "/a/d.png", "/a/e.png"]),
        ("'/a/b c.png' '/a/d.png'", ["/a/b c.png", "/a/d.png"]),
        ('"/a/b c.png" "/a/\\"d\\".png"', ["/a/b c.png", '/a/"d".png']),
        (r"/a/b\ c.png /a/\(d\).png", ["/a/b c.png", "/a/(d).png"]),
        (r"'/a/it'\''s.png' /b.png", ["/a/it's.png", "/b.png"]),
        ("/a/it's.png /b/it's.png", ["/a/it's.png", "/b/it's.png"]),
        ("file:///a/b%20c.png", ["/a/b c.png"]),
        ("FILE://host/a/%E7%B4%85.png file:///b.png", ["/a/\u7d05.png", "/b.png"]),
        ("file:/a/100%25.png", ["/a/100%.png"]),
        ("file:///a/caf%E9.png", [os.fsdecode(b"/a/caf\xe9.png")]),
        ("/a/b c.png", ["/a/b c.png"]),
        ("/a/b c.png /d e/f.png", ["/a/b c.png", "/d e/f.png"]),
        ("a.png b.png", ["a.png", "b.png"]),
        ("/a/b.png /a/b.png", ["/a/b.png"]),
        (r"C:\Users\me\a.png", [r"C:\Users\me\a.png"]),
        ("~nobody-of-this-name/a.png", ["~nobody-of-this-name/a.png"]),
        ("  /a.png\t /b.png ", ["/a.png", "/b.png"]),
        ("/a\0.png", ["/a.png"]),
        ("'unclosed /a.png", ["'unclosed", "/a.png"]),
        ("/a\\", ["/a\\"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_what_a_paste_names(home: Path, text: str, paths: list[str]) -> None:
    assert read_paste(text) == [Path(path) for path in paths]


def test_the_home_folder_is_expanded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert read_paste("~/a.png '~/b c.png'") == [home / "a.png", home / "b c.png"]


def test_spaces_in_names_that_are_there_need_no_quotes(home: Path) -> None:
    for name in ("my cat.png", "my.png", "dog", "two  spaces and 'quotes'.png", "file:.png"):
        (home / name).write_bytes(b"")
    assert read_paste("my cat.png my.png") == [Path("my cat.png"), Path("my.png")]
    assert read_paste(f"{home}/my cat.png {home}/dog") == [home / "my cat.png", home / "dog"]
    assert read_paste("two  spaces and 'quotes'.png") == [Path("two  spaces and 'quotes'.png")]
    assert read_paste("file:.png") == [Path("file:.png")]


def test_a_pasted_book_imports_nothing(home: Path) -> None:
    paths = read_paste("it was a dark and stormy night; " * 5000)
    imported = import_images(paths, home / "dataset")
    assert (imported.copied, len(imported.skipped)) == ((), len(paths))
