"""A file is whole, old or new, whatever happens while it is written."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loratui.lab.files import (
    append_line,
    atomic_path,
    cache_folder,
    make_folder,
    open_binary,
    read_file,
    remove_parts,
    sha256_file,
    write_atomic,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_what_is_read_and_nothing_else_stays(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", "grüße")
    write_atomic(tmp_path / "a", b"\x00new")
    assert (tmp_path / "a").read_bytes() == b"\x00new"
    assert names(tmp_path) == ["a"]


def test_a_writer_that_fails_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "caption.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["caption.txt"]


def test_a_disk_that_takes_no_more_leaves_the_old_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_text("old")
    script = (
        "import sys; from pathlib import Path; from loratui.lab.files import write_atomic\n"
        "try: write_atomic(Path(sys.argv[1]), b'x' * 100_000)\n"
        "except OSError as error: print(error.filename)"
    )

    def small_files_only() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    out = subprocess.run(
        [sys.executable, "-B", "-c", script, str(path)], preexec_fn=small_files_only, capture_output=True, text=True
    )
    assert out.stdout.strip() == str(path), out.stderr
    assert path.read_text() == "old"
    assert names(tmp_path) == ["big"]


def test_a_read_only_file_system_is_told_with_the_name_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str | Path, *_: object, **__: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "unlink", refuse)  # Linux refuses this also where there is nothing to remove
    with pytest.raises(OSError) as refused:
        write_atomic(tmp_path / "scores.json", "{}")
    assert (refused.value.errno, refused.value.filename) == (errno.EROFS, str(tmp_path / "scores.json"))


def test_a_writer_killed_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from loratui.lab.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)]).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2
    remove_parts(tmp_path)
    assert names(tmp_path) == ["weights"]


def test_permissions_and_links_survive(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_permissions_the_person_set_for_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "a") as part:
            part.unlink()
            os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))  # as writers of weights do
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_the_longest_legal_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomic(path, "x")
    assert path.read_text() == "x"


def test_lines_are_appended_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append_line(path, "one")
    append_line(path, "two\n")
    assert path.read_text() == "one\ntwo\n"


def test_the_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LORATUI_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "loratui"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "loratui"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/loratui")
    monkeypatch.setenv("LORATUI_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"


def run_folder(tmp_path: Path) -> Path:
    run = tmp_path / "runs" / "one"
    (run / "samples").mkdir(parents=True)
    (run / "run.toml").write_text("")
    return run


def test_below_a_run_no_link_is_read_or_written(tmp_path: Path) -> None:
    run, victim = run_folder(tmp_path), tmp_path / "thesis.txt"
    victim.write_text("mine")
    (run / "samples" / "link").symlink_to(victim)
    doings: list[Callable[[Path], object]] = [
        read_file,
        open_binary,
        lambda path: write_atomic(path, "x"),
        lambda path: append_line(path, "x"),
    ]
    for doing in doings:
        with pytest.raises(OSError, match="symbolic link, which is not followed") as caught:
            doing(run / "samples" / "link")
        assert caught.value.filename == str(run / "samples" / "link")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("to_another_run", [False, True])
def test_below_a_run_no_link_to_a_folder_is_gone_through(tmp_path: Path, to_another_run: bool) -> None:
    run, victim = run_folder(tmp_path), tmp_path / "home"
    victim.mkdir()
    (victim / ".x.part").write_text("mine")
    if to_another_run:
        (victim / "run.toml").write_text("")
    (run / "resume").symlink_to(victim)
    for doing in (remove_parts, make_folder, lambda path: write_atomic(path / "new", "x")):
        with pytest.raises(OSError, match="symbolic link") as caught:
            doing(run / "resume")
        assert caught.value.filename == str(run / "resume")
    with pytest.raises(OSError, match="symbolic link"):
        make_folder(run / "resume" / "step-000001")
    assert (victim / ".x.part").read_text() == "mine"


def test_a_run_or_all_runs_that_a_person_linked_are_gone_through(tmp_path: Path) -> None:
    run_folder(tmp_path / "disk")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "runs").symlink_to(tmp_path / "disk" / "runs")
    write_atomic(tmp_path / "project" / "runs" / "one" / "samples" / "a", "new")
    (tmp_path / "alone").symlink_to(tmp_path / "disk" / "runs" / "one")
    assert read_file(tmp_path / "alone" / "samples" / "a") == b"new"


def test_the_hidden_folder_of_a_project_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / ".loratui").symlink_to(tmp_path / "home")
    with pytest.raises(OSError, match="symbolic link"):
        append_line(tmp_path / ".loratui" / "edits.jsonl", "x")
    assert names(tmp_path / "home") == []


def test_what_is_no_file_is_said_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name, kind in (("fifo", "a FIFO"), ("zero", "a device"), ("folder", "a folder")):
        with pytest.raises(OSError, match=kind):
            read_file(tmp_path / name)
        with pytest.raises(OSError, match=kind):
            append_line(tmp_path / name, "x")
        with pytest.raises(OSError, match=kind):
            write_atomic(tmp_path / name, "x")


def test_no_more_is_read_than_was_allowed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 101)
    assert len(read_file(tmp_path / "a", 101)) == 101
    with pytest.raises(OSError, match="larger than"):
        read_file(tmp_path / "a", 100)
