"""Requests are files: anyone can leave one, the worker finds it, none is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run.requests import pending, post, take
from loratui.lab.run.runs import RunFolder, create_run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path, "r")


def test_a_posted_request_is_found_and_taken_once(run: RunFolder) -> None:
    assert pending(run) == {}
    post(run, "sample", {"prompts": ["a grey circle"]})
    post(run, "stop")
    assert pending(run) == {"sample": {"prompts": ["a grey circle"]}, "stop": None}
    assert take(run, "sample") == {"prompts": ["a grey circle"]}
    assert pending(run) == {"stop": None}
    assert take(run, "sample") is None


def test_pause_lasts_until_it_is_taken_back(run: RunFolder) -> None:
    post(run, "pause")
    assert "pause" in pending(run)
    assert "pause" in pending(run)
    take(run, "pause")
    assert pending(run) == {}


def test_a_request_can_be_made_by_hand(run: RunFolder) -> None:
    (run.requests / "checkpoint").touch()
    (run.requests / "sample").write_bytes(b"\xff not json")
    (run.requests / "notes.txt").write_text("not a request")
    assert pending(run) == {"checkpoint": None, "sample": None}
    assert take(run, "sample") is None
    assert pending(run) == {"checkpoint": None}


def test_a_folder_that_is_gone_means_no_requests_and_comes_back_with_the_next(run: RunFolder) -> None:
    run.requests.rmdir()
    assert pending(run) == {}
    post(run, "stop")
    assert pending(run) == {"stop": None}


def test_nothing_stays_behind(run: RunFolder) -> None:
    for name in ("stop", "sample"):
        post(run, name, [1])
        take(run, name)
    assert list(run.requests.iterdir()) == []


def test_an_unknown_request_is_refused_with_the_known_ones(run: RunFolder) -> None:
    with pytest.raises(LabError, match=r"'stpo'.*stop"):
        post(run, "stpo")
    with pytest.raises(LabError):
        take(run, "../run.toml")


def test_looking_is_cheap_enough_for_every_step(run: RunFolder) -> None:
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(100):
            pending(run)
        best = min(best, (time.perf_counter() - start) / 100)
    assert best < 0.0005
