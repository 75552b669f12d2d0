"""What a measure suggests is written down only when it is accepted, and says whose words it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loratui.lab.notes.observations import PERSON, read_observations
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.accepting import ACCEPTED, accept, mean_suggestion, suggestion
from loratui.lab.scores.features import feature_of
from loratui.lab.scores.scores import Mean, Place, Score
from loratui.lab.scores.statistics import Change, Rate, Verdict, mcnemar, suggest
from tests.pictures import places, sampled_run

SEEDS = (1, 2, 3)
PLACE = Place(0, "a red circle", 25, 1.0, 150)


@pytest.fixture
def sampled(tmp_path: Path) -> RunFolder:
    return sampled_run(tmp_path, places((75, 150), SEEDS))


def seen(base: tuple[bool | None, ...], lora: tuple[bool | None, ...], verdict: str = "") -> Score:
    """A score of these answers; with a verdict of one's own where three seeds could not give it."""
    b, x = (Rate(s.count(True), s.count(True) + s.count(False), s.count(None)) for s in (base, lora))
    sure = [pair for pair in zip(base, lora, strict=True) if None not in pair]
    paired = mcnemar([bool(one) for one, _ in sure], [bool(one) for _, one in sure])
    told = Verdict(verdict, "so it is.") if verdict else suggest(b, x, paired)
    return Score(PLACE, "colour", "red", b, x, paired, told, SEEDS[: len(base)], base, lora)


def test_a_suggestion_writes_nothing_and_points_at_the_pictures_that_show_it(sampled: RunFolder) -> None:
    score = seen((False, False, True), (False, True, True), "learned")
    said = suggestion(sampled, score)
    assert (said.verdict, said.feature, said.step) == ("learned", feature_of(score), 150)
    assert said.note == score.verdict.why
    seeds = [name.split("-")[2] for name in said.pictures]
    assert seeds == ["seed2", "seed3", "seed1"], "what only the LoRA does first"
    assert all((sampled.path / name).is_file() for name in said.pictures)
    assert not sampled.observations_file.exists()


def test_of_what_is_not_shown_the_pictures_without_it_come_first(sampled: RunFolder) -> None:
    said = suggestion(sampled, seen((False, False, False), (True, None, False), "not shown"))
    assert "seed3" in said.pictures[0]


def test_too_few_pictures_is_written_down_as_uncertain_with_how_many_would_do(sampled: RunFolder) -> None:
    score = seen((False, False, False), (True, True, False))
    assert score.verdict.verdict == "too few pictures"
    said = suggestion(sampled, score)
    assert said.verdict == "uncertain"
    assert f"about {score.verdict.needed} would do" in said.note


def test_what_was_expected_only_after_the_run_is_told_as_such(sampled: RunFolder) -> None:
    score = replace(seen((False,), (True,), "learned"), later=True)
    assert "only after the run" in suggestion(sampled, score).note


def test_accepted_as_it_is_it_is_the_measures_and_changed_it_is_a_persons(sampled: RunFolder) -> None:
    score = seen((False, False, True), (False, True, True), "partly")
    first = accept(sampled, score)
    second = accept(sampled, score, verdict="learned", note="all of them, if one asks me")
    third = accept(sampled, suggestion(sampled, score, bare=True), note="hm")
    assert [first.by, second.by, third.by] == [ACCEPTED, PERSON, PERSON]
    assert (first.verdict, second.verdict, third.verdict) == ("partly", "learned", "")
    assert {one.feature for one in read_observations(sampled)} == {feature_of(score)}
    assert first.pictures == third.pictures


def test_a_number_is_suggested_without_a_verdict_and_with_its_interval(sampled: RunFolder) -> None:
    change = Change(12, 0.25, 0.125, 0.375, 0.004)
    said = mean_suggestion(sampled, Mean(PLACE, "coverage", 12, 0.5, 0.75, change, None))
    assert (said.verdict, said.feature) == ("", "coverage · a red circle")
    assert said.note == "0.75 with the LoRA, 0.5 without (12 pairs); change +0.25 (+0.125 to +0.375, p = 0.004)"
    few = mean_suggestion(sampled, Mean(PLACE, "coverage", 1, 0.5, 0.75, None, None))
    assert "one pair tells no change" in few.note
