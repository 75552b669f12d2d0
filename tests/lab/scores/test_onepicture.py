"""Of one picture it is told what was measured in it, and whether it shows what was expected."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from loratui.lab.pictures.gallery import Spot, Where
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.onepicture import Answer, answers, short_words, told_words
from loratui.lab.scores.readings import Reading, Readings, read_measures
from loratui.lab.scores.scores import ALL, Place, Score
from loratui.lab.scores.statistics import Paired, Rate, Verdict
from tests.pictures import file_of, places, sampled_run

HERE = Where(Spot(0, 25, 2), 1.0, 150)


def score(name: str, wanted: object, step: int, base: bool | None, lora: bool | None) -> Score:
    told = (Rate(0, 1), Rate(1, 1), Paired(0, 0, 1, 0, 1.0), Verdict("learned", "so."))
    return Score(Place(0, "a red circle", 25, 1.0, step), name, wanted, *told, (2,), (base,), (lora,))


SCORES = [
    score("colour", "gray", 75, False, False), score("colour", "gray", 150, False, True),
    score("shape", ["circle", "square"], 150, True, None), score(ALL, None, 150, False, None),
]  # fmt: skip


def test_the_answers_are_those_of_the_picture_at_its_step_and_of_the_base_at_any() -> None:
    assert [(a.name, a.held) for a in answers(SCORES, HERE)] == [("colour", True), ("shape", None)]
    assert [a.held for a in answers(SCORES, Where(HERE.spot, 1.0, 75))] == [False]
    assert [(a.name, a.held) for a in answers(SCORES, Where(HERE.spot, None, 75))] == [
        ("colour", False), ("shape", True)
    ]  # fmt: skip
    assert answers(SCORES, Where(Spot(0, 25, 3), 1.0, 150)) == ()
    assert answers(SCORES, Where(Spot(1, 25, 2), 1.0, 150)) == ()


def test_under_a_picture_there_are_words_where_they_fit_and_signs_in_any_case() -> None:
    told = answers(SCORES, HERE)
    assert short_words(told, 40) == "gray ✓ shape ?"
    assert short_words(told, 8) == "✓ ?"


@pytest.mark.parametrize(
    ("held", "reading", "words"),
    [
        (True, Reading("gray", 0.98), "✓ gray · sure 0.98"),
        (False, Reading("red", 0.9), "✗ red · sure 0.90, expected gray"),
        (None, Reading("red", 0.2, "it is near"), "? red uncertain: it is near"),
        (True, None, "✓ shown: colour gray"),
    ],
)
def test_a_measure_is_told_with_its_answer_and_how_sure_it_is(held: bool | None, reading: Reading, words: str) -> None:
    assert told_words(Answer("colour", "gray", held), reading) == words


def test_what_was_measured_is_found_again_by_the_pictures_content(tmp_path: Path) -> None:
    run = sampled_run(tmp_path, places((150,), (1, 2)))
    path = file_of(run, HERE)
    assert read_measures(run, path) is None
    Readings(run).of(file_of(run, Where(Spot(0, 25, 1), 1.0, 150)))
    told = dict(Readings(run).of(path)[1])
    (run.path / "readings.jsonl").open("a").write('{"sha": broken\n')
    moved = tmp_path / "elsewhere.png"
    shutil.copy(path, moved)
    assert read_measures(RunFolder(run.path), moved) == told
