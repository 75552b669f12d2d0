"""A block that is switched off does what the base model does: with all of them off a picture is the base's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loratui.engine.knockout import knock_out, layers_by_block, switched_off
from loratui.engine.later import Later
from loratui.lab.pictures.cells import cells
from loratui.lab.pictures.pictures import read_facts
from loratui.lab.run.runs import RunFolder
from loratui.lab.weights.knockouts import ONLY, WITHOUT, read_knockouts
from tests.processes import new_run, train, write_project

BLOCKS = ["TEXT", "IN01", "MID", "OUT02", "OUT03"]
SETTINGS = ("train.steps=3", "train.learning_rate=0.05", "train.text_encoder_learning_rate=0.05",
            "lora.text_encoder=true", "sample.every='end'", "sample.seeds=[1, 2]", "sample.inference_steps=[1, 2]",
            "sample.prompts=['myshape, circle', 'wide']")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> RunFolder:
    made = new_run(write_project(tmp_path_factory.mktemp("knockout") / "shapes", tiny_model), *SETTINGS)
    assert train(made) == 0
    return made


def test_all_blocks_off_is_the_base_bit_for_bit(run: RunFolder) -> None:
    with Later(run) as later:
        later.use(3)
        wanted = [c for c in cells(later.record.prompts[:1], (1.0,)) if c.inference_steps == 2]
        base = later.sampler.pictures([replace(cell, scale=None) for cell in wanted])
        full = later.sampler.pictures(wanted)
        blocks = layers_by_block(later.models)
        assert list(blocks) == BLOCKS
        assert not np.array_equal(base, full)
        with switched_off(blocks, blocks):
            assert np.array_equal(later.sampler.pictures(wanted), base)
        for block in blocks:
            with switched_off(blocks, [block]):
                assert not np.array_equal(later.sampler.pictures(wanted), full), block
        assert np.array_equal(later.sampler.pictures(wanted), full)


def test_every_block_is_drawn_off_and_alone_beside_base_and_whole(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    samples = sorted(run.samples.rglob("*.png"))
    made = knock_out(run, progress=lambda done, total: told.append((done, total)))
    assert sorted(run.samples.rglob("*.png")) == samples  # the run's own pictures are taken as they are
    assert [prompt.text for prompt in made.prompts] == ["myshape, circle", "wide"]
    first = made.prompts[0]
    assert (first.inference_steps, first.seeds) == (2, (1, 2))
    assert [one.block for one in first.of(WITHOUT)] == [one.block for one in first.of(ONLY)] == BLOCKS
    assert told[-1] == (2 * 2 * 12, 2 * 2 * 12)

    folder = run.path / "knockout/step-000003"
    lora = np.asarray(Image.open(run.samples / "step-000003/p00-seed2-steps2-scale1.png"), float) / 255
    base = np.asarray(Image.open(run.samples / "base/p00-seed2-steps2-base.png"), float) / 255
    path = folder / "p00-seed2-steps2-without-MID.png"
    off = np.asarray(Image.open(path), float) / 255
    (middle,) = (one for one in first.of(WITHOUT) if one.block == "MID")
    assert middle.to_lora.values[1] == pytest.approx(np.sqrt(((off - lora) ** 2).mean()), abs=1e-6)
    assert middle.to_base.values[1] == pytest.approx(np.sqrt(((off - base) ** 2).mean()), abs=1e-6)
    assert first.moved.values[1] == pytest.approx(np.sqrt(((lora - base) ** 2).mean()), abs=1e-6)
    facts = read_facts(path)
    assert facts is not None
    assert facts.lora.endswith(" without MID")
    assert middle.to_lora.words.endswith("(too few seeds)")

    assert read_knockouts(run) == (made,)
    assert made.sheets == ("knockout/step-000003/sheet.png",)
    assert Image.open(run.path / made.sheets[0]).width > 12 * 128
    monkeypatch.setattr("loratui.engine.knockout.Later", lambda *_: pytest.fail("the model was loaded again"))
    assert knock_out(run) == made
