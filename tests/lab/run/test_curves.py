"""The curves of a run: what its log says in numbers, however it is read, and in memory that does not grow with it."""

from __future__ import annotations

import json
import math
import random
from array import array
from pathlib import Path
from typing import Any

import pytest

from loratui.lab.patience import Cancelled
from loratui.lab.run.curves import FIELDS, Curves, Span
from loratui.lab.run.events import EventLog, read_series
from loratui.lab.run.lock import RunLock
from loratui.lab.run.runs import RunFolder, read_state


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def emit_steps(log: EventLog, first: int, last: int, loss: float = 0.25) -> None:
    """Step events with the very fields that engine/sitting.py gives them."""
    for step in range(first, last + 1):
        log.emit("step", step=step, epoch=1, loss=loss, smoothed=loss / 2, lr=1e-4, it_s=20.0, memory=0)


def as_kept(values: list[float]) -> list[float]:
    return array("f", values).tolist()


def same(a: list[float], b: list[float]) -> bool:
    return len(a) == len(b) and all(x == y or (math.isnan(x) and math.isnan(y)) for x, y in zip(a, b, strict=True))


def random_line(rng: random.Random, step: int) -> tuple[bytes, int]:
    """A line of a log that went through something, and the step it has come to."""

    def line(**event: Any) -> bytes:
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"

    what = rng.random()
    if what < 0.75:
        step += rng.choice((1, 1, 1, 1, 5))
        loss = rng.choice([round(rng.random(), 6)] * 20 + [1e-07, 3, "nan", "inf", "-inf"])
        smoothed, rate = round(rng.random(), 6), rng.choice((1e-4, 1e-5, 0.00033))
        return line(kind="step", t=1.5, step=step, epoch=1, loss=loss, smoothed=smoothed, lr=rate, it_s=2.0), step
    if what < 0.85:
        return line(kind="probe", t=1.5, step=step, loss=round(rng.random(), 6)), step
    if what < 0.88:
        step = rng.randrange(step + 1)
        return line(kind="state", t=1.5, state="running", step=step), step
    if what < 0.91:
        return line(kind="step", t=1.5, step=rng.randrange(step + 1), epoch=1, loss=9.5, smoothed=1.0, lr=1.0), step
    torn = line(kind="step", t=1.5, step=step + 1, epoch=1, loss=0.5, smoothed=0.5, lr=1e-4)
    other = [
        torn[: rng.randrange(1, len(torn) - 2)] + b"\n",
        b"\n",
        line(kind="message", t=1.5, text='{"kind":"step","t":1,"step":1}'),
        line(kind="checkpoint", t=1.5, step=step, path="/x"),
        line(kind="step", t=1.5, step=True, loss=0.5),
        line(kind="step", t=1.5, loss=0.5),
        b'{"kind":"step","t":1.5,"step":7,"epoch":1,"loss":1.2.3,"smoothed":0.5,"lr":0.1}\n',
        b'[{"kind":"step"}]\n\xff\xfe\n',
    ]
    return rng.choice(other), step


@pytest.mark.parametrize("seed", range(40))
def test_any_log_has_the_same_numbers_as_its_series_however_it_arrives(run: RunFolder, seed: int) -> None:
    rng = random.Random(seed)
    step, lines = 0, []
    for _ in range(400):
        line, step = random_line(rng, step)
        lines.append(line)
    content = b"".join(lines)
    curves = Curves(run)
    place = 0
    while place < len(content):
        size = rng.choice((1, 50, 500, 5000))
        with run.events_file.open("ab") as file:
            file.write(content[place : place + size])
        place += size
        curves.poll()
    series = read_series(run.events_file)
    for field in FIELDS:
        steps, values = series.points(field)
        assert curves.points(field)[0] == steps
        assert same(curves.points(field)[1], as_kept(values))
    steps, values = series.points("loss", "probe")
    assert curves.points("probe") == (steps, as_kept(values))


def test_a_resumed_run_takes_back_what_the_killed_one_logged_after_its_saved_state(run: RunFolder) -> None:
    with EventLog(run.events_file) as log:
        log.emit("state", state="running", step=0, total=100, device="cpu")
        emit_steps(log, 1, 200)
        log.emit("probe", step=150, loss=0.5)
        log.emit("checkpoint", step=100, path="a")
        log.emit("sample", step=180, path="b")
    curves = Curves(run)
    assert curves.poll()
    with EventLog(run.events_file) as log:
        log.emit("state", state="running", step=120, total=100, device="cpu")
    assert curves.poll()
    assert (curves.last_step, curves.count("loss"), curves.count("probe")) == (120, 120, 0)
    assert curves.marks == [(100, "checkpoint")]
    assert curves.latest is None, "the step line that was read last is of the past that is gone"
    # The blocks that the envelope is made from have forgotten it as well.
    assert curves.envelope("loss", 1, Span(0, 500)) == [(0.25, 0.25, 0.25)]


