"""Whatever stands under the name of a file of ours is told in words, at once, and with that name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loratui.lab.attribution.attribution import attribution_file, read_attribution
from loratui.lab.dataset.edithistory import EditHistory
from loratui.lab.errors import LabError
from loratui.lab.notes.drafts import find_draft
from loratui.lab.notes.observations import observe, read_observations
from loratui.lab.pictures.inline import half_blocks
from loratui.lab.pictures.pictures import read_facts
from loratui.lab.preferences import read_preferences
from loratui.lab.project.measured import measured
from loratui.lab.project.project import load_project
from loratui.lab.project.projectfile import ProjectFile
from loratui.lab.project.textdraft import draft_file
from loratui.lab.project.textdraft import find_draft as find_text
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.drifts import drift_file, read_drift
from loratui.lab.scores.readings import Readings, pixels
from loratui.lab.scores.scores import read_scores, scores_file
from loratui.lab.weights.knockouts import knockout_file, read_knockouts
from loratui.lab.weights.weights import read_weights, weights_file
from tests.frozen import freeze_run, write_bare_project

Read = Callable[[RunFolder], Any]
KINDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a FIFO": (os.mkfifo, "a FIFO and no regular file"),
    "a folder": (Path.mkdir, "a folder and no regular file"),
    "a link to a device": (lambda file: file.symlink_to("/dev/zero"), ""),
    "a giant": (lambda file: (file.touch(), os.truncate(file, 1 << 40)), "larger than"),
}
REFUSING: dict[str, tuple[Callable[[RunFolder], Path], Read]] = {
    "run.toml": (lambda run: run.record_file, RunFolder.read_record),
    "captions.toml": (lambda run: run.captions_file, RunFolder.read_captions),
    "observations": (lambda run: run.observations_file, read_observations),
    "a new observation": (lambda run: run.observations_file, lambda run: observe(run, "seen")),
    "scores": (scores_file, read_scores),
    "drift": (drift_file, read_drift),
    "weights": (weights_file, read_weights),
    "attribution": (attribution_file, read_attribution),
    "knock-outs": (knockout_file, read_knockouts),
    "project.toml": (lambda run: run.project_folder / "project.toml", lambda run: load_project(run.project_folder)),
}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return freeze_run(write_bare_project(tmp_path / "shapes"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REFUSING)
def test_what_is_no_file_of_ours_is_refused_by_name(run: RunFolder, name: str, kind: str) -> None:
    place, read = REFUSING[name]
    file, (make, reason) = place(run), KINDS[kind]
    file.unlink(missing_ok=True)
    make(file)
    with pytest.raises(LabError) as refused:
        read(run)
    assert str(refused.value).startswith(f"{file}: ")
    assert reason in str(refused.value)


def test_settings_that_are_no_file_cannot_be_edited(run: RunFolder) -> None:
    file = run.project_folder / "project.toml"
    opened = ProjectFile.open(file)
    file.unlink()
    os.mkfifo(file)
    assert opened.changed_outside()
    with pytest.raises(LabError, match="cannot be read: a FIFO and no regular file"):
        opened.reload()


@pytest.mark.parametrize("kind", ["a FIFO", "a folder", "a link to a device"])
def test_a_picture_that_is_no_file_is_no_picture(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "a.png"
    KINDS[kind][0](file)
    for read in (read_facts, pixels):
        with pytest.raises(LabError, match="and no regular file"):
            read(file)
    with pytest.raises(OSError, match="and no regular file"):
        half_blocks(file, 4, 4)


@pytest.mark.parametrize("kind", ["a FIFO", "a folder", "a link to a device"])
def test_what_is_kept_for_convenience_is_not_waited_for(run: RunFolder, kind: str) -> None:
    make = KINDS[kind][0]
    text = draft_file(run.project_folder)
    text.parent.mkdir()
    for file in (text, run.path / "readings.jsonl", run.path / ".note-draft-1-a.json", run.events_file,
                 run.project_folder / ".loratui" / "edits.jsonl"):  # fmt: skip
        make(file)
    assert find_text(run.project_folder) is None
    assert find_draft(run) is None
    assert measured([run.project_folder]) == []
    Readings(run)
    history = EditHistory(run.project_folder / ".loratui" / "edits.jsonl", run.project_folder / "dataset")
    assert history.next_undo is None
    with pytest.raises(LabError, match="the history for undo cannot be written"), history.locked():
        pass


def test_preferences_that_are_no_file_stop_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    _, (fault,) = read_preferences(tmp_path / "config.toml")
    assert fault == (
        f"{tmp_path / 'config.toml'}: cannot be read, so the defaults are used: a FIFO and no regular file"
    )


@pytest.mark.parametrize("text", ["a = " + "[" * 5000 + "]" * 5000, "a" + ".a" * 5000 + " = 1"])
@pytest.mark.parametrize("name", ["run.toml", "captions.toml", "observations"])
def test_brackets_and_keys_without_end_are_told(run: RunFolder, name: str, text: str) -> None:
    place, read = REFUSING[name]
    place(run).write_text(text, encoding="utf-8")
    if name == "observations" and text.startswith("a."):
        assert read(run) == []  # of another table: nobody's business here
        return
    with pytest.raises(LabError, match="nested too deeply"):
        read(run)


@pytest.mark.parametrize("name", ["scores", "drift", "weights", "attribution", "knock-outs"])
@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "null", '{"version": 1}', "\ufeff{}", ""])
def test_a_derived_file_that_is_damaged_says_how_it_comes_back(run: RunFolder, name: str, text: str) -> None:
    place, read = REFUSING[name]
    place(run).write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=r"cannot be read: .*; delete it, and .* anew"):
        read(run)
