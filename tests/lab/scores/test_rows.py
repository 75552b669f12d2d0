"""Scores of runs stand beside each other when they ask for the same, and are tested on the same seeds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from loratui.lab.notes.comparison import measure_rows
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.rows import NOTHING, SideBySide, measured, side_by_side, versus_words
from loratui.lab.scores.scores import Place, RunScores, Score, write_scores
from loratui.lab.scores.statistics import Rate, mcnemar, suggest
from tests.frozen import log
from tests.processes import new_run, write_project

PROMPT = 'sample.prompts=["myshape"]'


@pytest.fixture(scope="module")
def project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("rows") / "shapes", tiny_model)


def held(shown: Sequence[bool | None], seeds: Sequence[int] | None = None, base: int = 1, text: str = "myshape",
         prompt: int = 0, step: int = 4, name: str = "colour") -> Score:  # fmt: skip
    """A score with that seen on seeds 1, 2, …; the base model shows it on the first `base` of them."""
    seeds = tuple(seeds or range(1, len(shown) + 1))
    without = [index < base for index in range(len(shown))]
    lora = Rate(shown.count(True), shown.count(True) + shown.count(False), shown.count(None))
    both = [(b, x) for b, x in zip(without, shown, strict=True) if x is not None]
    paired = mcnemar([b for b, _ in both], [x for _, x in both])
    rate = Rate(base, len(shown))
    return Score(Place(prompt, text, 25, 1.0, step), name, "gray", rate, lora, paired, suggest(rate, lora, paired),
                 tuple(seeds), tuple(without), tuple(shown))  # fmt: skip


def run_with(project: Path, *scores: Score, overrides: Sequence[str] = (PROMPT,)) -> RunFolder:
    run = new_run(project, *overrides)
    write_scores(run, RunScores(run.id, "", scores=scores))
    return run


def only(*runs: RunFolder) -> SideBySide:
    (one,) = side_by_side(runs)
    return one


def words(*runs: RunFolder) -> str:
    one = only(*runs)
    return " · ".join(versus_words(versus, one) for versus in one.versus)


def test_each_run_has_its_rate_and_the_base_its_own(project: Path) -> None:
    a, b = run_with(project, held([True] * 11 + [False])), run_with(project, held([True] * 4 + [False] * 8))
    (row,) = measured([a, b])
    assert (row.label, row.texts) == ("colour gray · myshape", ("11/12 (65–99 %)", "4/12 (14–61 %)"))
    assert row.note == "base 1/12 (1–35 %) · of 12 shared seeds 7 only A, 0 only B: p = 0.016"
    assert measure_rows([a, b]) == [row]


def test_only_seeds_that_both_have_and_could_measure_are_tested(project: Path) -> None:
    a = run_with(project, held([True, True, None, True], seeds=[1, 2, 3, 4]))
    b = run_with(project, held([False, True, True, False], seeds=[2, 3, 4, 9]))
    (versus,) = only(a, b).versus
    assert (versus.seeds, versus.paired) == (2, mcnemar([True, True], [False, True]))
    assert words(a, b).endswith("too few differ to tell")


def test_runs_that_agree_on_every_seed_are_told_so(project: Path) -> None:
    a, b = (run_with(project, held([True, False, True])) for _ in range(2))
    assert words(a, b) == "A and B the same on all 3 shared seeds"


def test_no_seeds_in_common_are_no_test(project: Path) -> None:
    a, b = run_with(project, held([True], seeds=[1])), run_with(project, held([True], seeds=[2]))
    assert words(a, b) == "A and B share no seeds that were drawn alike: not tested"


def test_pictures_drawn_in_another_way_are_not_tested(project: Path) -> None:
    a = run_with(project, held([True, False]))
    b = run_with(project, held([True, False]), overrides=(PROMPT, "sample.guidance_scale=2.0"))
    assert only(a, b).versus[0].paired is None


def test_a_replaced_tag_is_the_same_question(project: Path) -> None:
    a = run_with(project, held([True] * 4))
    b = run_with(project, held([True] * 4, text="monster", base=3), overrides=('sample.prompts=["monster"]',))
    (row,) = measured([a, b])
    assert row.label == "colour gray · myshape / monster"
    assert row.texts == ("4/4 (51–100 %), base 1/4 (5–70 %)", "4/4 (51–100 %), base 3/4 (30–95 %)")
    assert "base" not in row.note


def test_other_expectations_and_other_prompts_have_rows_of_their_own(project: Path) -> None:
    a = run_with(project, held([True]), held([True], name="shape"))
    b = run_with(project, held([False]), held([True], text="circle", prompt=1))
    assert [[score is not None for score in one.scores] for one in side_by_side([a, b])] == [
        [True, True], [True, False], [False, True]]  # fmt: skip
    assert measured([a, b])[1].texts[1] == NOTHING


def test_other_steps_are_named(project: Path) -> None:
    a, b = run_with(project, held([True], step=3)), run_with(project, held([True], step=9))
    assert measured([a, b])[0].texts == ("1/1 (21–100 %) @3", "1/1 (21–100 %) @9")


def test_a_difference_is_held_against_the_noise_of_repeats(tiny_model: Path, tmp_path: Path) -> None:
    """Repeats show it in 3 to 8 of 12 pictures: 8 and 3 are no difference to speak of, 12 and 1 are."""
    project = write_project(tmp_path / "shapes", tiny_model)

    def finished(shown: int, *overrides: str) -> RunFolder:
        seen = [index < shown for index in range(12)]
        run = run_with(project, held(seen), overrides=(PROMPT, *overrides))
        log(run, "state", state="finished", step=4)
        return run

    a = finished(5)
    repeats = [finished(shown, f"train.seed={shown}") for shown in (3, 8)]
    near, far = finished(4, "lora.rank=2"), finished(12, "lora.rank=3")
    assert words(a, near).endswith(", within the noise of 3 training seeds")
    assert words(a, far).endswith(", beyond the noise of 3 training seeds")
    assert words(a, repeats[0]).endswith(", a repeat: noise")
    assert words(near, far).endswith(": p = 0.0078")  # nobody repeated these


def test_what_is_not_measured_says_nothing_and_what_is_damaged_does(project: Path) -> None:
    a, b = new_run(project, PROMPT), new_run(project, PROMPT)
    assert measured([a, b]) == []
    (a.path / "scores.json").write_text("[", encoding="utf-8")
    (row,) = measured([a, b])
    assert row.texts == ("cannot be read",) * 2
    assert "scores.json" in row.note


def test_the_interface_shows_them_without_numpy(project: Path) -> None:
    run = run_with(project, held([True]))
    script = (
        "import sys; from pathlib import Path; from loratui.lab.run.runs import RunFolder\n"
        "from loratui.lab.notes.comparison import measure_rows\n"
        f"assert measure_rows([RunFolder(Path({str(run.path)!r}))] * 2)\n"
        "assert not {'numpy', 'scipy', 'torch', 'textual'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
