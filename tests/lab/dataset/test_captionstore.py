"""Captions are saved as they are edited, to the byte, never over another program's work, and can be taken back."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from loratui.lab.dataset import captionwrite, edithistory
from loratui.lab.dataset.captionstore import CaptionStore, Conflict, Edited, NotAllWritten
from loratui.lab.dataset.dataset import scan_dataset
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.project.settings import Dataset
from tests.lab.dataset.test_dataset import picture

BOM = b"\xef\xbb\xbf"


def put(folder: Path, **captions: str | bytes | None) -> Path:
    """Images with these captions; None: no caption file. No image is ever opened, so anything may be in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, caption in captions.items():
        (folder / f"{stem}.png").write_bytes(b"the picture " + stem.encode())
        if caption is not None:
            (folder / f"{stem}.txt").write_bytes(caption.encode() if isinstance(caption, str) else caption)
    return folder


def opened(folder: Path, dataset: Dataset | None = None) -> CaptionStore:
    store = CaptionStore(folder, dataset or Dataset(), folder.parent / ".loratui" / "edits.jsonl")
    store.load()
    return store


def captions(store: CaptionStore) -> dict[str, str]:
    return {entry.name: entry.caption for entry in store.entries}


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "project" / "dataset"


# --- reading ------------------------------------------------------------------------------------------------------


def test_images_are_listed_in_natural_order_with_their_captions(folder: Path) -> None:
    put(folder, image10="ten", image2="\n  two, red \nthree\n", image1=None)
    store = opened(folder)
    first, second, third = store.entries
    assert [entry.name for entry in store.entries] == ["image1.png", "image2.png", "image10.png"]
    assert (first.caption, first.has_file, first.problems) == ("", False, ("caption-missing",))
    assert first.caption_path == folder / "image1.txt"
    assert (second.caption, second.has_file, second.problems) == ("two, red", True, ("caption-multiline",))
    assert (third.path, third.repeats) == (folder / "image10.png", 1)
    assert store["image2.png"] is second


def test_what_is_read_is_what_training_reads(tmp_path: Path) -> None:
    texts: list[str | bytes] = ["red", BOM + b"red, sky\r\nmore", b"\r\r a\tb \r", b"\xff\xfer\0e\0", b"a\xffb", ""]
    texts += ["\n\n", "zero\u200bwidth", "\u3000wide\u3000", b"nul\0", "x" * 300_000, "caf\u00e9\u2028x"]
    plain, kohya = tmp_path / "plain", tmp_path / "kohya"
    for number, text in enumerate(texts):
        data = text.encode() if isinstance(text, str) else text
        for place in (plain, kohya / "3_red monster", kohya / "2_cup"):
            picture(place / f"{number}.png", size=(8, 8))
            (place / f"{number}.txt").write_bytes(data)
    picture(kohya / "2_cup" / "alone.png", size=(8, 8))
    picture(plain / "0.bmp", size=(8, 8))
    picture(plain / "upper.png", size=(8, 8))
    (plain / "upper.TXT").write_text("capitals")
    for place in (plain, kohya):
        scan, store = scan_dataset(place, Dataset(repeats=2)), opened(place, Dataset(repeats=2))
        assert [(i.name, i.path, i.caption, i.repeats) for i in scan.images] == [
            (e.name, e.path, e.caption, e.repeats) for e in store.entries
        ]
        rules = {rule for entry in store.entries for rule in entry.problems}
        assert {finding.rule for finding in scan.findings} - {"repeats-multiplied"} == rules


def test_an_image_in_a_kohya_folder_without_a_caption_file_has_the_words_of_the_folder(folder: Path) -> None:
    put(folder / "10_red monster", a=None)
    store = opened(folder)
    assert (store.entries[0].caption, store.entries[0].has_file, store.entries[0].problems) == (
        "red monster",
        False,
        (),
    )
    store.edit({"10_red monster/a.png": "red monster, eyes"}, "add eyes")
    assert (folder / "10_red monster" / "a.txt").read_text() == "red monster, eyes\n"
    store.undo()
    assert captions(store) == {"10_red monster/a.png": "red monster"}
    assert not store.entries[0].has_file
    store.edit({"10_red monster/a.png": ""}, "no words")
    assert captions(opened(folder)) == {"10_red monster/a.png": ""}


def test_a_folder_that_is_not_there_is_an_error_that_names_the_setting(folder: Path) -> None:
    with pytest.raises(LabError, match=r"there is no such folder; set dataset\.path"):
        opened(folder)


