"""What a person wrote down is never lost or overwritten: not by an edit, another writer, a kill or a full disk."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.notes.observations import (
    edit,
    features_used,
    observe,
    project_observations,
    read_observations,
    strike,
)
from loratui.lab.run.runs import RunFolder, create_run

HOSTILE = 'x"""\n[[observation]]\nid = "\x1b]52;c;AAAA\x07\x9b31m\u202e\u200b\t\\ \x00 [red]#' + "long " * 20_000


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return new_run(tmp_path / "project")


def new_run(project: Path, name: str = "shapes") -> RunFolder:
    run = create_run(project, name)
    run.freeze({"run": {"project": name}}, [])
    return run


def bytes_of(run: RunFolder) -> bytes:
    return run.observations_file.read_bytes()


def child(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE)


def test_an_observation_is_read_back_as_it_was_written(run: RunFolder) -> None:
    picture = run.samples / "step-000750" / "p00-seed1-steps25-scale1.png"
    said = observe(run, "all grey", feature=" circular  shape ", verdict="Not shown", step=750, pictures=[picture])
    (found,) = read_observations(run)
    assert found == said
    assert (found.run, found.step, found.feature, found.verdict) == (run.id, 750, "circular shape", "not shown")
    assert (found.note, found.by, found.struck, found.history) == ("all grey", "person", False, ())
    assert found.pictures == ("samples/step-000750/p00-seed1-steps25-scale1.png",)
    assert found.picture_paths == (picture,)
    (table,) = tomllib.loads(bytes_of(run).decode())["observation"]
    assert table["time"].timestamp() == found.time
    assert table["run"] == run.id


def test_every_change_is_appended_and_what_was_there_keeps_its_bytes(run: RunFolder) -> None:
    first = observe(run, "one circle", verdict="partly")
    other = observe(run, "another")
    before = bytes_of(run)
    for change in (
        lambda: edit(run, first.id, note="two circles", verdict="learned"),
        lambda: strike(run, first.id),
        lambda: edit(run, first.id),
        lambda: edit(run, first.id, step=3),
    ):
        change()
        assert bytes_of(run).startswith(before)
        assert len(bytes_of(run)) > len(before)
        before = bytes_of(run)
    found = read_observations(run)
    assert [observation.id for observation in found] == [first.id, other.id]
    assert (found[0].note, found[0].verdict, found[0].step, found[0].struck) == ("two circles", "learned", 3, False)
    assert [(old.note, old.verdict, old.struck) for old in found[0].history] == [
        ("one circle", "partly", False),
        ("two circles", "learned", False),
        ("two circles", "learned", True),
        ("two circles", "learned", False),
    ]
    assert found[0].time == first.time <= found[0].changed


def test_an_edit_that_changes_nothing_writes_nothing(run: RunFolder) -> None:
    said = observe(run, "a", verdict="learned")
    strike(run, observe(run, "b").id)
    before = bytes_of(run)
    edit(run, said.id, note="a ", verdict="learned")
    strike(run, read_observations(run)[1].id)
    assert bytes_of(run) == before


def test_a_step_that_was_edited_away_is_gone(run: RunFolder) -> None:
    said = observe(run, "a", step=5, feature="grey")
    edited = edit(run, said.id, step=None, feature="")
    assert (edited.step, edited.feature) == (None, "")
    assert read_observations(run) == [edited]


def test_no_text_can_break_the_file_or_come_back_changed(run: RunFolder) -> None:
    said = observe(run, HOSTILE, feature="[b]\x1b]0;x\x07", by="measure [red]")
    observe(run, "after")
    assert [o.note for o in read_observations(run)] == [HOSTILE.strip(), "after"]
    assert said.feature == "[b]\x1b]0;x\x07"
    assert b"\x1b" not in bytes_of(run)
    assert b"\x00" not in bytes_of(run)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"note": "half \ud83d of it"}, "half a character"),
        ({"note": "x", "feature": "\udcff"}, "half a character"),
        ({"note": "x", "verdict": "lerned"}, "learned, partly, not shown, uncertain"),
        ({"note": "x", "step": -1}, "step '-1'"),
        ({"note": "x", "pictures": ["../../secret.png"]}, "not below the folder"),
        ({"note": "x", "pictures": ["/etc/passwd"]}, "not below the folder"),
        ({"note": "  ", "feature": "grey"}, "needs a note or a verdict"),
    ],
)
def test_what_can_not_be_kept_is_refused_with_words_and_nothing_is_written(
    run: RunFolder, said: dict[str, object], words: str
) -> None:
    with pytest.raises(LabError, match=words):
        observe(run, **said)  # type: ignore[arg-type]
    assert read_observations(run) == []
    assert not run.observations_file.exists() or bytes_of(run) == b""


