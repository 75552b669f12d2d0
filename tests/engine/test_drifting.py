"""The drift of the first answer: nothing for a LoRA that is nothing, about the same everywhere for a random one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from loratui.engine import noise
from loratui.engine.adapter import layers, strength
from loratui.engine.drifting import Answers, drift_prompts, measure_drift
from loratui.engine.later import Later
from loratui.lab.errors import LabError
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.drifts import drift_file, groups_at, read_drift, specificity
from loratui.lab.scores.groups import EMPTY, GROUPS, TRAINED
from tests.processes import new_run, train, write_project

SETTINGS = ("train.steps=4", "train.checkpoint_every=2", "train.learning_rate=0.05", "lora.rank=2",
            "sample.every=never", "sample.prompts=['a wide hat']")  # fmt: skip
SEEDS = tuple(range(1, 7))


@pytest.fixture(scope="module", params=["false", "true"], ids=["unet", "text encoder too"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> RunFolder:
    project = write_project(tmp_path_factory.mktemp("drifting") / "shapes", tiny_model)
    run = new_run(project, *SETTINGS, f"lora.text_encoder={request.param}")
    assert train(run) == 0
    return run


def test_an_untrained_lora_drifts_by_exactly_nothing(run: RunFolder) -> None:
    with Later(run) as later:
        untrained = Answers(later).drift("myshape", SEEDS)
        later.use(4)
        off = Answers(later).drift("myshape", SEEDS, scale=0.0)
        on = Answers(later).drift("myshape", SEEDS)
    assert all(drift == 0 and base == lora > 0 for drift, base, lora in (*untrained, *off))
    assert all(drift > 0 for drift, _, _ in on)
    assert off[0][1] == on[0][1]  # the base is the base


def test_a_random_lora_moves_all_groups_alike(run: RunFolder) -> None:
    with Later(run) as later:
        torch.manual_seed(0)
        with torch.no_grad():
            for layer in layers({"unet": later.models["unet"]}):
                layer.lora_B["lora"].weight.normal_(std=0.3)
        answers = Answers(later)
        means = {group: [sum(row[0] for row in answers.drift(text, SEEDS)) / len(SEEDS)]
                 for group, text in drift_prompts(later.record)}  # fmt: skip
    drifts = [drift for values in means.values() for drift in values]
    assert set(means) == set(GROUPS)
    assert min(drifts) > 0.05
    assert max(drifts) < 1.15 * min(drifts)


def test_the_drift_is_what_the_definition_says(run: RunFolder) -> None:
    with Later(run) as later:
        later.use(4)
        family = later.family
        family.scheduler.set_timesteps(25)  # type: ignore[attr-defined]
        first = family.scheduler.timesteps[0]  # type: ignore[attr-defined]
        x = noise.picture_noise(3, family.latent_channels, 8, 8)

        def answer(text: str, scale: float | None) -> torch.Tensor:
            with torch.no_grad(), strength(later.models, scale):
                return family.predict(x, first[None], family.encode_tokens(family.token_ids([text])))

        base, lora = answer("square", None), answer("square", 1.0)
        [(drift, base_pull, lora_pull)] = Answers(later).drift("square", [3])
        assert drift == pytest.approx(float((lora - base).norm() / base.norm()), rel=1e-4)
        assert base_pull == pytest.approx(float((base - answer("", None)).norm() / answer("", None).norm()), rel=1e-3)
        assert lora_pull == pytest.approx(float((lora - answer("", 1.0)).norm() / answer("", 1.0).norm()), rel=1e-3)


def test_every_group_and_the_runs_own_prompts_are_measured_at_each_checkpoint(run: RunFolder) -> None:
    drifts = measure_drift(run, [2, 4], [1, 2])
    assert read_drift(run) == drifts
    for step in (2, 4):
        found = groups_at(drifts, step)
        assert list(found) == list(GROUPS)
        assert all(one.n == 2 and one.mean > 0 for one in found.values())
        assert specificity(drifts, step) is not None
    assert {d.prompt for d in drifts} == {text for _, text in drift_prompts(read_record(run))}
    assert "a wide hat" in {d.prompt for d in drifts}
    assert all(d.base_pull == d.lora_pull == (0.0, 0.0) for d in drifts if d.group == EMPTY)


def test_only_what_is_missing_is_measured(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    drift_file(run).unlink(missing_ok=True)
    once = measure_drift(run, [4], [1, 2, 3])
    drift_file(run).unlink()
    asked: list[tuple[int, ...]] = []
    measure = Answers.drift

    def counted(self: Answers, text: str, seeds: list[int], scale: float = 1.0) -> list[tuple[float, float, float]]:
        asked.append(tuple(seeds))
        return measure(self, text, seeds, scale)

    monkeypatch.setattr(Answers, "drift", counted)
    measure_drift(run, [4], [3, 1])
    asked.clear()
    grown = measure_drift(run, [4], [1, 2, 3])
    assert set(asked) == {(2,)}
    asked.clear()
    assert measure_drift(run, [4], [2, 3]) == grown
    assert not asked
    assert [d.seeds for d in grown] == [(1, 2, 3)] * len(grown)
    trained = [d for d in grown if d.group == TRAINED]
    assert [d.drift for d in trained] == [pytest.approx(d.drift, rel=1e-4) for d in once if d.group == TRAINED]


def test_what_was_measured_of_another_lora_counts_for_nothing(run: RunFolder) -> None:
    before = measure_drift(run, [2, 4], [1])
    two, four = (run.checkpoint_file(step) for step in (2, 4))
    kept = four.read_bytes()
    try:
        four.write_bytes(two.read_bytes())
        after = {(d.step, d.prompt): d.drift for d in measure_drift(run, [2, 4], [1])}
        assert all(after[4, d.prompt][0] == pytest.approx(d.drift[0]) for d in before if d.step == 2)
    finally:
        four.write_bytes(kept)


def test_a_step_without_a_checkpoint_is_refused(run: RunFolder) -> None:
    with pytest.raises(LabError, match="there are 2, 4"):
        measure_drift(run, [3], [1])
