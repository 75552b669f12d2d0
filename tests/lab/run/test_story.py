"""The story of a run: few lines, each worth reading, each harmless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratui.lab.run.events import Event, EventLog
from loratui.lab.run.story import LogWriter, Pace, Story, duration, near, number, pace

RUN = Path("/project/runs/one")


def event(kind: str, t: float, **fields: Any) -> Event:
    return {"kind": kind, "t": t, **fields}


def running(t: float = 0.0, step: int = 0, total: int = 750) -> Event:
    return event("state", t, state="running", step=step, total=total, device="CPU, 2 threads", trainable=1234,
                 arithmetic="3 images × 25 repeats × 10 epochs ÷ batch 1 = 750 steps")  # fmt: skip


def step(t: float, number: int) -> Event:
    return event("step", t, step=number, epoch=2, loss=0.08123, smoothed=0.079, lr=1e-4, it_s=21.34, memory=2**30)


def told(*events: Event) -> list[str]:
    story = Story(RUN)
    return [line for one in events for line in story.lines(one)]


def test_a_run_begins_with_its_arithmetic_and_its_device() -> None:
    assert told(running()) == [
        "3 images × 25 repeats × 10 epochs ÷ batch 1 = 750 steps",
        "training on CPU, 2 threads, 1,234 weights to train",
    ]
    assert told(running(step=40))[0] == "going on from step 40 of 750"


def test_a_step_line_says_where_how_well_how_fast_and_how_long() -> None:
    (line,) = told(running(), event("probe", 0.1, step=0, loss=0.5), step(10, 120))[2:]
    assert line == ("step 120/750 epoch 2 loss 0.0812 (smooth 0.0790) probe 0.5000 lr 1.0e-04 21.3 it/s 0:30 left")


def test_steps_are_told_first_last_and_no_more_often_than_time_and_share_allow() -> None:
    def steps(seconds_each: float, total: int) -> list[int]:
        lines = told(running(total=total), *(step(n * seconds_each, n) for n in range(1, total + 1)))
        return [int(line.split()[1].split("/")[0]) for line in lines[2:]]

    slow = steps(10, 100)  # every 5 s would be each step: every 5 % it is
    assert slow == [1, *range(6, 100, 5), 100]
    fast = steps(0.01, 1000)  # 5 % is half a second: every 5 s it is
    assert fast == [1, 501, 1000]


def test_the_last_step_before_an_end_is_told() -> None:
    lines = told(running(), step(1, 1), step(1.1, 2), event("state", 2, state="stopped", reason="SIGINT", seconds=75))
    assert lines[3].startswith("step 2/750 ")
    assert lines[4] == "stopped at step 2 of 750: ctrl-c, 1:15 in all"


def test_every_end_is_told_with_its_reason() -> None:
    assert told(running(total=2), step(1, 2), event("state", 2, state="finished", reason="finished"))[-1] == "finished"
    assert told(running(), event("state", 1, state="failed", reason="no\nspace\x1b"))[-1] == "failed: no\n    space␛"
    assert told(event("state", 1, state="failed")) == ["failed"]
    assert told(event("state", 1, state="stopped", reason="stopped while it waited")) == [
        "stopped: stopped while it waited"
    ]


def test_waiting_and_pauses_are_told() -> None:
    lines = told(
        event("state", 0, state="queued", ahead=2, holder="run\x1b", device="cuda:0"),
        running(),
        event("state", 1, state="paused", step=5),
        event("state", 9, state="running", step=5),
    )
    assert [lines[0], *lines[3:]] == ["waiting for cuda:0 behind 2: run␛", "paused at step 5", "going on at step 5"]


def test_what_is_kept_is_told_with_its_path_in_the_run() -> None:
    assert told(
        running(),
        event("checkpoint", 1, step=75, path="/project/runs/one/checkpoints/step-000075.safetensors"),
        event("sample", 2, step=75, path="/project/runs/one/samples/a.png"),
        event("sample", 2, step=75, path="/project/runs/one/samples/b.png"),
        event("sample", 3, step=75, path="/project/runs/one/samples/sheet.png", sheet=True),
        event("sample", 3, step=75, path="/elsewhere/sheet-2.png", sheet=True),
    )[2:] == [
        "step 75: saved checkpoints/step-000075.safetensors",
        "step 75: 2 pictures, contact sheet samples/sheet.png",
        "step 75: contact sheet /elsewhere/sheet-2.png",
    ]


def test_warnings_and_messages_are_told_harmlessly() -> None:
    assert told(event("warning", 0, text="bad\x1b[2J\u202e"), event("message", 0, text="hello")) == [
        "warning: bad␛[2J<U+202E>",
        "hello",
    ]


def test_numbers_that_are_not_finite_or_missing_stay_words() -> None:
    (line,) = told(event("step", 1, step=3, loss="nan"))
    assert line == "step 3 loss nan (smooth -)"
    assert [pace(v) for v in (21.34, 1, 0.14, 0, "nan")] == [
        "21.3 it/s",
        "1.0 it/s",
        "7.1 s/it",
        "0.0 it/s",
        "nan it/s",
    ]
    assert [number(v) for v in (0.5, 0, 1.5e-7, "inf", None)] == ["0.5000", "0.0000", "1.50e-07", "inf", "-"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (29, "0:29"), (725, "12:05"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_durations_are_minutes_or_hours(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_time_left_leaves_out_pauses_and_earlier_sittings() -> None:
    place = Pace()

    def left(*events: Event) -> float | None:
        for one in events:
            place.feed(one)
        return place.seconds_left

    assert left(running(100, step=50, total=100), step(110, 60), step(120, 70)) == pytest.approx(30)
    assert left(event("state", 120, state="paused", step=70), event("state", 1120, state="running", step=70)) == (
        pytest.approx(30)
    )
    assert left(step(1130, 80), step(1140, 90)) == pytest.approx(10)
    assert Pace().seconds_left is None


def test_steps_told_in_a_burst_do_not_mislead_about_the_time_left() -> None:
    """The losses of 50 steps come off the device together, when the last of them is done."""
    burst = [{**step(10 + n / 1e6, n), "it_s": 5.0} for n in range(1, 51)]
    lines = told(running(0), *burst, {**step(20, 100), "it_s": 5.0})[2:]
    assert [line.split(" it/s ")[1] for line in lines] == ["2:30 left", "2:10 left"]


def test_the_log_is_the_story_with_times(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl", [LogWriter(tmp_path / "log.txt")]) as log:
        log.emit("message", text="one")
        log.emit("checkpoint", step=1, path=str(tmp_path / "checkpoints" / "a"))
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert [line[20:] for line in lines] == ["one", "step 1: saved checkpoints/a"]
    assert lines[0][:4].isdecimal()


def test_a_path_is_told_from_where_one_is() -> None:
    assert near("/a/b/c", Path("/a")) == "b/c"
    assert near("/ab/c", Path("/a")) == "/ab/c"
    assert near("/a/\x1b", Path("/a")) == "␛"