def test_an_observation_that_is_not_there_can_not_be_edited(run: RunFolder) -> None:
    observe(run, "a")
    with pytest.raises(LabError, match=r"there is no observation 'cafe'"):
        edit(run, "cafe", note="b")
    with pytest.raises(TypeError):
        edit(run, read_observations(run)[0].id, time=3)


WRITERS = """
import sys
from pathlib import Path
from loratui.lab.notes.observations import edit, observe
from loratui.lab.run.runs import RunFolder
run, who, shared = RunFolder(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
for number in range(25):
    observe(run, f"{who} {number}\\n" + who * 3000)
    edit(run, shared, note=f"{who} {number}")
"""


def test_writers_at_the_same_time_lose_nothing_of_each_other(run: RunFolder) -> None:
    shared = observe(run, "shared")
    writers = [child(WRITERS, run.path, who, shared.id) for who in "abc"]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors.decode()
    first, *others = read_observations(run)
    assert sorted(o.note.split("\n")[0] for o in others) == sorted(f"{who} {n}" for who in "abc" for n in range(25))
    assert len({o.id for o in others}) == 75
    assert len(first.history) == 75
    for who in "abc":  # each writer's edits, in the order it made them
        mine = [old.note for old in (*first.history, first) if old.note.startswith(who)]
        assert mine == [f"{who} {n}" for n in range(25)]


KILLED = """
import os, signal, sys
from pathlib import Path
from loratui.lab import files
from loratui.lab.notes.observations import observe
from loratui.lab.run.runs import RunFolder
whole = os.write
def half(descriptor, content):
    whole(descriptor, content[: int(sys.argv[2])])
    os.kill(os.getpid(), signal.SIGKILL)
files.os.write = half
observe(RunFolder(Path(sys.argv[1])), "what was being written", feature="grey")
"""


@pytest.mark.parametrize("kept", [3, 12, 40, 90, 130])
def test_a_writer_killed_in_the_middle_leaves_the_others_readable(run: RunFolder, kept: int) -> None:
    observe(run, "before")
    whole = bytes_of(run)
    killed = child(KILLED, run.path, kept)
    assert killed.wait(60) == -9
    torn = bytes_of(run)[len(whole) :]
    assert len(torn) == kept
    assert [o.note for o in read_observations(run)] == ["before"]
    assert bytes_of(run) == whole + torn  # reading mends nothing
    observe(run, "after")
    assert [o.note for o in read_observations(run)] == ["before", "after"]
    assert bytes_of(run).startswith(whole)
    for line in torn.decode().split("\n"):
        assert f"# {line}".rstrip() in [kept.rstrip() for kept in bytes_of(run).decode().split("\n")] or not line


def test_a_table_cut_at_any_byte_hides_no_other(run: RunFolder) -> None:
    observe(run, "before")
    start = len(bytes_of(run))
    observe(run, "é" * 3 + '\x1b"\\', feature="grey", step=750, pictures=["samples/a.png"], verdict="learned")
    whole = bytes_of(run)
    for end in range(start, len(whole)):
        run.observations_file.write_bytes(whole[:end])
        notes = [o.note for o in read_observations(run)]
        assert notes[0] == "before"
        assert notes[1:] in ([], [""], ["é" * 3 + '\x1b"\\']), whole[start:end]


def test_zeros_after_a_power_cut_are_passed_over(run: RunFolder) -> None:
    observe(run, "before")
    whole = bytes_of(run)
    run.observations_file.write_bytes(whole + b"\0" * 300)
    observe(run, "after")
    assert [o.note for o in read_observations(run)] == ["before", "after"]


FULL = """
import resource, signal, sys
from pathlib import Path
from loratui.lab.errors import LabError
from loratui.lab.notes.observations import observe
from loratui.lab.run.runs import RunFolder
run = RunFolder(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = run.observations_file.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
try:
    observe(run, "too much " * 100)
except LabError as error:
    assert "nothing was saved" in str(error), error
    raise SystemExit(7)
"""


def test_a_full_disk_leaves_the_file_as_it_was(run: RunFolder) -> None:
    observe(run, "before")
    whole = bytes_of(run)
    assert child(FULL, run.path).wait(60) == 7
    assert bytes_of(run) == whole


