"""What is being written survives the end of whoever writes it, and is not offered while somebody is still at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loratui.lab.notes.drafts import Draft, drop_draft, find_draft, save_draft, take_over
from loratui.lab.run.runs import RunFolder, create_run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path, "shapes")


WRITER = """
import os, signal, sys
from pathlib import Path
from loratui.lab.notes.drafts import Draft, save_draft
from loratui.lab.run.runs import RunFolder
save_draft(RunFolder(Path(sys.argv[1])), Draft(sys.argv[2], "grey", "learned", 7, ("samples/a.png",)))
print("kept", flush=True)
sys.stdin.read()
"""


def writer(run: RunFolder, note: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(run.path), note], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"kept\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def test_the_draft_of_a_killed_writer_is_found_and_that_of_a_live_one_is_not(run: RunFolder) -> None:
    process = writer(run, "not saved\nyet")
    try:
        assert find_draft(run) is None
    finally:
        end(process)
    draft = find_draft(run)
    assert draft == Draft("not saved\nyet", "grey", "learned", 7, ("samples/a.png",))


def test_a_draft_taken_over_is_there_once_and_gone_when_it_is_done_with(run: RunFolder) -> None:
    end(writer(run, "mine"))
    draft = find_draft(run)
    assert draft is not None
    take_over(run, draft)
    assert len(list(run.path.glob(".note-draft-*"))) == 1
    assert find_draft(run) == draft  # until this process says that it is done
    drop_draft(run)
    assert find_draft(run) is None
    assert list(run.path.glob(".note-draft-*")) == []


def test_drafts_of_others_stay_when_one_is_taken_over(run: RunFolder) -> None:
    for note in ("one", "two"):
        end(writer(run, note))
    first = find_draft(run)
    assert first is not None
    take_over(run, first)
    drop_draft(run)
    second = find_draft(run)
    assert second is not None
    assert {first.note, second.note} == {"one", "two"}


def test_what_holds_nothing_or_is_damaged_is_not_offered(run: RunFolder) -> None:
    save_draft(run, Draft("  "))
    (run.path / ".note-draft-1x-aa.json").write_bytes(b"{")
    (run.path / ".note-draft-zz.json").write_text('["a"]', encoding="utf-8")
    assert find_draft(run) is None


def test_half_a_character_is_kept_as_well(run: RunFolder) -> None:
    save_draft(run, Draft("half \ud83d \x1b"))
    found = find_draft(run)
    assert found is not None
    assert found.note == "half \ud83d \x1b"
