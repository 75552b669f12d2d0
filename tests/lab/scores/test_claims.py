"""A claim agrees or disagrees only where the pictures say so surely; else it is uncertain, and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratui.lab.project.claimed import claim_fault, claim_table
from loratui.lab.project.experiment import Claim
from loratui.lab.project.project import Project, load_project
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.band import noise_band, repeats_of, spread
from loratui.lab.scores.claims import AGREES, DISAGREES, PERSON, UNCERTAIN, Answer, answer_claims
from loratui.lab.scores.forgetting import plane
from loratui.lab.scores.reproduction import Experiment, reproduction, to_markdown, trained
from loratui.lab.scores.scoring import refresh
from loratui.lab.scores.statistics import Rate
from tests.lab.scores.drawnruns import GRAY, RED, drawn_run, expecting_project, noise, put_all, shape

SEEDS = tuple(range(1, 17))
VARIANTS = """
[[variant]]
name = "other-seed"
train.seed = 7
[[variant]]
name = "more-rank"
lora.rank = 2
[[variant]]
name = "same-tokens"
replace_tags = { myshape = "MyShape" }
"""


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expecting_project(tmp_path_factory.mktemp("claims") / "shapes", tiny_model, SEEDS, VARIANTS)


@pytest.fixture(scope="module")
def project(folder: Path) -> Project:
    return load_project(folder)


@pytest.fixture(scope="module")
def run(folder: Path) -> RunFolder:
    """Gray comes always, circles mostly, and white was there before; with an unrelated prompt nothing happens."""
    run = drawn_run(folder)
    put_all(run, 0, SEEDS, lambda _: shape(RED, "rectangle"), lambda seed: shape(GRAY, _form(seed > 4)))
    put_all(run, 0, SEEDS, lambda _: shape(RED, "rectangle"), lambda seed: shape(GRAY, "rectangle"), step=2)
    put_all(run, 1, SEEDS, lambda _: shape(RED), lambda _: shape(RED))
    return run


def _form(circle: bool) -> str:
    return "ellipse" if circle else "rectangle"


def answered(project: Project, run: RunFolder | dict[str, RunFolder], expectation: Any) -> Answer:
    from dataclasses import replace

    runs = run if isinstance(run, dict) else {"": run}
    (answer,) = answer_claims(replace(project, claims=(Claim("it is so", expectation),)), runs)
    return answer


@pytest.mark.parametrize(
    ("expectation", "answer", "measured", "base"),
    [
        ({"expect": "colour", "prompt": "myshape"}, AGREES, "16/16", "0/16"),
        ({"expect": "colour", "prompt": "a cup"}, DISAGREES, "0/16", "0/16"),
        ("shape", AGREES, "12/16", "0/16"),
        ("background", DISAGREES, "16/16", "16/16"),
        ({"shape": "square", "prompt": "myshape"}, DISAGREES, "4/16", "16/16"),  # rarer than without
        ({"expect": "shape", "rate": [0.4, 1.0]}, AGREES, "12/16", "0/16"),
        ({"expect": "shape", "rate": [0.0, 0.4]}, DISAGREES, "12/16", "0/16"),
        ({"expect": "shape", "rate": [0.6, 1.0]}, UNCERTAIN, "12/16", "0/16"),
        ({"expect": "colour", "prompt": "a cup", "less_often_than": "myshape"}, AGREES, "0/16", "16/16"),
        ({"expect": "colour", "prompt": "myshape", "less_often_than": "a cup"}, DISAGREES, "16/16", "0/16"),
        ({"expect": "colour", "prompt": "myshape", "more_often_than": "a cup"}, AGREES, "16/16", "0/16"),
        ({"expect": "colour", "prompt": "myshape", "earlier_than": "shape"}, AGREES, "colour from step 2, shape", ""),
        ({"expect": "shape", "prompt": "myshape", "earlier_than": "colour"}, DISAGREES, "shape from step 4", ""),
        ({"measure": "coverage", "prompt": "myshape", "than_base": "less"}, AGREES, "coverage 0.", "0."),
        ({"measure": "coverage", "prompt": "myshape"}, DISAGREES, "coverage 0.", "0."),
        ({"measure": "coverage", "prompt": "a cup"}, UNCERTAIN, "+0.000 to +0.000", "0."),
        ({"copy": True, "prompt": "myshape", "rate": [0.0, 0.5]}, AGREES, "0/16", "0/16"),
    ],
)
def test_an_answer_is_as_sure_as_the_pictures(
    project: Project, run: RunFolder, expectation: Any, answer: str, measured: str, base: str
) -> None:
    told = answered(project, run, expectation)
    assert (told.answer, told.run) == (answer, run.id), told
    assert measured in told.measured
    assert base in told.base


def test_a_claim_without_an_expectation_is_for_a_person(project: Project, run: RunFolder) -> None:
    assert answered(project, run, None).answer == PERSON


def test_what_could_not_be_measured_keeps_a_claim_uncertain(project: Project, folder: Path) -> None:
    run = drawn_run(folder)
    put_all(run, 0, SEEDS, lambda _: shape(RED), lambda seed: shape(GRAY) if seed > 6 else noise(seed))
    told = answered(project, run, {"expect": "shape", "rate": [0.6, 1.0]})
    assert (told.answer, told.measured) == (UNCERTAIN, "10/10 (72–100 %), 6 uncertain")


def test_what_could_not_be_measured_keeps_a_comparison_of_prompts_uncertain(project: Project, folder: Path) -> None:
    run = drawn_run(folder)
    put_all(run, 0, SEEDS, lambda _: shape(RED), lambda _: shape(GRAY))
    put_all(run, 1, SEEDS, lambda _: shape(RED), lambda seed: shape(RED) if seed > 8 else noise(seed))
    claim = {"expect": "colour", "prompt": "a cup", "less_often_than": "myshape"}
    told = answered(project, run, claim)
    assert (told.answer, told.measured) == (AGREES, "0/8 (0–32 %), 8 uncertain")  # 8/16 would be fewer, too
    turned = answered(project, run, {**claim, "prompt": "myshape", "less_often_than": "a cup"})
    assert turned.answer == DISAGREES
    put_all(run, 1, SEEDS[8:14], lambda _: shape(RED), lambda seed: noise(seed))
    told = answered(project, run, claim)
    assert (told.answer, "could turn it" in told.note) == (UNCERTAIN, True)


def test_a_run_that_is_not_there_or_has_no_such_pictures_is_no_answer(project: Project, folder: Path) -> None:
    assert "not trained yet" in answered(project, {}, "colour").note
    told = answered(project, drawn_run(folder), "colour")
    assert (told.answer, "none of its pictures" in told.note) == (UNCERTAIN, True)


def test_other_training_seeds_have_to_agree(tiny_model: Path, tmp_path: Path) -> None:
    folder = expecting_project(tmp_path / "again", tiny_model, SEEDS, VARIANTS)
    project, run = load_project(folder), drawn_run(folder)
    put_all(run, 0, SEEDS, lambda _: shape(RED, "rectangle"), lambda seed: shape(GRAY, _form(seed > 4)))
    again = drawn_run(folder, "train.seed=7")
    put_all(again, 0, SEEDS, lambda _: shape(RED, "rectangle"), lambda _: shape(GRAY, "rectangle"))
    assert repeats_of(run) == [again]
    colour, form = (answered(project, run, {"expect": name, "prompt": "myshape"}) for name in ("colour", "shape"))
    assert (colour.answer, colour.note) == (AGREES, "16/16, 16/16 over 2 training seeds")
    assert form.answer == UNCERTAIN
    assert "by training seed: agrees, disagrees" in form.note
    refresh(run), refresh(again)
    band = noise_band([run, again]).of("myshape", 25, "shape", 4)
    assert band is not None
    assert (band.low, band.high, band.words) == (0.0, 0.75, "12/16, 0/16 over 2 training seeds")
    assert band.covers(Rate(6, 16)) and not band.covers(Rate(15, 16))


def test_one_run_makes_no_band() -> None:
    assert spread([Rate(3, 4)]) is None
    assert spread([Rate(3, 4), Rate(0, 0, 5)]) is None


def test_a_variant_of_other_tokens_is_compared_and_one_of_the_same_is_refused(
    project: Project, folder: Path, run: RunFolder
) -> None:
    other = drawn_run(folder, "lora.rank=2")
    put_all(other, 0, SEEDS, lambda _: shape(RED, "rectangle"), lambda _: shape(GRAY, "rectangle"))
    claim = {"expect": "shape", "prompt": "myshape", "more_often_than_variant": "more-rank"}
    told = answered(project, {"": run, "more-rank": other}, claim)
    assert told.measured.startswith("12/16")
    assert told.base.startswith("0/16")
    twin = {"": run, "same-tokens": run}
    refused = answered(project, twin, claim | {"more_often_than_variant": "same-tokens"})
    assert refused.answer == UNCERTAIN
    assert refused.note.startswith("refused: the captions are the same tokens")


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ({"colur": "gray"}, "did you mean colour?"),
        ({"colour": "grean"}, "did you mean green?"),
        ({"rate": [0, 1]}, "names nothing to look for"),
        ({"expect": "colour", "shape": "circle"}, "make two claims"),
        ({"expect": "colour", "rate": [0.9, 0.1]}, "not two shares"),
        ({"expect": "colour", "variant": "nobody"}, "no such variant"),
        ({"expect": "colour", "prompt": "nothing"}, "no [[sample.prompt]] has this text"),
        ({"expect": "grid"}, "no prompt expects anything of that name"),
        ({"measure": "laplacian"}, "there is no measure"),
    ],
)
def test_what_cannot_be_understood_is_said(
    project: Project, run: RunFolder, expectation: dict[str, Any], told: str
) -> None:
    assert told in claim_fault(claim_table(expectation), project)
    assert told in answered(project, run, expectation).note


def test_the_plane_shows_learning_beside_forgetting(run: RunFolder) -> None:
    early, late = plane(refresh(run))
    assert (early.step, early.learning.k, late.step, late.learning.k) == (2, 0, 4, 12)
    assert late.base.k == 0
    assert late.forgetting == 0.0  # the cup did not move at all
    assert late.wanted is not None and late.wanted > 0.05
    assert late.specificity is None


def test_the_table_of_a_reproduction_says_all_of_it(project: Project, run: RunFolder) -> None:
    answers = (answered(project, run, {"expect": "colour", "prompt": "myshape"}), answered(project, run, None))
    odd = Answer("a | b <script>", UNCERTAIN, "1/2", "0/2", "note", run.id)
    told = reproduction(
        [Experiment("shapes", "what?", (*answers, odd), (("same-tokens", "shapes"),))],
        [trained(project, "", run), trained(project, "other", drawn_run(run.project_folder))],
    )
    text = to_markdown(told)
    assert text.startswith("3 claims: 1 agrees, 1 uncertain, 1 for a person.\n")
    assert "| shapes | it is so | 16/16 (81–100 %) | 0/16 (0–19 %) | ✓ agrees |" in text
    assert r"a \| b \<script\>" in text
    assert "were trained apart and are the same LoRA, bit for bit" in text
    assert "same-tokens was not trained" in text.replace("\\", "")
    assert "2 runs, 8 steps, 2 minutes" in text
    assert told.as_json["counts"] == {AGREES: 1, UNCERTAIN: 1, PERSON: 1}