def test_loading_tells_how_far_it_is_and_can_be_ended(folder: Path) -> None:
    put(folder, **{f"i{number}": "red" for number in range(200)})
    seen: list[tuple[int, int]] = []
    store = CaptionStore(folder, Dataset(), folder / "history")
    store.load(lambda done, total: seen.append((done, total)))
    assert seen[-1] == (200, 200)
    assert len(seen) > 2

    def end(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        store.load(end)
    assert len(store.entries) == 200


def test_looking_writes_nothing(folder: Path) -> None:
    put(folder, a="red", b=None)
    store = opened(folder)
    store.refresh()
    assert (store.can_undo, store.can_redo) == (None, None)
    assert (store.undo(), store.redo()) == (Edited(), Edited())
    assert sorted(content(folder)) == ["a.png", "a.txt", "b.png"]


# --- saving -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"red", b"blue, sky"),
        (b"red\n", b"blue, sky\n"),
        (BOM + b"red\r\n", BOM + b"blue, sky\r\n"),
        (b"\r\n\n \t red \r\nsecond line\r\n\r\nthird", b"\r\n\n \t blue, sky \r\nsecond line\r\n\r\nthird"),
        (b"red\rmac\r", b"blue, sky\rmac\r"),
        ("\u3000rot\u3000\nzweite".encode(), "\u3000blue, sky\u3000\nzweite".encode()),
        (b"", b"blue, sky"),
        (BOM, BOM + b"blue, sky"),
        (b"\n\n", b"blue, sky\n\n"),
    ],
)
def test_only_the_text_of_the_first_line_that_is_not_blank_changes(folder: Path, before: bytes, after: bytes) -> None:
    put(folder, a=before)
    path = folder / "a.txt"
    path.chmod(0o640)
    store = opened(folder)
    assert store.edit({"a.png": "blue, sky"}, "type") == Edited(("a.png",))
    assert path.read_bytes() == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert captions(store) == captions(opened(folder)) == {"a.png": "blue, sky"}
    store.undo()
    assert path.read_bytes() == before
    store.redo()
    assert path.read_bytes() == after


def test_a_caption_file_is_made_when_there_is_none(folder: Path) -> None:
    put(folder, a=None)
    store = opened(folder, Dataset(caption_extension=".caption"))
    store.edit({"a.png": "  red  "}, "type")
    assert (folder / "a.caption").read_bytes() == b"red\n"
    assert (store.entries[0].has_file, store.entries[0].problems) == (True, ())
    assert store.undo().done == ("a.png",)
    assert sorted(content(folder)) == ["a.png"]
    assert (store.entries[0].has_file, store.entries[0].problems) == (False, ("caption-missing",))


def test_images_and_unknown_files_are_never_touched(folder: Path) -> None:
    put(folder, a="red", b=None)
    others = ["a.caption", "notes.md", "a_sdxl.npz", ".hidden.txt", "c.txt"]
    for name in others:
        (folder / name).write_bytes(b"mine")
    untouched = {name: (folder / name).stat() for name in [*others, "a.png", "b.png"]}
    store = opened(folder)
    store.edit({"a.png": "blue", "b.png": "sky"}, "type")
    store.undo()
    store.redo()
    for name, status in untouched.items():
        now = (folder / name).stat()
        assert (now.st_mtime_ns, now.st_ino, now.st_size) == (status.st_mtime_ns, status.st_ino, status.st_size)
    assert sorted(content(folder)) == sorted([*others, "a.png", "a.txt", "b.png", "b.txt"])


def test_a_caption_that_stays_the_same_is_not_written(folder: Path) -> None:
    put(folder, a="red", b="sky")
    store, before = opened(folder), (folder / "a.txt").stat().st_mtime_ns
    assert store.edit({"a.png": " red ", "b.png": "blue"}, "type") == Edited(("b.png",))
    assert store.edit({"a.png": "red"}, "nothing") == Edited()
    assert (folder / "a.txt").stat().st_mtime_ns == before
    assert store.can_undo == "type"


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("red\nblue", r"line break \(U\+000A\)"),
        ("red\rblue", r"line break \(U\+000D\)"),
        ("red\x1b[31m", r"U\+001B"),
        ("red\u202e", r"U\+202E RIGHT-TO-LEFT OVERRIDE"),
        ("red\u200b", r"U\+200B ZERO WIDTH SPACE"),
        ("red\u2028blue", r"U\+2028 LINE SEPARATOR"),
        ("red\udc80", r"U\+DC80"),
    ],
)
def test_an_edit_that_brings_in_what_cannot_be_seen_is_refused_by_name(folder: Path, caption: str, said: str) -> None:
    put(folder, a="sky", b="sea")
    store = opened(folder)
    with pytest.raises(LabError, match=said):
        store.edit({"b.png": "fine", "a.png": caption}, "paste")
    assert captions(opened(folder)) == {"a.png": "sky", "b.png": "sea"}
    assert store.can_undo is None