def test_the_envelope_is_the_least_and_greatest_of_each_column(run: RunFolder) -> None:
    rng = random.Random(3)
    losses = [round(rng.uniform(-2, 2), 6) for _ in range(3000)]
    with EventLog(run.events_file) as log:
        for step, loss in enumerate(losses, start=1):
            value = math.nan if step % 7 == 0 or 500 <= step <= 900 else loss
            log.emit("step", step=step, epoch=1, loss=value, smoothed=0.5, lr=1e-4)
    curves = Curves(run)
    curves.poll()
    for columns, span in ((1, Span(0, 3000)), (7, Span(1, 3000)), (90, Span(100, 2500)), (200, Span(480, 905))):
        by_column: list[list[float]] = [[] for _ in range(columns)]
        edges = span.edges(columns)
        for step, loss in zip(*curves.points("loss"), strict=True):
            if span.first <= step <= span.last and not math.isnan(loss):
                by_column[sum(step >= edge for edge in edges) - 1].append(loss)
        assert curves.envelope("loss", columns, span) == [(min(c), max(c), c[-1]) if c else None for c in by_column]
        assert curves.line("loss", columns, span) == [c[-1] if c else None for c in by_column]


def test_losses_that_are_not_finite_are_kept_as_such_and_marked(run: RunFolder) -> None:
    with EventLog(run.events_file) as log:
        for step, loss in ((1, 0.5), (2, math.nan), (3, math.inf), (4, -math.inf)):
            log.emit("step", step=step, epoch=1, loss=loss, smoothed=0.5, lr=1e-4)
        log.emit("state", state="failed", reason="step 5: the loss is nan, on a.png; lower the learning rate")
    curves = Curves(run)
    curves.poll()
    assert same(curves.points("loss")[1], [0.5, math.nan, math.inf, -math.inf])
    assert [step for step, kind in curves.marks if kind == "nan"] == [2, 3, 4, 5]
    assert curves.envelope("loss", 1, Span(0, 5)) == [(0.5, 0.5, 0.5)]


def test_marks_say_where_checkpoints_samples_and_warnings_fell(run: RunFolder) -> None:
    with EventLog(run.events_file) as log:
        emit_steps(log, 1, 10)
        log.emit("checkpoint", step=10, path="a")
        log.emit("sample", step=10, path="b")
        log.emit("sample", step=10, path="c", sheet=True)
        emit_steps(log, 11, 12)
        log.emit("warning", text="too bright")
    curves = Curves(run)
    curves.poll()
    assert curves.marks == [(10, "checkpoint"), (10, "sample"), (12, "warning")]
    assert (curves.samples, list(curves.warnings)) == (2, [(12, "too bright")])


def test_a_replaced_and_a_vanished_log_are_read_anew(run: RunFolder) -> None:
    curves = Curves(run)
    assert not curves.poll()
    with EventLog(run.events_file) as log:
        emit_steps(log, 1, 50)
    assert curves.poll() and not curves.poll()
    run.events_file.write_bytes(b"")  # shorter
    with EventLog(run.events_file) as log:
        emit_steps(log, 1, 3)
    curves.poll()
    assert curves.count() == 3
    other = run.path / "other"  # longer, and another file
    with EventLog(other) as log:
        emit_steps(log, 1, 70)
    other.replace(run.events_file)
    curves.poll()
    assert curves.count() == 70
    run.events_file.unlink()
    assert curves.poll()
    assert curves.count() == 0


