"""The bench in a real terminal: start, real keys, resize, hang-up, two viewers, and text that means harm."""

from __future__ import annotations

import os
import re
import signal
import sys
import unicodedata
from pathlib import Path

import pytest

from loratui.lab.run.runs import list_runs, read_state
from tests.tui.hostile import MARK, all_bytes, hostile_shelf
from tests.tui.terminal import SEQUENCE, Terminal

LORATUI = [sys.executable, "-m", "loratui"]
REPOSITORY = Path(__file__).parents[2]


def bench(*arguments: object, columns: int = 120, rows: int = 40, **env: str | None) -> Terminal:
    return Terminal([*LORATUI, *map(str, arguments)], columns, rows, REPOSITORY, env)


def test_it_opens_obeys_real_keys_and_leaves(shelf: Path) -> None:
    with bench(shelf) as terminal:
        terminal.wait_for("shapes")
        terminal.press("g")
        terminal.wait_for("Go to")
        terminal.press("d")
        terminal.wait_for("circle.png")
        terminal.press("escape")
        terminal.settle()
        terminal.press("q")
        assert terminal.wait() == 0
    assert b"\x1b[?1049l" in terminal.raw  # the terminal is given back


def test_it_opens_where_it_is_told_to(shelf: Path) -> None:
    with bench(list_runs(shelf / "shapes")[0].path) as terminal:
        terminal.wait_for("Loss")
        terminal.press("ctrl+q")
        assert terminal.wait() == 0


def test_every_size_is_drawn(shelf: Path) -> None:
    with bench(shelf / "shapes") as terminal:
        terminal.wait_for("shapes")
        for size in ((80, 24), (300, 80), (40, 10), (20, 5), (1, 1), (120, 40)):
            since = len(terminal.raw)
            terminal.resize(*size)
            terminal.wait_for(lambda since=since: len(terminal.raw) > since)  # type: ignore[misc]
            terminal.settle(0.2)
        terminal.press("ctrl+q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("env", [{"COLORTERM": None, "TERM": "xterm"}, {"NO_COLOR": "1"}, {"TERM": "linux"}])
def test_poor_terminals_get_a_bench_too(shelf: Path, env: dict[str, str | None]) -> None:
    with bench(list_runs(shelf / "shapes")[0].path, **env) as terminal:
        terminal.wait_for("finished")
        terminal.settle(0.5)
        if "COLORTERM" in env:
            assert b"38;2;" not in terminal.raw  # no true colour where none was promised
        terminal.press("ctrl+q")
        assert terminal.wait() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_edit_under_way_saved(shelf: Path, number: int, code: int) -> None:
    caption = shelf / "shapes" / "dataset" / "circle.txt"
    with bench(shelf / "shapes") as terminal:
        terminal.wait_for("circle.png")
        terminal.settle(0.5)
        terminal.press("enter")
        terminal.settle(0.3)
        terminal.press("end", *", typed")
        terminal.wait_for("typed")
        if number == signal.SIGHUP:
            terminal.hang_up()
        else:
            os.kill(terminal.pid, number)
        assert terminal.wait() == code
    assert caption.read_text(encoding="utf-8") == "myshape, circle, typed\n"


def test_a_terminal_that_goes_away_takes_no_run_with_it(shelf: Path) -> None:
    project = shelf / "shapes"
    before = {run.id for run in list_runs(project)}
    file = project / "project.toml"
    file.write_text(file.read_text().replace("steps = 6", "steps = 100000").replace("every = 3", "every = 50000"))
    with bench(shelf) as terminal:
        terminal.wait_for("shapes")
        terminal.settle(0.5)
        terminal.press("R")
        terminal.wait_for("check:")  # the dialog has looked at everything
        terminal.settle(0.5)
        terminal.press("y")
        terminal.wait_for("running", 60)
        (run,) = [run for run in list_runs(project) if run.id not in before]
        with bench(run.path) as second:  # a second viewer of the same run
            second.wait_for("running")
            terminal.hang_up()
            assert terminal.wait() == 129
            assert read_state(run).name == "running"
            second.press("s")
            second.wait_for("Stop")
            second.settle(0.3)
            second.press("y")
            second.wait_for("stopped", 60)
            second.press("ctrl+q")
            assert second.wait() == 0
    assert read_state(run).name == "stopped"


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_no_text_from_outside_reaches_the_terminal_as_anything_but_text(
    trained_project: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    project = hostile_shelf(tmp_path, trained_project)
    from loratui.lab.notes.observations import observe
    from tests.tui.hostile import ALL

    run = list_runs(project)[-1]
    observe(run, ALL, feature=ALL.replace("\n", " ")[:60], verdict="partly")
    dataset = all_bytes(project / "dataset")
    with bench(tmp_path, columns=size[0], rows=size[1]) as terminal:
        terminal.wait_for("evil")
        terminal.settle(0.5)
        terminal.press("down", "up", "down", "up", "j", "k")
        terminal.settle(0.5)
        terminal.press("/", "e", "v")
        terminal.settle(0.3)
        terminal.press("escape")
        terminal.settle(0.5)
        terminal.press("end")  # from the broken project to the evil one
        terminal.settle(0.5)
        for letter, word in (("d", "Images"), ("s", "Settings"), ("r", "Loss"), ("c", "ompare"), ("n", "Notes")):
            since = len(terminal.raw)
            terminal.press("g")
            terminal.wait_for("Go to", since=since)
            terminal.settle(0.2)
            since = len(terminal.raw)
            terminal.press(letter)
            terminal.wait_for(word, since=since)
            terminal.settle(0.6)
            panels = "245" if letter == "d" else "2345"  # in the caption's panel keys are text
            for key in ("down", "down", "end", "up", *(key for panel in panels for key in (panel, "down", "end")), "1"):
                terminal.press(key)
                terminal.settle(0.05, 2)
            terminal.press("?")
            terminal.settle(0.3)
            terminal.press("escape")
            terminal.settle(0.3)
            if letter == "r":  # a picture of it, with all that is said to have made it
                terminal.press("3")
                terminal.settle(0.3)
                since = len(terminal.raw)
                terminal.press("enter")
                terminal.wait_for("What made it", since=since)
                terminal.settle(0.3)
                terminal.press("escape")
                terminal.settle(0.5)
            if letter == "c":  # the one it came from is marked, and another
                terminal.press("down", "space", "enter")
                terminal.settle(1)
                for key in "234":
                    terminal.press(key, "down")
                    terminal.settle(0.2)
        since = len(terminal.raw)
        terminal.press("g")
        terminal.wait_for("Go to", since=since)
        terminal.press(",")
        terminal.wait_for("default", since=since)
        terminal.settle(0.3)
        terminal.press(":")
        terminal.wait_for("Go to a project")
        terminal.press("e", "v")
        terminal.settle(0.5)
        terminal.press("escape")
        terminal.settle(0.3)
        assert terminal.exit_code is None
        terminal.press("ctrl+q")
        assert terminal.wait() == 0, terminal.text()[-3000:]
    raw = bytes(terminal.raw)
    assert MARK in terminal.text()  # the payloads were shown
    assert not [found for found in SEQUENCE.findall(raw) if MARK.encode() in found]
    rest = SEQUENCE.sub(b"", raw).decode("utf-8")
    unsafe = {c for c in rest if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\r\n"}
    assert unsafe == set()
    assert not re.search(r"Traceback|MarkupError", rest)
    assert all_bytes(project / "dataset") == dataset
