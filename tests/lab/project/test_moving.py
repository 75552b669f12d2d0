"""Renaming, putting away and throwing away can be taken back, never lose a file, and leave live runs alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from loratui.lab.errors import LabError
from loratui.lab.models import resolve_model
from loratui.lab.patience import Cancelled
from loratui.lab.project.moving import archive, list_trash, rename_project, restore, toggle_archived, trash, unarchive
from loratui.lab.project.project import load_project
from loratui.lab.project.projects import list_projects
from loratui.lab.run.lock import RunLock
from loratui.lab.run.resuming import reconcile
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.starting import examined, new_run
from tests.hollow import build_hollow_model
from tests.processes import write_project


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A project with its base model inside it, on a shelf of its own."""
    (tmp_path / "shelf").mkdir()
    build_hollow_model(tmp_path / "shelf" / "shapes" / "model")
    return write_project(tmp_path / "shelf" / "shapes", "model")


def run_of(folder: Path) -> RunFolder:
    project = load_project(folder)
    return new_run(project, resolve_model("model", folder), examined(project)[1], [])


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# -- renaming ---------------------------------------------------------------------------------------------------------


def test_a_renamed_project_is_the_same_project_and_its_runs_go_on(shapes: Path) -> None:
    run = run_of(shapes)
    before = content(shapes)
    moved = rename_project(shapes, "grey shapes")
    assert (moved, moved.is_dir(), shapes.exists()) == (shapes.parent / "grey shapes", True, False)
    assert content(moved) == before
    there = RunFolder(moved / "runs" / run.id)
    assert any("moved" in line for line in reconcile(there, [], allow_changes=False))
    assert there.read_record()["model"]["path"] == str(moved / "model")


def test_a_project_keeps_its_name_when_the_new_one_is_no_good(shapes: Path) -> None:
    write_project(shapes.parent / "taken", "tinyworld")
    for name in ("taken", "a/b", ".hidden", ""):
        with pytest.raises(LabError):
            rename_project(shapes, name)
    assert rename_project(shapes, "shapes") == shapes
    assert sorted(p.name for p in list_projects(shapes.parent)) == ["shapes", "taken"]


@pytest.mark.parametrize("what", [lambda p: rename_project(p, "other"), trash])
def test_a_project_that_is_being_trained_is_left_where_it_is(shapes: Path, what: Any) -> None:
    run = run_of(shapes)
    with RunLock(run.lock_file), pytest.raises(LabError, match=rf"{run.id} is being trained; stop that first"):
        what(shapes)
    assert list_projects(shapes.parent) == [shapes]
    what(shapes)
    assert shapes not in list_projects(shapes.parent)


def test_a_linked_project_is_moved_as_a_link(shapes: Path, tmp_path: Path) -> None:
    link = tmp_path / "shelf" / "linked"
    link.symlink_to(Path("shapes"))
    moved = rename_project(link, "renamed")
    assert moved.is_symlink() and moved.resolve() == shapes
    thrown = trash(moved)
    assert shapes.is_dir() and thrown.path.is_symlink()
    assert restore(thrown.path).resolve() == shapes


# -- putting away -----------------------------------------------------------------------------------------------------


def test_what_is_put_away_is_had_back_as_it_was(shapes: Path) -> None:
    before = content(shapes)
    archive(shapes)
    assert list_projects(shapes.parent) == []
    assert "Delete this file" in (shapes / "ARCHIVED").read_text(encoding="utf-8")
    unarchive(shapes)
    unarchive(shapes)
    assert content(shapes) == before
    assert (toggle_archived(shapes), toggle_archived(shapes)) == (True, False)
    assert list_projects(shapes.parent) == [shapes]


def test_a_project_can_be_put_away_while_it_is_trained(shapes: Path) -> None:
    with RunLock(run_of(shapes).lock_file):
        archive(shapes)
    assert list_projects(shapes.parent) == []


# -- throwing away ----------------------------------------------------------------------------------------------------


def test_what_is_thrown_away_lies_in_the_trash_whole_and_comes_back(shapes: Path) -> None:
    before = content(shapes)
    thrown = trash(shapes)
    assert thrown.path.parent == shapes.parent / ".trash"
    assert thrown.path.name == f"{thrown.time}-shapes"
    assert content(thrown.path) == before
    assert list_projects(shapes.parent) == []
    assert list_trash(shapes.parent) == [thrown]
    assert restore(thrown.path) == shapes
    assert content(shapes) == before
    assert list_trash(shapes.parent) == []


def test_the_same_name_can_be_thrown_away_and_had_back_again_and_again(shapes: Path) -> None:
    thrown = [trash(shapes)]
    for _ in range(2):
        write_project(shapes, "tinyworld")
        thrown.append(trash(shapes))
    assert len({t.path for t in thrown}) == 3
    assert list_trash(shapes.parent)[0] == thrown[-1]
    back = [restore(t.path).name for t in thrown]
    assert back == ["shapes", "shapes-2", "shapes-3"]


def test_a_name_as_long_as_a_disk_takes_goes_into_the_trash_too(tmp_path: Path) -> None:
    long = write_project(tmp_path / ("x" * 255), "tinyworld")
    thrown = trash(long)
    assert thrown.path.is_dir() and not long.exists()
    assert restore(thrown.path).is_dir()


def test_only_the_trash_is_restored_from(shapes: Path) -> None:
    with pytest.raises(LabError, match="nothing that was thrown away"):
        restore(shapes)
    assert shapes.is_dir()


def test_a_shelf_without_trash_has_none(tmp_path: Path) -> None:
    assert list_trash(tmp_path) == []


# -- disks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shelf whose folders cannot be renamed to another place, as between disks or on a container's overlay."""
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if not self.name.startswith(".") and not self.is_symlink():
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)


@pytest.mark.usefixtures("two_disks")
def test_between_disks_a_project_is_copied_whole_before_the_old_one_goes(shapes: Path) -> None:
    (shapes / "latest").symlink_to("dataset")
    before = content(shapes)
    told: list[tuple[int, int]] = []
    thrown = trash(shapes, lambda done, total: told.append((done, total)))
    assert content(thrown.path) == before
    assert (thrown.path / "latest").is_symlink()
    assert not shapes.exists()
    assert told[0] == (0, len(before)) and len(told) == len(before)


@pytest.mark.usefixtures("two_disks")
def test_a_copy_between_disks_that_is_given_up_leaves_everything_as_it_was(shapes: Path) -> None:
    before = content(shapes)

    def give_up(done: int, total: int) -> None:
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        trash(shapes, give_up)
    assert content(shapes) == before
    assert list((shapes.parent / ".trash").iterdir()) == []


@pytest.mark.usefixtures("two_disks")
def test_what_cannot_be_copied_between_disks_stays(shapes: Path) -> None:
    os.mkfifo(shapes / "pipe")
    with pytest.raises(LabError, match="named pipe"):
        trash(shapes)
    assert (shapes / "project.toml").is_file()
    assert list((shapes.parent / ".trash").iterdir()) == []


def test_a_move_that_the_disk_refuses_is_told_with_a_remedy(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(LabError, match=r"shapes: cannot be moved to other: Read-only.*; make its folder writable"):
        rename_project(shapes, "other")


def test_a_trash_that_cannot_be_made_is_told(shapes: Path) -> None:
    (shapes.parent / ".trash").write_text("a file")
    with pytest.raises(LabError, match=r"\.trash: cannot be used as a trash"):
        trash(shapes)
    assert shapes.is_dir()