def test_invisible_characters_that_are_there_already_do_not_keep_one_from_editing(folder: Path) -> None:
    put(folder, a="zero\u200bwidth, red", b="\U0001f468\u200d\U0001f373 cook")
    store = opened(folder)
    store.edit({"a.png": "zero\u200bwidth, blue", "b.png": "\U0001f468\u200d\U0001f373 chef"}, "type")
    assert (folder / "a.txt").read_text() == "zero\u200bwidth, blue"


def spoiled(kind: str, path: Path) -> None:
    if kind == "not UTF-8":
        path.write_bytes(b"caf\xe9")
    elif kind == "UTF-16":
        path.write_bytes("red".encode("utf-16"))
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "read-only":
        path.chmod(0o444)
    elif kind == "link":
        path.rename(path.with_suffix(".original"))
        path.symlink_to(path.with_suffix(".original"))
    elif kind == "dangling link":
        path.unlink()
        path.symlink_to("nowhere")
    elif kind == "pipe":
        path.unlink()
        os.mkfifo(path)
    elif kind == "too large":
        path.write_bytes(b"x" * (2**20 + 1))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("not UTF-8", "is not UTF-8 text .*byte 4.*save it again"),
        ("UTF-16", "looks like UTF-16"),
        ("folder", "a folder in the place of a caption file"),
        ("read-only", "read-only; allow writing with chmod"),
        ("link", r"a link to .*b\.original.*copy"),
        ("dangling link", "a link to nowhere"),
        ("pipe", "not a regular file"),
        ("too large", "larger than a caption can be"),
    ],
)
def test_a_file_that_cannot_be_edited_is_named_and_then_nothing_is_written(folder: Path, kind: str, said: str) -> None:
    put(folder, a="red", b="red", c="red")
    spoiled(kind, folder / "b.txt")
    store = opened(folder)
    with pytest.raises(LabError, match=rf"(?s)dataset/b\.txt: .*{said}.*nothing was changed"):
        store.edit({"a.png": "blue", "b.png": "blue", "c.png": "blue"}, "paint")
    assert (folder / "a.txt").read_text() == (folder / "c.txt").read_text() == "red"
    assert store.can_undo is None
    assert store.edit({"a.png": "blue", "c.png": "blue"}, "paint").done == ("a.png", "c.png")


def test_every_problem_of_an_edit_is_told_at_once(folder: Path) -> None:
    put(folder, a=b"\xff", b=b"\xfe", c="red")
    with pytest.raises(LabError) as caught:
        opened(folder).edit({"a.png": "x", "b.png": "y", "gone.png": "z", "c.png": "fine"}, "type")
    lines = str(caught.value).split("\n")
    assert [line.split(":")[0] for line in lines] == [
        "dataset/a.txt",
        "dataset/b.txt",
        "gone.png",
        "nothing was changed",
    ]


def test_emptying_a_caption_must_not_make_the_next_line_the_caption(folder: Path) -> None:
    put(folder, a="red\nmy notes\n", b="red\n\n")
    store = opened(folder)
    with pytest.raises(LabError, match=r"a\.txt: has further lines of text.*delete the other lines"):
        store.edit({"a.png": ""}, "empty")
    store.edit({"b.png": ""}, "empty")
    assert (folder / "b.txt").read_bytes() == b"\n\n"
    store.undo()
    assert (folder / "b.txt").read_bytes() == b"red\n\n"


def test_images_that_share_a_caption_file_are_edited_together_or_not_at_all(folder: Path) -> None:
    put(folder, a="red")
    (folder / "a.jpg").write_bytes(b"another picture")
    store = opened(folder)
    assert {entry.problems for entry in store.entries} == {("caption-shared",)}
    with pytest.raises(LabError, match=r"a\.txt with an image that was to get another"):
        store.edit({"a.png": "blue", "a.jpg": "sky"}, "type")
    store.edit({"a.png": "blue"}, "type")
    assert captions(store) == {"a.png": "blue", "a.jpg": "blue"}
    assert store.edit({"a.png": "sky", "a.jpg": "sky"}, "type").done == ("a.png", "a.jpg")
    assert store.undo().done == ("a.png",)
    assert captions(store) == {"a.png": "blue", "a.jpg": "blue"}


