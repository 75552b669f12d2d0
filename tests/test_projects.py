"""The eleven experiments of the articles are here, in order, drawn by their script, and fit into an evening."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loratui.lab.check.check import Report
from loratui.lab.project.claimed import claim_fault, claim_table
from loratui.lab.project.expected import faults
from loratui.lab.project.newproject import examples
from loratui.lab.project.project import Project, load_project
from loratui.lab.project.prompts import ResolvedPrompt
from loratui.lab.run.starting import examined
from tests.bench import draw_projects

PROJECTS = Path(__file__).parents[1] / "projects"
STEPS = {  # of every run, in the order of the experiments
    "basic-grey": {"": 750},
    "base-shapes": {"": 750},
    "base-monster": {"": 750},
    "colour-monster": {"": 750},
    "blur-monster": {"": 750},
    "grid-layout": {"": 1500},
    "one-shape-750": {"": 750},
    "one-shape-3000": {"": 3000, "past-8000": 9000},
    "maths-word": {"": 5000, "seed-1": 5000, "seed-2": 5000},
    "maths-phrase": {"": 5000, "maths-word": 5000},
    "deer-parts": {"": 2000},
}
WARNED = {  # that a trigger carries a meaning, and that two spellings are one: what these experiments are about
    "basic-grey": {"trigger-shares-tokens"},
    "base-shapes": {"trigger-shares-tokens"},
    "maths-phrase": {"variants-identical"},
}
SECONDS_A_STEP, SECONDS_A_PICTURE = 0.045, 0.15  # on two cores; of a picture of 25 denoising steps

each = pytest.mark.parametrize("name", STEPS)


@cache
def looked_at(name: str) -> tuple[Project, Report]:
    project = load_project(PROJECTS / name)
    return project, examined(project)[1]


def prompts(name: str) -> tuple[ResolvedPrompt, ...]:
    return looked_at(name)[0].settings.sample.resolved(())


# -- settings ---------------------------------------------------------------------------------------------------------


def test_every_row_of_the_experiments_is_a_project_and_an_example() -> None:
    assert {example.name for example in examples()} >= set(STEPS)


@each
def test_a_project_asks_a_question_and_has_nothing_odd_but_what_it_is_about(name: str) -> None:
    project, report = looked_at(name)
    assert project.settings.question.endswith(("?", "."))
    assert report.errors == ()
    assert {finding.rule for finding in report.warnings} == WARNED.get(name, set())


@each
def test_the_steps_are_those_of_the_experiment(name: str) -> None:
    planned = {setup.name: setup.plan.total_steps for setup in looked_at(name)[1].setups if setup.plan}
    assert planned == STEPS[name]


@each
def test_the_arithmetic_in_the_comments_is_the_plan(name: str) -> None:
    text = (PROJECTS / name / "project.toml").read_text(encoding="utf-8")
    for steps in STEPS[name].values():
        assert f"= {steps:,} steps" in text


def test_a_variant_changes_one_thing() -> None:
    for name in STEPS:
        report = looked_at(name)[1]
        assert [len(report.changes(setup)) for setup in report.setups[1:]] == [1] * (len(report.setups) - 1)


def test_all_of_them_take_less_than_ninety_minutes_by_arithmetic() -> None:
    seconds = 0.0
    for name in STEPS:
        for setup in looked_at(name)[1].setups:
            assert setup.plan is not None
            cells = sum(len(p.seeds) * len(p.inference_steps) for p in setup.settings.sample.resolved(()))
            drawn = cells * (len(setup.plan.sample_steps) * len(setup.settings.sample.scales) + 1)  # and the base
            seconds += setup.plan.total_steps * SECONDS_A_STEP + drawn * SECONDS_A_PICTURE
    assert seconds < 90 * 60


def test_sizes_of_the_maths_are_the_same_tokens_and_one_is_held_out() -> None:
    word, phrase = (looked_at(name)[1].base for name in ("maths-word", "maths-phrase"))
    assert [item.ids for item in word.checked] == [item.ids for item in phrase.checked]
    assert [item.image.caption for item in word.checked] != [item.image.caption for item in phrase.checked]
    assert [item.image.sha256 for item in word.checked] == [item.image.sha256 for item in phrase.checked]
    asked = [prompt.text for prompt in prompts("maths-word")]
    assert any("3x2" in text for text in asked)
    trained = [item.image.caption for item in word.checked]
    assert not [caption for caption in trained if "3x2" in caption or "cup" in caption]
    apples = [prompt for prompt in prompts("maths-word") if prompt.text in trained]
    assert sum(len(prompt.seeds) for prompt in apples) >= 100


# -- claims -----------------------------------------------------------------------------------------------------------

CLAIMED = [
    (name, index)
    for name in STEPS
    for index, claim in enumerate(load_project(PROJECTS / name).claims)
    if claim.expectation is not None
]


def test_each_experiment_makes_a_claim_that_can_be_measured() -> None:
    assert {name for name, _ in CLAIMED} == set(STEPS)


@each
def test_a_claim_that_no_measure_can_decide_says_why(name: str) -> None:
    project = looked_at(name)[0]
    undecided = sum(claim.expectation is None for claim in project.claims)
    assert project.file.read_text(encoding="utf-8").count("# No expectation: ") == undecided


@pytest.mark.parametrize(("name", "index"), CLAIMED)
def test_a_claim_names_expectations_prompts_and_variants_that_exist(name: str, index: int) -> None:
    project = looked_at(name)[0]
    claim = project.claims[index]
    assert claim.expectation is not None
    assert claim_fault(claim_table(claim.expectation), project) == ""


@each
def test_what_is_expected_is_a_thing_that_can_be_measured(name: str) -> None:
    assert [faults(prompt.expect) for prompt in prompts(name)] == [{}] * len(prompts(name))


# -- images -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of projects as the script makes it."""
    folder = tmp_path_factory.mktemp("projects")
    shutil.copytree(PROJECTS / "base-monster" / "dataset", folder / "base-monster" / "dataset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw_projects, "PROJECTS", folder)
        draw_projects.main()
    return folder


@pytest.mark.parametrize("name", [name for name in STEPS if name not in ("basic-grey", "base-monster")])
def test_images_and_captions_are_what_the_script_draws(drawn: Path, name: str) -> None:
    ours, theirs = ({file.name: file for file in (at / name / "dataset").iterdir()} for at in (PROJECTS, drawn))
    assert set(ours) == set(theirs)
    for file in ours:
        if file.endswith(".txt"):
            assert ours[file].read_text(encoding="utf-8") == theirs[file].read_text(encoding="utf-8")
        else:  # not the bytes: compression differs from one zlib to the next
            one, other = (np.asarray(Image.open(at[file]).convert("RGB"), float) for at in (ours, theirs))
            assert one.shape == other.shape
            assert np.abs(one - other).mean() < 0.2, file


@pytest.mark.parametrize(("name", "source"), draw_projects.SAME_IMAGES.items())
def test_experiments_that_differ_in_their_captions_or_steps_share_their_images(name: str, source: str) -> None:
    one, other = ({i.name: i.sha256 for i in looked_at(at)[1].images} for at in (name, source))
    assert one == other


def test_the_images_are_below_a_megabyte() -> None:
    files = [file for name in STEPS for pattern in ("*.png", "dataset/*") for file in (PROJECTS / name).glob(pattern)]
    assert sum(file.stat().st_size for file in files) < 1_000_000