def test_a_line_longer_than_a_chunk_is_read_whole(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loratui.lab.run.curves.CHUNK", 200)
    with EventLog(run.events_file) as log:
        emit_steps(log, 1, 3)
        log.emit("message", text="x" * 5000)
        emit_steps(log, 4, 6)
    curves = Curves(run)
    curves.poll()
    assert curves.count() == 6
    assert len(curves.message) == 5000


def test_reading_tells_how_far_it_is_and_can_be_ended_and_gone_on_with(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loratui.lab.run.curves.CHUNK", 2000)
    with EventLog(run.events_file) as log:
        emit_steps(log, 1, 100)
    curves = Curves(run)

    def enough(done: int, total: int) -> None:
        assert 0 < done <= total == run.events_file.stat().st_size
        raise Cancelled

    with pytest.raises(Cancelled):
        curves.poll(enough)
    assert 0 < curves.count() < 100, "what was read can be drawn"
    curves.poll()
    assert curves.count() == 100


def test_hostile_numbers_end_nothing(run: RunFolder) -> None:
    huge = "9" * 5000
    rest = '"epoch":1,"loss":0.5,"smoothed":0.5,"lr":0.1,"it_s":1.0,"memory":0}\n'
    run.events_file.write_text(
        f'{{"kind":"step","t":1.0,"step":{huge},{rest}{{"kind":"step","t":1.2.3,"step":1,{rest}'
        f'{{"kind":"step","t":{huge},"step":9999999999,{rest}{{"kind":"state","state":"paused"}}\n'
        '{"kind":"step","t":1.0,"step":99999999999,"epoch":1,"loss":0.5,"smoothed":0.5,"lr":0.1,"it_s":1.0,"memory":0}\n'
        f'{{"kind":"step","t":1.0,"step":{huge},"epoch":1,"loss":0.5,"smoothed":0.5,"lr":0.1,"it_s":1.0,"memory":0}}\n'
        f'{{"kind":"step","t":1.0,"step":2,"epoch":1,"loss":1e999,"smoothed":{"9" * 400},"lr":0.1}}\n'
        f'{{"kind":"state","t":{"9" * 400},"state":["running"],"step":1}}\n'
        '{"kind":"state","t":2,"state":"failed","reason":"step 99999999999999: the loss is nan"}\n'
        '{"kind":"step","t":"x","step":3,"epoch":1,"loss":[],"smoothed":null,"lr":{}}\n'
        '{"kind":"warning"}\n{"kind":"checkpoint"}\n{"kind":"probe","t":2,"step":-5,"loss":"-inf"}\n'
    )
    curves = Curves(run)
    curves.poll()
    assert curves.points("loss")[0] == [2]  # what says no moment is no event
    assert curves.points("probe") == ([-5], [-math.inf])
    assert curves.state.name == "failed"


def test_the_state_is_the_one_that_the_run_folder_tells(run: RunFolder) -> None:
    curves = Curves(run)

    def agree() -> str:
        curves.poll()
        assert curves.state == read_state(run)
        return curves.state.name

    assert agree() == "queued"
    with RunLock(run.lock_file), EventLog(run.events_file) as log:
        log.emit("state", state="queued", ahead=1, holder="another", device="cpu")
        assert agree() == "queued"
        log.emit("state", state="running", step=0, total=9, device="cpu")
        emit_steps(log, 1, 4)
        assert agree() == "running"
        log.emit("state", state="paused", step=4)
        assert agree() == "running"
        assert curves.state.paused
        log.emit("state", state="running", step=4, total=9)
    assert agree() == "interrupted"
    with EventLog(run.events_file) as log:
        log.emit("state", state="finished", step=9, total=9, seconds=12.5)
    assert agree() == "finished"
    assert curves.seconds == 12.5


def test_time_spent_is_that_of_the_sittings_and_not_of_the_nights_between(run: RunFolder) -> None:
    def line(t: float, kind: str, **fields: Any) -> str:
        return json.dumps({"kind": kind, "t": t, **fields}, separators=(",", ":")) + "\n"

    def step(t: float, number: int) -> str:
        return line(t, "step", step=number, epoch=1, loss=0.5, smoothed=0.5, lr=0.1, it_s=1.0, memory=0)

    begun = line(100, "state", state="running", step=0, device="cpu", total=40) + step(110, 10) + step(120, 20)
    resumed = line(9000, "state", state="running", step=10, device="cpu", total=40) + step(9005, 15)
    run.events_file.write_text(begun)
    curves = Curves(run)
    curves.poll()
    assert curves.seconds == 20
    with run.events_file.open("a") as file:
        file.write(line(8000, "state", state="queued", ahead=1) + line(8500, "message", text="loading") + resumed)
    curves.poll()
    assert curves.seconds == 25
    assert curves.latest is not None
    assert curves.latest["step"] == 15


def test_a_million_points_are_kept_in_little_memory_and_read_by_the_fast_way(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only lines that EventLog writes in the engine's form are fast: when that form changes, this says so."""
    slow: list[bytes] = []

    def noting(line: bytes) -> Any:
        slow.append(line)
        return json.loads(line)

    monkeypatch.setattr("loratui.lab.run.curves.parse_event", noting)
    with EventLog(run.events_file) as log:
        emit_steps(log, 1, 500, loss=1e-07)
        log.emit("probe", step=500, loss=0.125)
    curves = Curves(run)
    curves.poll()
    assert curves.count() == 500
    assert len(slow) == 1, "all but the last step line of a chunk, which is kept whole"
    kept = sum(column.itemsize for column in (curves._steps.steps, *curves._steps.values.values()))
    assert kept <= 16