def test_hostile_names_and_captions_are_kept_as_they_are(folder: Path) -> None:
    folder.mkdir(parents=True)
    names = [b"[bold]x\x1b[31m", b"caf\xe9", b"\xe2\x80\xae rtl", b"a\nb", b'"quoted", \\']
    for name in names:
        (folder / os.fsdecode(name + b".png")).write_bytes(b"picture")
    store = opened(folder)
    wanted = {entry.name: f"[red] {number}, \\" for number, entry in enumerate(store.entries)}
    assert len(wanted) == len(names)
    store.edit(wanted, "all")
    again = opened(folder)
    assert captions(again) == wanted
    assert sorted(again.undo().done) == sorted(wanted)
    assert len(content(folder)) == len(names)


# --- when writing fails -------------------------------------------------------------------------------------------


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int, function: str = "fsync") -> None:
    """From the `after`-th file on there is no space."""
    true, count = getattr(os, function), iter(range(10**6))

    def fails(*args: object, **options: object) -> object:
        if next(count) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return true(*args, **options)

    monkeypatch.setattr(captionwrite.os, function, fails)


def test_a_full_disk_changes_no_file_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, a="red", b="red", c="red")
    store, before = opened(folder), content(folder)
    with monkeypatch.context() as patch:
        full_disk(patch, 2)  # the history and the first caption fit
        with pytest.raises(NotAllWritten, match=r"b\.txt: cannot be written: No space left.* Of 3 captions 0 were"):
            store.edit({"a.png": "x", "b.png": "y", "c.png": "z"}, "type")
    assert content(folder) == before
    assert captions(store) == {"a.png": "red", "b.png": "red", "c.png": "red"}
    assert (store.can_undo, store.undo()) == (None, Edited())


def test_a_history_that_cannot_be_written_keeps_the_captions_as_they_were(folder: Path) -> None:
    put(folder, a="red")
    (folder.parent / ".loratui").write_text("a file in the place of the folder")
    store = opened(folder)
    with pytest.raises(LabError, match=r"edits\.jsonl: the history for undo cannot be written"):
        store.edit({"a.png": "blue"}, "type")
    assert (folder / "a.txt").read_text() == "red"


