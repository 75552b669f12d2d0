"""The end of a log: what is new, as lines, and never more of a log than anybody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.lab.run.events import EventLog
from loratui.lab.run.logtail import LINES_KEPT, LogTail
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.story import LogWriter


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def append(run: RunFolder, text: str | bytes) -> None:
    with run.log_file.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def test_lines_come_in_as_they_are_written_and_half_a_line_waits(run: RunFolder) -> None:
    tail = LogTail(run)
    assert not tail.poll()
    append(run, "one\ntwo\nth")
    assert tail.poll()
    assert list(tail.lines) == ["one", "two"]
    assert not tail.poll()
    append(run, "ree\n")
    assert tail.poll()
    assert list(tail.lines) == ["one", "two", "three"]
    assert tail.is_whole


def test_a_huge_log_is_met_at_its_end_and_kept_bounded(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loratui.lab.run.logtail.TAIL", 10_000)
    append(run, "".join(f"line {number}\n" for number in range(100_000)))
    tail = LogTail(run)
    tail.poll()
    assert tail.lines[-1] == "line 99999"
    assert 0 < len(tail.lines) < 1000
    assert not tail.is_whole
    assert all(line.startswith("line ") for line in tail.lines), "the first is no half of one"
    append(run, "".join(f"more {number}\n" for number in range(100_000)))  # more than anybody reads, in between
    tail.poll()
    assert tail.lines[-1] == "more 99999"
    assert all(line.startswith(("line ", "more ")) for line in tail.lines)
    monkeypatch.setattr("loratui.lab.run.logtail.TAIL", 1 << 20)
    append(run, "x\n" * (LINES_KEPT + 10))
    tail.poll()
    assert len(tail.lines) == LINES_KEPT


def test_a_hostile_line_is_harmless_and_cut(run: RunFolder) -> None:
    append(run, b"\x1b]52;c;eA==\x07 \xff\xfe [red]" + b"y" * 100_000 + "\u202e\n".encode())
    tail = LogTail(run)
    tail.poll()
    [line] = tail.lines
    assert line.isprintable()
    assert len(line) < 3000
    assert "[red]" in line


def test_a_log_that_is_begun_anew_is_read_anew(run: RunFolder) -> None:
    append(run, "one\ntwo\n")
    tail = LogTail(run)
    tail.poll()
    run.log_file.write_text("other\n")
    assert tail.poll()
    assert list(tail.lines) == ["other"]


def test_a_run_without_a_log_has_its_story_told_from_its_events_until_it_gets_one(run: RunFolder) -> None:
    with EventLog(run.events_file) as log:
        log.emit("message", text="loading\nslowly")
        log.emit("state", state="running", step=0, total=9, device="cpu", arithmetic="3 × 3")
        log.emit("step", step=1, epoch=1, loss=0.5, smoothed=0.5, lr=1e-4, it_s=1.0)
    run.events_file.open("ab").write(b'{"kind":"step","t":"never","step":2}\n')
    tail = LogTail(run)
    assert tail.poll()
    told = [line[20:] for line in tail.lines if not line.startswith(" ")]
    step = "step 1/9 epoch 1 loss 0.5000 (smooth 0.5000) lr 1.0e-04 1.0 it/s 0:08 left"
    assert told == ["loading", "3 × 3", "training on cpu", step]
    with LogWriter(run.log_file) as writer:
        writer({"kind": "message", "t": 1.0, "text": "here is a log"})
    assert tail.poll()
    assert [line[20:] for line in tail.lines] == ["here is a log"]