def test_a_file_written_by_hand_is_read(run: RunFolder) -> None:
    text = """
# my notes
[[observation]]
note = "grey all over"

[[observation]]
id = "mine"
time = 2030-01-31T12:00:00Z
verdict = "Learned"
mood = "glad"

[[observation]]
time = "2030-02-01"
replaces = "nowhere"
note = "stands for itself" """
    run.observations_file.write_text(text, encoding="utf-8")
    first, second, third = read_observations(run)
    assert (first.note, second.verdict, third.note) == ("grey all over", "learned", "stands for itself")
    assert second.time == 1896091200.0
    edit(run, first.id, note="grey, mostly")
    strike(run, second.id)
    assert bytes_of(run).startswith(text.encode())
    assert [(o.note, o.struck) for o in read_observations(run)] == [
        ("grey, mostly", False),
        ("", True),
        ("stands for itself", False),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[observation]]\nnote = "a"\n\n[[observation]]\nnote = "b\n', "line 5: "),
        ('[[observation]]\nnote = "no end', "at its end: "),
        ('[[observation]]\nnote = "a"\n[[observation]]\nfeature = "x"\nverdict = "lernd"\n', "line 5: verdict 'lernd'"),
        ('[[observation]]\nstep = "750"\n', "line 2: step '750'"),
        ("observation = 3\n", r"write \[\[observation\]\]"),
        ('[[observation]]\npictures = ["/etc/passwd"]\n', "line 2: pictures '/etc/passwd'"),
    ],
)
def test_a_broken_file_is_told_with_its_line_and_never_touched(run: RunFolder, text: str, words: str) -> None:
    run.observations_file.write_text(text, encoding="utf-8")
    for attempt in (lambda: read_observations(run), lambda: observe(run, "more"), lambda: strike(run, "x")):
        with pytest.raises(LabError, match=words) as refused:
            attempt()
        assert str(run.observations_file) in str(refused.value)
        assert bytes_of(run) == text.encode()


def test_bytes_that_are_no_text_are_told_with_their_line(run: RunFolder) -> None:
    run.observations_file.write_bytes(b'[[observation]]\nnote = "caf\xe9"\n')
    with pytest.raises(LabError, match="line 2: not UTF-8"):
        read_observations(run)


def test_a_project_tells_all_its_runs_in_time_order_and_what_is_wrong(tmp_path: Path) -> None:
    a, b, broken = (new_run(tmp_path, name) for name in "abc")
    second = observe(a, "second")
    first = observe(b, "first")
    text = bytes_of(b).decode().replace(str(tomllib.loads(bytes_of(b).decode())["observation"][0]["time"]),
                                        "2001-01-01T00:00:00Z")  # fmt: skip
    b.observations_file.write_text(text, encoding="utf-8")
    broken.observations_file.write_text("[[observation\n", encoding="utf-8")
    problems: list[str] = []
    assert [o.id for o in project_observations(tmp_path, problems)] == [first.id, second.id]
    assert len(problems) == 1
    assert str(broken.observations_file) in problems[0]
    with pytest.raises(LabError):
        project_observations(tmp_path)


def test_features_are_offered_as_they_were_last_written(run: RunFolder) -> None:
    struck = observe(run, "a", feature="never mind")
    observe(run, "a", feature="Grey")
    observe(run, "a", feature="shape")
    observe(run, "a", feature="grey")
    strike(run, struck.id)
    names = features_used(read_observations(run))
    assert sorted(name.casefold() for name in names) == ["grey", "shape"]


def test_a_file_changed_by_hand_is_read_anew(run: RunFolder) -> None:
    observe(run, "a")
    assert read_observations(run)[0].note == "a"
    run.observations_file.write_bytes(bytes_of(run).replace(b'note = "a"', b'note = "changed"'))
    assert read_observations(run)[0].note == "changed"


def test_a_run_without_a_file_has_no_observations_and_gets_none_by_looking(run: RunFolder) -> None:
    assert read_observations(run) == []
    assert not run.observations_file.exists()


def test_a_list_that_was_written_in_one_line_is_not_broken_by_adding_to_it(run: RunFolder) -> None:
    text = 'observation = [{ note = "by hand" }]\n'
    run.observations_file.write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=r"write each observation below an own \[\[observation\]\]; nothing was saved"):
        observe(run, "seen")
    assert run.observations_file.read_text(encoding="utf-8") == text
    assert [one.note for one in read_observations(run)] == ["by hand"]
