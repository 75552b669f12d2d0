"""The event log: every line valid JSON, never mixed, readable while written and after a kill."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from loratui.lab.run.events import EventLog, last_event, read_events, read_series


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_what_is_logged_is_what_is_read_and_heard(path: Path) -> None:
    heard: list[dict[str, object]] = []
    with EventLog(path, [heard.append]) as log:
        log.emit("state", state="running", step=0)
        log.emit("step", step=10, loss=0.5, lr=1e-4)
    events, _ = read_events(path)
    assert events == heard
    assert [e["kind"] for e in events] == ["state", "step"]
    assert events[1]["loss"] == 0.5
    assert all(isinstance(e["t"], float) for e in events)


def test_every_line_is_valid_json_whatever_the_numbers(path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    with EventLog(path) as log:
        log.emit("step", step=1, loss=math.nan, norms=[math.inf, -math.inf], deep={"x": np.float32("nan")})
        log.emit("step", step=np.int64(2), loss=np.float32(0.25), image=Path("/a"), prompt="bad \udcff\n\x1b name")
    first, second = [json.loads(line, parse_constant=refuse) for line in path.read_text("ascii").splitlines()]
    assert (first["loss"], first["norms"], first["deep"]) == ("nan", ["inf", "-inf"], {"x": "nan"})
    assert (second["step"], second["loss"], second["image"]) == (2, 0.25, "/a")
    assert second["prompt"] == "bad \udcff\n\x1b name"


def test_a_reader_goes_on_where_it_was_and_waits_for_a_torn_line(path: Path) -> None:
    assert read_events(path) == ([], 0)
    with EventLog(path) as log:
        log.emit("message", text="one")
        events, offset = read_events(path)
        assert [e["text"] for e in events] == ["one"]
        whole = b'{"kind":"message","t":1.0,"text":"two"}\n'
        with path.open("ab") as file:
            file.write(whole[:20])
        assert read_events(path, offset) == ([], offset)
        with path.open("ab") as file:
            file.write(whole[20:])
        events, offset = read_events(path, offset)
        assert [e["text"] for e in events] == ["two"]
        assert read_events(path, offset) == ([], offset)


def test_a_log_that_became_shorter_is_read_from_its_start(path: Path) -> None:
    with EventLog(path) as log:
        log.emit("message", text="a long line that will go away")
    _, offset = read_events(path)
    path.write_bytes(b'{"kind":"message","t":1,"text":"new"}\n')
    assert [e["text"] for e in read_events(path, offset)[0]] == ["new"]


def test_the_torn_line_of_a_killed_writer_costs_only_itself(path: Path) -> None:
    path.write_bytes(b'{"kind":"step","t":1,"step":10}\n{"kind":"step","t":2,"st')
    with EventLog(path) as log:
        log.emit("step", step=20)
    assert [e["step"] for e in read_events(path)[0]] == [10, 20]


def test_lines_that_are_no_events_are_passed_over(path: Path) -> None:
    path.write_bytes(b'\xff\xfe\n[1]\n{"t":1}\n' + b"[" * 100_000 + b'\n{"kind":"message","t":1,"text":"ok"}\n')
    assert [e["text"] for e in read_events(path)[0]] == ["ok"]


def test_two_processes_never_mix_their_lines(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from loratui.lab.run.events import EventLog\n"
        "log = EventLog(Path(sys.argv[1]))\n"
        "for n in range(500): log.emit('message', text=sys.argv[2] * 200)"
    )
    workers = [subprocess.Popen([sys.executable, "-c", script, str(path), letter]) for letter in "ab"]
    assert [w.wait() for w in workers] == [0, 0]
    texts = [json.loads(line)["text"] for line in path.read_text().splitlines()]
    assert sorted(texts) == ["a" * 200] * 500 + ["b" * 200] * 500


def test_a_listener_that_fails_is_dropped_and_the_run_goes_on(path: Path) -> None:
    heard: list[str] = []

    def gone(event: dict[str, object]) -> None:
        raise BrokenPipeError("terminal closed")

    with EventLog(path, [gone, lambda event: heard.append(str(event["kind"]))]) as log:
        log.emit("step", step=1)
        log.emit("step", step=2)
    assert [e["kind"] for e in read_events(path)[0]] == ["step", "warning", "step"]
    assert "terminal closed" in read_events(path)[0][1]["text"]
    assert sorted(heard) == ["step", "step", "warning"]


def test_an_unknown_kind_is_a_mistake_of_the_program(path: Path) -> None:
    with EventLog(path) as log, pytest.raises(ValueError, match="stpe"):
        log.emit("stpe")


def test_a_disk_that_fills_up_tears_one_line_and_the_next_is_whole(path: Path) -> None:
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from loratui.lab.run.events import EventLog, read_events\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "log = EventLog(Path(sys.argv[1])); log.emit('message', text='one')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (80, resource.RLIM_INFINITY))\n"
        "try: log.emit('message', text='x' * 100)\n"
        "except OSError as error: print(error.filename)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "log.emit('message', text='two')"
    )
    out = subprocess.run([sys.executable, "-B", "-c", script, str(path)], capture_output=True, text=True)
    assert out.stdout.strip() == str(path), out.stderr
    assert [e["text"] for e in read_events(path)[0]] == ["one", "two"]


def test_the_last_event_of_a_kind_is_found_from_the_end(path: Path) -> None:
    assert last_event(path, "state") is None
    with EventLog(path) as log:
        assert last_event(path, "state") is None
        log.emit("state", state="queued")
        log.emit("state", state="running", step=0)
        log.emit("message", text='\n{"kind":"state","t":1,"state":"finished"}\n')
    with path.open("ab") as file:
        file.write(b'{"kind":"state","t":9,"state":"torn')
    event = last_event(path, "state")
    assert event is not None
    assert event["state"] == "running"
    assert last_event(path, "probe") is None


def test_numbers_of_a_killed_tail_are_superseded(path: Path) -> None:
    with EventLog(path) as log:
        log.emit("state", state="running", step=0)
        for step in (10, 20, 30, 40):
            log.emit("step", step=step, loss=1.0)
        log.emit("probe", step=40, loss=0.9)
        log.emit("state", state="running", step=20)  # killed after 40, resumed from 20, stopped at 30
        log.emit("step", step=30, loss=math.nan)
    series = read_series(path)
    steps, losses = series.points("loss")
    assert steps == [10, 20, 30]
    assert losses[:2] == [1.0, 1.0]
    assert math.isnan(losses[2])
    assert series.points("loss", "probe") == ([], [])


def test_a_pause_supersedes_nothing(path: Path) -> None:
    with EventLog(path) as log:
        log.emit("step", step=10, loss=1.0)
        log.emit("state", state="paused", step=10)
        log.emit("state", state="running", step=10)
    assert read_series(path).points("loss") == ([10], [1.0])