def test_when_moving_into_place_fails_halfway_it_is_said_what_was_written_and_undo_takes_just_that_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, a="red", b="red", c="red", d=None)
    store, before = opened(folder), content(folder)
    true = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if target.name == "c.txt":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return true(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(
            NotAllWritten, match=r"c\.txt: cannot be written: .*Of 4 captions 2 were .*: a\.png, b\.png;"
        ) as e:
            store.edit(dict.fromkeys(("a.png", "b.png", "c.png", "d.png"), "blue"), "paint")
    assert e.value.done == ("a.png", "b.png")
    assert captions(store) == {"a.png": "blue", "b.png": "blue", "c.png": "red", "d.png": ""}
    again = opened(folder)
    assert again.can_undo == "paint"
    assert again.undo().done == ("a.png", "b.png")
    assert content(folder) == before


def test_an_undo_that_fails_halfway_is_finished_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, a="red", b="red", c=None)
    store, before = opened(folder), content(folder)
    store.edit({"a.png": "blue", "b.png": "blue", "c.png": "blue"}, "paint")
    true = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if target.name == "b.txt":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return true(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(NotAllWritten) as caught:
            store.undo()
    assert caught.value.done == ("a.png",)
    assert store.undo().done == ("a.png", "b.png", "c.png")
    assert content(folder) == before


def test_a_cancelled_edit_changes_nothing_or_is_finished(folder: Path) -> None:
    put(folder, **{f"i{number}": "red" for number in range(40)})
    store, before = opened(folder), content(folder)

    def end(done: int, total: int) -> None:
        assert total == 80
        if done == at:
            raise Cancelled

    at = 30

    with pytest.raises(Cancelled):
        store.edit({entry.name: "blue" for entry in store.entries}, "paint", progress=end)
    assert content(folder) == before
    assert store.can_undo is None
    at = 50
    edited = store.edit({entry.name: "blue" for entry in store.entries}, "paint", progress=end)
    assert len(edited.done) == 40, "an edit that has begun to show is finished"
    store.undo()
    assert content(folder) == before


def test_what_a_killed_writer_left_is_cleared_away_by_the_next_edit(folder: Path) -> None:
    put(folder, a="red")
    (folder / ".loratui-0123456789abcdef.part").write_text("half")
    (folder / ".other.part").write_text("not ours")
    opened(folder).edit({"a.png": "blue"}, "type")
    assert sorted(content(folder)) == [".other.part", "a.png", "a.txt"]


# --- other programs -----------------------------------------------------------------------------------------------


def test_changes_of_different_tags_are_merged(folder: Path) -> None:
    put(folder, a="red, circle, white background\n")
    store = opened(folder)
    (folder / "a.txt").write_bytes(b"red, circle, thin line, white background\r\nnote\r\n")
    edited = store.edit({"a.png": "blue, circle, white background"}, "paint")
    assert edited == Edited(("a.png",), ("a.png",))
    assert (folder / "a.txt").read_bytes() == b"blue, circle, thin line, white background\r\nnote\r\n"
    assert captions(store) == {"a.png": "blue, circle, thin line, white background"}
    store.undo()
    assert (folder / "a.txt").read_bytes() == b"red, circle, thin line, white background\r\nnote\r\n"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("a, b, c", "a, b, c, d", "x, a, b, c", "x, a, b, c, d"),
        ("a, b, c", "a, c", "a, b, c, d", "a, c, d"),
        ("a, b, c", "b, c", "a, b", "b"),
        ("a, b, c", "a, c", "a, c", "a, c"),
        ("a, b", "a, b, x", "a, b, y", "a, b, y, x"),
        ("a, b", "a, b, x", "x, a, b", "x, a, b"),
        ("a, b, c", "a, x, c", "a, b, y", "a, x, y"),
        ("a, b", "a,b", "a, b, c", "a, b, c"),
        ("a, b", "a, b, c", "b, a", "b, a, c"),
        ("a, b, c", "a, x, c", "a, y, c", None),
        ("a, b, c", "a, c", "a, y, c", None),
        ("a, b, c", "a, b", "c, a, b", None),
        ("a, b, c", "c, b, a", "b, a, c", None),
        ("a dog in the sun", "a cat in the sun", "a dog in the rain", None),
        ("", "a", "b", None),
        ("a, a, b", "a, b", "a, a, c", None),
    ],
)
def test_how_two_changes_become_one_or_a_question(
    folder: Path, base: str, ours: str, theirs: str, merged: str | None
) -> None:
    put(folder, a=base)
    store = opened(folder)
    (folder / "a.txt").write_text(theirs)
    edited = store.edit({"a.png": ours}, "type")
    if merged is None:
        assert edited == Edited(conflicts=(Conflict("a.png", base, ours, theirs),))
        assert (folder / "a.txt").read_text() == theirs
        assert store.can_undo is None
    else:
        assert edited.done == ("a.png",)
        assert (folder / "a.txt").read_text() == merged
        assert captions(store) == {"a.png": merged}


def test_a_conflict_writes_nothing_for_its_file_and_is_resolved_by_the_person(folder: Path) -> None:
    put(folder, a="red", b="red")
    store = opened(folder)
    (folder / "a.txt").write_text("green")
    edited = store.edit({"a.png": "blue", "b.png": "blue"}, "paint")
    conflict = Conflict("a.png", "red", "blue", "green")
    assert edited == Edited(("b.png",), (), (conflict,))
    assert (folder / "a.txt").read_text() == "green"
    assert store.edit({"a.png": "blue"}, "paint").conflicts == (conflict,), "trying again does not overwrite it"
    store.resolve(conflict, "blue-green")
    assert (folder / "a.txt").read_text() == "blue-green"
    assert captions(store)["a.png"] == "blue-green"
    store.undo()
    assert (folder / "a.txt").read_text() == "green"


def test_a_conflict_that_changed_again_is_not_resolved_blindly(folder: Path) -> None:
    put(folder, a="red")
    store = opened(folder)
    (folder / "a.txt").write_text("green")
    (conflict,) = store.edit({"a.png": "blue"}, "paint").conflicts
    (folder / "a.txt").write_text("yellow")
    with pytest.raises(LabError, match="changed again"):
        store.resolve(conflict, "blue")
    assert (folder / "a.txt").read_text() == "yellow"


def test_choosing_theirs_writes_nothing_and_takes_it_in(folder: Path) -> None:
    put(folder, a="red")
    store = opened(folder)
    (folder / "a.txt").write_text("green")
    (conflict,) = store.edit({"a.png": "blue"}, "paint").conflicts
    store.resolve(conflict, "green")
    assert captions(store) == {"a.png": "green"}
    assert store.can_undo is None


