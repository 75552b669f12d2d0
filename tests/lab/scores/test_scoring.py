"""A run's pictures are counted as they are, beside the base's of the same noise, and none is measured twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores import scoring
from loratui.lab.scores.groups import TRAINED, UNRELATED
from loratui.lab.scores.readings import Readings
from loratui.lab.scores.scores import ALL, RunScores, Score, read_scores, scores_file, write_scores
from loratui.lab.scores.scoring import is_current, refresh
from tests.lab.scores.drawnruns import BLUE, GRAY, RED, drawn_run, expecting_project, noise, put, put_all, shape

SEEDS = tuple(range(1, 13))


@pytest.fixture(scope="module")
def home(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expecting_project(tmp_path_factory.mktemp("scoring") / "shapes", tiny_model, SEEDS)


@pytest.fixture
def run(home: Path) -> RunFolder:
    return drawn_run(home)


def of(scores: RunScores, prompt: int, name: str, step: int = 4) -> Score:
    (one,) = (s for s in scores.scores if (s.place.prompt, s.name, s.place.step) == (prompt, name, step))
    return one


def test_each_expectation_has_the_count_that_was_drawn(run: RunFolder) -> None:
    put_all(run, 0, SEEDS, lambda _: shape(RED), lambda seed: shape(GRAY, "ellipse" if seed > 3 else "rectangle"))
    scores = refresh(run)
    colour, form, ground, every = (of(scores, 0, name) for name in ("colour", "shape", "background", ALL))
    assert (colour.base.k, colour.base.n, colour.lora.k, colour.lora.n) == (0, 12, 12, 12)
    assert (form.base.k, form.lora.k) == (12, 9)
    assert (ground.base.k, ground.lora.k) == (12, 12)
    assert (every.base.k, every.lora.k) == (0, 9)
    assert colour.verdict.verdict == "learned"
    assert ground.verdict.verdict == "too few pictures"  # 12 of 12 with and without could differ by 24 points
    assert form.lora_seen == (False,) * 3 + (True,) * 9


def test_what_no_measure_can_tell_is_uncertain_and_not_counted(run: RunFolder) -> None:
    put_all(run, 0, SEEDS, lambda _: shape(RED), lambda seed: noise(seed) if seed < 5 else shape(GRAY))
    colour = of(refresh(run), 0, "colour")
    assert (colour.lora.k, colour.lora.n, colour.lora.unsure) == (8, 8, 4)
    assert colour.lora_seen[:4] == (None,) * 4
    assert colour.paired.only_lora == 8


def test_only_seeds_with_a_twin_count(run: RunFolder) -> None:
    put_all(run, 0, SEEDS[:4], lambda _: shape(RED), lambda _: shape(GRAY))
    put(run, 0, 11, shape(GRAY), 4)  # whose base picture was not drawn yet
    put(run, 0, 12, shape(RED))
    assert of(refresh(run), 0, "colour").seeds == (1, 2, 3, 4)


def test_numbers_are_told_with_the_change_by_seed(run: RunFolder) -> None:
    put_all(run, 0, SEEDS, lambda seed: shape(RED, at=12), lambda seed: shape(RED, at=seed % 3))
    (bias,) = (mean for mean in refresh(run).means if mean.name == "centre_bias")
    assert bias.n == 12
    assert bias.base is not None and bias.lora is not None and bias.change is not None
    assert bias.base > 0.3 > bias.lora
    assert bias.change.high < -0.2


def test_copies_of_training_images_are_found_and_the_bases_are_the_yardstick(run: RunFolder) -> None:
    def trained(seed: int) -> object:
        from PIL import Image

        return Image.open(run.project_folder / "dataset" / "circle.png").convert("RGB").resize((64, 64))

    put_all(run, 0, SEEDS, lambda seed: shape(BLUE, "rectangle", "yellow", seed % 5), trained)  # type: ignore[arg-type]
    put_all(run, 1, SEEDS, lambda seed: shape(BLUE, at=seed % 5), lambda seed: shape(RED, at=seed % 5))
    copied, style = refresh(run).copies
    assert (copied.copies, copied.base_copies, copied.n, copied.photocopier) == (12, 0, 12, True)
    assert copied.diversity < 0.01
    assert (style.copies, style.photocopier) == (0, False)


def test_what_moved_is_told_by_the_kind_of_prompt(run: RunFolder) -> None:
    put_all(run, 0, SEEDS, lambda _: shape(RED), lambda _: shape(BLUE, "rectangle"))
    put_all(run, 1, SEEDS, lambda _: shape(RED), lambda _: shape(RED))
    wanted, unasked = refresh(run).moved
    assert (wanted.group, unasked.group) == (TRAINED, UNRELATED)
    assert wanted.rmse > 0.1
    assert unasked.rmse == 0.0


def test_nothing_is_measured_twice_and_what_is_new_is(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put_all(run, 0, SEEDS[:6], lambda seed: shape(RED, at=seed), lambda seed: shape(GRAY, at=seed))
    first = refresh(run)
    measured: list[Path] = []

    def counting(path: Path) -> object:
        measured.append(path)
        return real(path)

    from loratui.lab.scores import readings

    real = readings._measured
    monkeypatch.setattr(readings, "_measured", counting)
    assert refresh(run) == first
    assert measured == []
    new = put(run, 0, 7, shape(GRAY, at=9), 4)
    twin = put(run, 0, 7, shape(RED, at=9))
    assert len(of(refresh(run), 0, "colour").seeds) == 7
    assert sorted(measured) == sorted([new, twin])


def test_scores_are_read_back_as_they_were_written(run: RunFolder) -> None:
    put_all(run, 0, SEEDS[:2], lambda _: shape(RED), lambda _: shape(GRAY))  # so few that intervals have no end
    scores = refresh(run)
    assert read_scores(run) == scores
    assert is_current(run, scores)


def test_a_new_picture_makes_scores_old(run: RunFolder) -> None:
    assert not is_current(run, None)
    put_all(run, 0, SEEDS[:3], lambda _: shape(RED), lambda _: shape(GRAY))
    scores = refresh(run)
    put(run, 0, 9, shape(RED), 4)
    assert not is_current(run, scores)
    assert is_current(run, refresh(run))


def test_a_broken_picture_is_named_and_the_others_count(run: RunFolder) -> None:
    put_all(run, 0, SEEDS[:5], lambda _: shape(RED), lambda _: shape(GRAY))
    broken = put(run, 0, 3, shape(GRAY), 4)
    broken.write_bytes(broken.read_bytes()[:60])
    scores = refresh(run)
    assert of(scores, 0, "colour").seeds == (1, 2, 4, 5)
    assert [str(broken) in line for line in scores.unread] == [True]


def test_a_run_without_pictures_has_no_scores(run: RunFolder) -> None:
    scores = refresh(run)
    assert (scores.scores, scores.copies, scores.steps) == ((), (), ())
    assert is_current(run, read_scores(run))


def test_a_damaged_file_says_what_to_do_and_is_made_anew(run: RunFolder) -> None:
    put_all(run, 0, SEEDS[:2], lambda _: shape(RED), lambda _: shape(GRAY))
    scores = refresh(run)
    scores_file(run).write_text(scores_file(run).read_text()[:200])
    with pytest.raises(LabError, match="delete it"):
        read_scores(run)
    assert refresh(run) == scores == read_scores(run)


def test_scores_of_another_version_are_counted_anew(run: RunFolder) -> None:
    write_scores(run, RunScores(run.id, "x"))
    document = json.loads(scores_file(run).read_text())
    scores_file(run).write_text(json.dumps(document | {"version": 0}))
    assert read_scores(run) is None


def test_lines_of_readings_that_cannot_be_read_are_measured_again(run: RunFolder) -> None:
    path = put(run, 0, 1, shape(RED))
    known = Readings(run).of(path)
    file = run.path / "readings.jsonl"
    file.write_text("nonsense\n[1]\n{}\n" + file.read_text() + '{"v": 1, "sha"')
    assert Readings(run).known(path) == known[1]
    file.write_text("nonsense\n")
    assert Readings(run).known(path) is None
    assert Readings(run).of(path) == known


@pytest.mark.parametrize(
    ("name", "odd"),
    [("colour", [5, 1.0, ""]), ("colour", [[], 1.0, ""]), ("coverage", ["gray", 1.0, ""]), ("count", [True, 1.0, ""]),
     ("count", [None, 1.0, ""]), ("coverage", [1e300, 1.0, ""]), ("shape", ["circle", 7.0, ""]),
     ("shape", ["circle", "x", ""]), ("shape", ["circle", 1.0, None]), ("shape", ["circle"])],
)  # fmt: skip
def test_a_reading_that_no_measure_says_is_measured_again(run: RunFolder, name: str, odd: object) -> None:
    path = put(run, 0, 1, shape(RED))
    known = Readings(run).of(path)
    file = run.path / "readings.jsonl"
    line = json.loads(file.read_text(encoding="utf-8"))
    line["measures"][name] = odd
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert Readings(run).known(path) is None
    assert Readings(run).of(path) == known


@pytest.fixture
def said_later(home: Path) -> Iterator[None]:
    file = home / "project.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('expect = { colour = "gray" }', 'expect = { colour = "gray", count = 1 }'))
    yield
    file.write_text(text, encoding="utf-8")


def test_an_expectation_that_was_written_after_the_run_counts_and_says_so(run: RunFolder, said_later: None) -> None:
    put_all(run, 1, SEEDS[:3], lambda _: shape(RED), lambda _: shape(GRAY))
    scores = refresh(run)
    assert (of(scores, 1, "count").later, of(scores, 1, "colour").later) == (True, False)
    assert of(scores, 1, "count").lora.k == 3


def test_a_project_that_is_gone_or_broken_leaves_the_record_to_speak(run: RunFolder) -> None:
    put_all(run, 0, SEEDS[:3], lambda _: shape(RED), lambda _: shape(GRAY))
    file = run.project_folder / "project.toml"
    text = file.read_text(encoding="utf-8")
    try:
        file.write_text("[sample\n")
        assert of(refresh(run), 0, "colour").lora.k == 3
    finally:
        file.write_text(text, encoding="utf-8")


def test_one_text_at_two_lengths_keeps_two_expectations(tiny_model: Path, tmp_path: Path) -> None:
    project = expecting_project(tmp_path / "two", tiny_model, SEEDS)
    text = (project / "project.toml").read_text(encoding="utf-8")
    text += '[[sample.prompt]]\ntext = "myshape"\ninference_steps = [1]\nexpect = { coverage = [0.0, 0.5] }\n'
    (project / "project.toml").write_text(text, encoding="utf-8")
    run = drawn_run(project)
    told = scoring.expectations(run, scoring.Seen(run).record)
    assert set(told[2, 1][0]) == {"coverage"}
    assert set(told[0, 25][0]) == {"colour", "shape", "background"}
    assert set(told[0, 1][0]) == {"coverage"}  # the first text, drawn later at the length of the last
