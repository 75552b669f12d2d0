"""What waits for a device can be seen and put in another order, while it waits, from another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run.lock import device_turn, queue_folder
from loratui.lab.run.queue import Ticket, move, tickets, tickets_in
from tests.talking import TAKE_TURN, Process

Start = Callable[..., Process]


@pytest.fixture
def line(tmp_path: Path, start: Start) -> dict[str, Process]:
    """Four processes: `a` has the device, `b`, `c` and `d` wait."""
    found: dict[str, Process] = {}
    for count, name in enumerate("abcd"):
        found[name] = start(TAKE_TURN, str(tmp_path), name)
        assert found[name].says() == (f"waiting behind {count}: a" if count else "turn True")
    return found


def order(folder: Path) -> str:
    return "".join(ticket.label for ticket in tickets_in(folder))


def ticket(folder: Path, label: str) -> Ticket:
    return next(ticket for ticket in tickets_in(folder) if ticket.label == label)


def test_who_waits_and_for_what_is_seen(tmp_path: Path, line: dict[str, Process]) -> None:
    seen = tickets_in(tmp_path)
    assert [(t.label, t.ahead, t.has_device) for t in seen] == [
        ("a", 0, True), ("b", 1, False), ("c", 2, False), ("d", 3, False),
    ]  # fmt: skip
    assert [t.pid for t in seen] == [line[name].process.pid for name in "abcd"]
    assert {t.device for t in seen} == {"cpu"}
    line["b"].kill()
    assert order(tmp_path) == "acd"


def test_looking_changes_nothing(tmp_path: Path, line: dict[str, Process]) -> None:
    line["b"].kill()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert order(tmp_path) == "acd"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_that_is_moved_up_comes_earlier(tmp_path: Path, line: dict[str, Process]) -> None:
    move(ticket(tmp_path, "d"), -2)
    assert order(tmp_path) == "adbc"
    # Those that wait find out by themselves, and take their turns in the new order.
    assert line["d"].says() == "waiting behind 1: a"
    assert line["b"].says() == "waiting behind 2: a"
    assert line["c"].says() == "waiting behind 3: a"
    line["a"].go_on()
    assert line["d"].says() == "turn True"
    assert line["b"].says() == "waiting behind 1: d"


def test_one_that_is_moved_down_comes_later(tmp_path: Path, line: dict[str, Process]) -> None:
    move(ticket(tmp_path, "b"), 1)
    assert order(tmp_path) == "acbd"
    assert line["c"].says() == "waiting behind 1: a"
    line["a"].go_on()
    assert line["c"].says() == "turn True"


def test_a_new_one_comes_after_those_that_were_moved(tmp_path: Path, line: dict[str, Process], start: Start) -> None:
    move(ticket(tmp_path, "d"), -1)
    start(TAKE_TURN, str(tmp_path), "e").says()
    assert order(tmp_path) == "abdce"


def test_nobody_overtakes_the_one_that_has_the_device(tmp_path: Path, line: dict[str, Process]) -> None:
    move(ticket(tmp_path, "d"), -99)
    assert order(tmp_path) == "adbc"
    move(ticket(tmp_path, "d"), -1)
    move(ticket(tmp_path, "b"), 0)
    assert order(tmp_path) == "adbc"
    move(ticket(tmp_path, "d"), 99)
    assert order(tmp_path) == "abcd"
    with pytest.raises(LabError, match="a: has cpu already; to free it, stop the run"):
        move(ticket(tmp_path, "a"), 1)
    assert order(tmp_path) == "abcd"


def test_the_dead_are_no_places_to_go_to(tmp_path: Path, line: dict[str, Process]) -> None:
    line["b"].kill()
    line["c"].kill()
    move(ticket(tmp_path, "d"), -1)
    assert order(tmp_path) == "ad"
    line["a"].kill()
    while (said := line["d"].says()) != "turn True":
        assert said.startswith("waiting behind")


def test_one_that_left_meanwhile_is_not_moved(tmp_path: Path, line: dict[str, Process]) -> None:
    late = ticket(tmp_path, "d")
    line["d"].kill()
    with pytest.raises(LabError, match="d: is not in the queue for cpu any more"):
        move(late, -1)


def test_a_ticket_that_was_moved_is_still_known_and_still_its_owners(tmp_path: Path, line: dict[str, Process]) -> None:
    seen_before = ticket(tmp_path, "b")
    move(ticket(tmp_path, "d"), -2)
    move(seen_before, 1)
    assert order(tmp_path) == "adcb"
    for name in "adcb":
        line[name].go_on()
        assert line[name].process.wait() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_all_devices_of_this_machine_are_told_with_the_runs_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path))
    assert tickets() == []
    odd = tmp_path / os.fsdecode(b"run \xff\n\x1b[2J")
    with device_turn("cuda:1", label="one"), device_turn("cpu", label=odd.name, run=odd):
        cpu, cuda = tickets()
        assert (cpu.device, cpu.label, cpu.run, cpu.pid) == ("cpu", odd.name, odd, os.getpid())
        assert (cuda.device, cuda.label, cuda.run) == ("cuda:1", "one", None)
    assert tickets() == []


def test_a_ticket_that_someone_wrote_on_still_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path))
    with device_turn("cpu", label="mine"):
        (path,) = queue_folder("cpu").glob("ticket-*")
        for text in ("[1, 2]", "null", "scribble \x1b[2J", '{"pid": "x"}', "[" * 100_000):
            path.write_text(text, encoding="utf-8")
            (seen,) = tickets()
            assert seen.label == text
            assert seen.has_device


def test_many_that_are_shuffled_while_they_take_turns_all_get_theirs_one_at_a_time(tmp_path: Path) -> None:
    script = """
import sys; from pathlib import Path; from loratui.lab.run.lock import device_turn
folder = Path(sys.argv[1])
with device_turn("cpu", folder / "queue", label=sys.argv[2], poll=0.001):
    held = folder / "held"
    held.touch(exist_ok=False)  # another has the device: FileExistsError
    held.unlink()
"""
    (tmp_path / "queue").mkdir()
    with device_turn("cpu", tmp_path / "queue", label="first"):
        workers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(n)]) for n in range(12)]
        while len(tickets_in(tmp_path / "queue")) < 13:
            assert all(worker.poll() is None for worker in workers)
    while any(worker.poll() is None for worker in workers):
        for one in tickets_in(tmp_path / "queue")[1:]:
            try:
                move(one, -1)
            except LabError:  # it has the device by now, or is done
                continue
    assert [worker.returncode for worker in workers] == [0] * 12