def test_a_caption_file_that_went_away_or_came_is_a_conflict(folder: Path) -> None:
    put(folder, a="red", b=None)
    store = opened(folder)
    (folder / "a.txt").unlink()
    (folder / "b.txt").write_text("theirs")
    gone, came = store.edit({"a.png": "red, sky", "b.png": "ours"}, "type").conflicts
    assert (gone, came) == (Conflict("a.png", "red", "red, sky", ""), Conflict("b.png", "", "ours", "theirs"))
    assert not (folder / "a.txt").exists()
    store.resolve(gone, "red, sky")
    store.resolve(came, "ours, theirs")
    assert captions(opened(folder)) == {"a.png": "red, sky", "b.png": "ours, theirs"}


def test_a_change_in_the_very_moment_of_writing_is_not_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, a="red", b="red", c=None)
    store = opened(folder)
    true = captionwrite._moved

    def meanwhile(*args: object) -> captionwrite.Written:
        (folder / "a.txt").write_text("theirs")
        (folder / "c.txt").write_text("theirs too")
        return true(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(captionwrite, "_moved", meanwhile)
    edited = store.edit({"a.png": "blue", "b.png": "blue", "c.png": "blue"}, "paint")
    assert edited.done == ("b.png",)
    assert [(conflict.name, conflict.theirs) for conflict in edited.conflicts] == [
        ("a.png", "theirs"),
        ("c.png", "theirs too"),
    ]
    monkeypatch.undo()
    assert store.undo().done == ("b.png",)
    assert sorted(content(folder)) == ["a.png", "a.txt", "b.png", "b.txt", "c.png", "c.txt"]


def test_refresh_names_what_other_programs_changed_and_takes_it_in(folder: Path) -> None:
    put(folder, a="red", b="red", c="red", d="red", e="red")
    store = opened(folder)
    assert store.refresh() == frozenset()
    (folder / "a.txt").write_text("sky")  # as long as before
    (folder / "b.txt").unlink()
    (folder / "c.png").write_bytes(b"another picture")
    (folder / "d.png").unlink()
    put(folder, f="new")
    assert store.refresh() == {"a.png", "b.png", "c.png", "d.png", "f.png"}
    assert captions(store) == {"a.png": "sky", "b.png": "", "c.png": "red", "e.png": "red", "f.png": "new"}
    assert store.refresh() == frozenset()
    store.edit({"e.png": "blue"}, "type")
    assert store.refresh() == frozenset()


def test_an_edit_that_began_before_a_refresh_is_merged_by_its_base(folder: Path) -> None:
    put(folder, a="red, circle")
    store = opened(folder)
    (folder / "a.txt").write_text("red, circle, sky")
    store.refresh()
    assert store.edit({"a.png": "blue, circle"}, "type", base={"a.png": "red, circle"}).merged == ("a.png",)
    assert (folder / "a.txt").read_text() == "blue, circle, sky"
    (folder / "a.txt").write_text("green, circle, sky")
    store.refresh()
    edited = store.edit({"a.png": "black, circle, sky"}, "type", base={"a.png": "blue, circle, sky"})
    assert [conflict.theirs for conflict in edited.conflicts] == ["green, circle, sky"]


# --- undo and redo ------------------------------------------------------------------------------------------------


def test_undo_and_redo_go_across_files_and_survive_a_restart(folder: Path) -> None:
    put(folder, a="red\n", b=None)
    opened(folder).edit({"a.png": "blue", "b.png": "sky"}, "paint two")
    opened(folder).edit({"a.png": "green"}, "paint one")
    store = opened(folder)
    assert (store.can_undo, store.can_redo) == ("paint one", None)
    assert store.undo() == Edited(("a.png",))
    store = opened(folder)
    assert (store.can_undo, store.can_redo) == ("paint two", "paint one")
    assert store.undo() == Edited(("a.png", "b.png"))
    assert content(folder) == {"a.png": b"the picture a", "a.txt": b"red\n", "b.png": b"the picture b"}
    store = opened(folder)
    assert (store.redo().done, store.redo().done) == (("a.png", "b.png"), ("a.png",))
    assert (captions(store), store.can_redo) == ({"a.png": "green", "b.png": "sky"}, None)


def test_undo_is_more_than_a_hundred_steps_deep(folder: Path) -> None:
    put(folder, a="0", b="0")
    store = opened(folder)
    for number in range(1, 131):
        store.edit({"ab"[number % 2] + ".png": str(number)}, f"step {number}")
    store = opened(folder)
    for number in range(130, 0, -1):
        assert store.can_undo == f"step {number}"
        store.undo()
    assert (store.can_undo, captions(store)) == (None, {"a.png": "0", "b.png": "0"})
    for _ in range(130):
        store.redo()
    assert (store.can_redo, captions(store)) == (None, {"a.png": "130", "b.png": "129"})


def test_a_new_edit_ends_what_could_be_redone(folder: Path) -> None:
    put(folder, a="red")
    store = opened(folder)
    store.edit({"a.png": "blue"}, "one")
    store.undo()
    store.edit({"a.png": "green"}, "two")
    assert (store.can_undo, store.can_redo) == ("two", None)
    assert (store.redo(), captions(store)) == (Edited(), {"a.png": "green"})


def test_undo_leaves_alone_what_is_no_longer_as_the_edit_left_it(folder: Path) -> None:
    put(folder, a="red", b="red", c=None, d=None, e="red")
    store = opened(folder)
    store.edit({entry.name: "blue" for entry in store.entries}, "paint")
    (folder / "a.txt").write_text("blue, theirs")
    (folder / "c.txt").write_text("blue\nand a note\n")
    (folder / "e.txt").unlink()
    edited = store.undo()
    assert edited.done == ("b.png", "d.png")
    assert edited.conflicts == (
        Conflict("a.png", "blue", "red", "blue, theirs"),
        Conflict("c.png", "blue", "", "blue"),
        Conflict("e.png", "blue", "red", ""),
    )
    assert (folder / "a.txt").read_text() == "blue, theirs"
    assert (folder / "c.txt").read_text() == "blue\nand a note\n"
    assert not (folder / "d.txt").exists()
    assert (store.can_undo, store.can_redo) == (None, "paint")
    assert store.redo().done == ("b.png", "d.png"), "what was not undone is not done again"
    assert (folder / "a.txt").read_text() == "blue, theirs"


def test_other_lines_that_came_since_stay_when_the_caption_is_taken_back(folder: Path) -> None:
    put(folder, a="red\n")
    store = opened(folder)
    store.edit({"a.png": "blue"}, "paint")
    (folder / "a.txt").write_bytes(b"blue\r\nmy note\r\n")
    assert store.undo().done == ("a.png",)
    assert (folder / "a.txt").read_bytes() == b"red\r\nmy note\r\n"


def test_two_windows_share_one_history(folder: Path) -> None:
    put(folder, a="red", b="red")
    one, two = opened(folder), opened(folder)
    one.edit({"a.png": "blue"}, "one's")
    two.edit({"b.png": "green"}, "two's")
    assert one.can_undo == two.can_undo == "two's"
    assert one.undo().done == ("b.png",)
    assert (two.can_undo, two.can_redo) == ("one's", "two's")
    assert two.undo().done == ("a.png",)
    two.redo()
    assert (one.refresh(), two.refresh()) == (frozenset(), {"b.png"})
    assert captions(one) == captions(two) == {"a.png": "blue", "b.png": "red"}


def _edit_many(folder: Path, name: str, start: multiprocessing.synchronize.Barrier) -> None:
    store = opened(folder)
    start.wait()
    for number in range(25):
        store.edit({name: f"{name} {number}"}, f"{name} {number}")


def test_processes_that_edit_at_once_lose_no_step(folder: Path) -> None:
    put(folder, a="red", b="red", c="red")
    context = multiprocessing.get_context("fork")
    names = ["a.png", "b.png", "c.png"]
    start = context.Barrier(len(names))
    workers = [context.Process(target=_edit_many, args=(folder, name, start)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    store = opened(folder)
    steps = 0
    while store.can_undo:
        assert len(store.undo().done) == 1
        steps += 1
    assert (steps, set(captions(store).values())) == (75, {"red"})


def test_a_history_that_another_window_keeps_taken_is_an_error_not_a_hang(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, a="red")
    monkeypatch.setattr(edithistory, "_PATIENCE", 0.0)
    one, two = opened(folder), opened(folder)
    with one._history.locked(), pytest.raises(LabError, match="another window is still saving"):
        two.edit({"a.png": "blue"}, "paint")
    assert two.edit({"a.png": "blue"}, "paint").done == ("a.png",)


@pytest.mark.parametrize(
    "torn", [b'{"step":2,"folder":"../data', b"\0\0\0\0", b'{"undone":1,"files":["a.t', b"\xff\xfe{"]
)
def test_a_torn_last_line_of_the_history_is_passed_over(folder: Path, torn: bytes) -> None:
    put(folder, a="red")
    opened(folder).edit({"a.png": "blue"}, "paint")
    history = folder.parent / ".loratui" / "edits.jsonl"
    with history.open("ab") as file:
        file.write(torn)
    store = opened(folder)
    assert store.can_undo == "paint"
    store.edit({"a.png": "green"}, "again")
    assert opened(folder).can_undo == "again"
    assert (opened(folder).undo().done, opened(folder).undo().done) == (("a.png",), ("a.png",))
    assert captions(opened(folder)) == {"a.png": "red"}


def test_a_step_that_was_written_down_but_not_done_is_undone_without_harm(folder: Path) -> None:
    """As after a power cut between the two."""
    put(folder, a="red", b="red", c=None)
    store = opened(folder)
    store.edit({"a.png": "blue", "b.png": "blue", "c.png": "blue"}, "paint")
    (folder / "b.txt").write_text("red")
    (folder / "c.txt").unlink()
    assert store.undo().done == ("a.png", "b.png", "c.png")
    assert captions(store) == {"a.png": "red", "b.png": "red", "c.png": ""}


def test_a_project_that_was_renamed_keeps_its_history(folder: Path) -> None:
    put(folder, a="red")
    opened(folder).edit({"a.png": "blue"}, "paint")
    renamed = folder.parent.rename(folder.parent.with_name("renamed")) / "dataset"
    assert opened(renamed).undo().done == ("a.png",)


def test_steps_of_another_dataset_are_not_undone_here(folder: Path) -> None:
    put(folder, a="red")
    other = put(folder.parent / "other", a="blue")
    opened(folder).edit({"a.png": "blue"}, "here")
    store = opened(other)
    assert store.can_undo is None
    store.edit({"a.png": "green"}, "there")
    assert (opened(folder).can_undo, opened(other).can_undo) == ("here", "there")


@pytest.mark.parametrize(
    "path", ["../outside.txt", "/etc/outside.txt", "a/../../outside.txt", "a/b/c.txt", "a.png", ""]
)
def test_a_history_from_elsewhere_cannot_reach_other_files(folder: Path, path: str) -> None:
    put(folder, a="red")
    outside = folder.parent / "outside.txt"
    outside.write_text("red")
    (folder / "a.png").write_text("red")
    opened(folder).edit({"a.png": "blue"}, "paint")
    history = folder.parent / ".loratui" / "edits.jsonl"
    step = json.loads(history.read_text())
    step["files"] = [["a.png", path, "evil", "red", True, 0]]
    history.write_text(json.dumps(step, separators=(",", ":")) + "\n")
    with pytest.raises(LabError):
        opened(folder).undo()
    assert outside.read_text() == (folder / "a.png").read_text() == "red"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_edited_undone_and_redone_the_bytes_come_back(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    ends = ["\n", "\r\n", "\r"]
    tags = ["red", "blue", "caf\u00e9", "\u7d05 \u3044", "white background", "a\tb", "\U0001f600"]

    def caption() -> str:
        return ", ".join(rng.sample(tags, rng.randint(0, 4)))

    def file() -> bytes | None:
        if rng.random() < 0.2:
            return None
        lines = [
            rng.choice(["", " ", "\u3000\t", f" {caption()} ", caption(), "more"]) for _ in range(rng.randint(0, 4))
        ]
        return (BOM if rng.random() < 0.3 else b"") + "".join(line + rng.choice([*ends, ""]) for line in lines).encode()

    put(folder, **{f"i{number}": file() for number in range(8)})
    store = opened(folder)
    states, at = [content(folder)], 0
    for _ in range(90):
        action: Callable[[], Edited] | None = rng.choice([None, None, store.undo, store.undo, store.redo])
        if action is None:
            names = rng.sample([entry.name for entry in store.entries], rng.randint(1, 5))
            try:
                edited = store.edit({name: caption() for name in names}, "random")
            except LabError as error:  # only emptying above other lines is refused
                assert "further lines" in str(error)
                continue
            if edited.done:
                at += 1
                states[at:] = [content(folder)]
        else:
            at = max(at - 1, 0) if action == store.undo else min(at + 1, len(states) - 1)
            action()
        assert content(folder) == states[at]
        assert captions(store) == captions(opened(folder))
        if rng.random() < 0.1:
            store = opened(folder)
    while store.can_undo:
        assert not store.undo().conflicts
    assert content(folder) == states[0]
    while store.can_redo:
        assert not store.redo().conflicts
    assert content(folder) == states[-1]
