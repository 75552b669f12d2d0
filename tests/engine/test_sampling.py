"""The base column proves itself: twins from the same noise, equal to the bit at scale 0."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from loratui.engine.adapter import layers
from loratui.engine.families import load_family
from loratui.engine.sample import Cell, Sampler, cells
from loratui.engine.task import Task, prepare
from loratui.lab.pictures.pictures import read_facts, save_picture
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder
from tests.processes import new_run, write_project

PROMPT = "myshape, circle"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> RunFolder:
    project = write_project(tmp_path_factory.mktemp("sampling") / "shapes", tiny_model)
    return new_run(project, "lora.rank=4", "lora.alpha=6", "lora.targets='conv'", "lora.text_encoder=true")


@pytest.fixture(scope="module")
def task(run: RunFolder) -> Task:
    record = read_record(run)
    family = load_family(record, torch.device("cpu"), torch.float32)
    task = prepare(record, family, Accelerator(cpu=True), lambda _: None)
    torch.manual_seed(0)
    with torch.no_grad():
        for layer in layers(task.models):  # a LoRA that changes every picture
            layer.lora_B["lora"].weight.normal_(std=0.3)
    return task


@pytest.fixture
def sampler(run: RunFolder, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sampler:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    return Sampler(RunFolder(tmp_path / "run"), task)


def wanted(*scales: float | None, seeds: tuple[int, ...] = (1, 2, 3)) -> list[Cell]:
    return [Cell(0, PROMPT, "", seed, 3, 5.0, 64, 64, scale) for scale in scales for seed in seeds]


def test_scale_zero_is_the_base_bit_for_bit(sampler: Sampler) -> None:
    base, zero, full = (sampler.pictures(wanted(scale)) for scale in (None, 0.0, 1.0))
    assert np.array_equal(base, zero)
    assert not np.array_equal(base, full)


def test_drawing_leaves_the_training_weights_as_they_were(sampler: Sampler, task: Task) -> None:
    before = {k: v.clone() for k, v in task.models["unet"].state_dict().items()}
    sampler.pictures(wanted(0.5))
    sampler.pictures(wanted(None))
    after = task.models["unet"].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(p.requires_grad for layer in layers(task.models) for p in layer.lora_A.parameters())
    assert all(layer.scaling["lora"] == 6 / 4 for layer in layers(task.models))


def test_the_base_is_what_the_diffusers_pipeline_draws(sampler: Sampler, task: Task, tiny_model: Path) -> None:
    pipe = StableDiffusionPipeline.from_pretrained(tiny_model, safety_checker=None)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing", clip_sample=False)
    pipe.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(seed) for seed in (1, 2, 3)]
    drawn = pipe([PROMPT] * 3, num_inference_steps=3, guidance_scale=5.0, generator=noise, height=64, width=64,
                 output_type="np").images  # fmt: skip
    theirs = (drawn * 255).round().astype(np.uint8)
    ours = sampler.pictures(wanted(None))
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_base_pictures_are_drawn_once_and_reused(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [d.path.read_bytes() for d in sampler.draw(wanted(None), 5, "")]
    monkeypatch.setattr(sampler, "pictures", lambda _: pytest.fail("drawn a second time"))
    assert [d.path.read_bytes() for d in sampler.draw(wanted(None), 9, "")] == first


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-30] ^= 1  # in the pixels: what made it is said before them
    path.write_bytes(content)


def _of_another_model(path: Path) -> None:
    facts = read_facts(path)
    assert facts is not None
    save_picture(path, np.zeros((64, 64, 3), np.uint8), replace(facts, model_hash="0" * 64))


def _of_another_size(path: Path) -> None:
    facts = read_facts(path)
    assert facts is not None
    save_picture(path, np.zeros((32, 64, 3), np.uint8), facts)


def _unsigned(path: Path) -> None:
    Image.new("RGB", (64, 64)).save(path)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        _of_another_model,
        _of_another_size,
        _unsigned,
        _fifo,
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
    ],
)
def test_a_kept_base_picture_that_is_not_what_it_is_taken_for_is_drawn_anew(
    sampler: Sampler, damage: Callable[[Path], object]
) -> None:
    cells = wanted(None, seeds=(1,))
    (first,) = [d.path.read_bytes() for d in sampler.draw(cells, 5, "")]
    (kept,) = sampler.base_cache.rglob("*.png")
    damage(kept)
    sampler.path(cells[0], 5).unlink()
    (again,) = [d.path.read_bytes() for d in sampler.draw(cells, 5, "")]
    assert again == first
    assert damage is _fifo or kept.read_bytes() == first


@pytest.mark.parametrize("change", ["prompt", "negative_prompt", "seed", "inference_steps", "guidance_scale", "width"])
def test_whatever_determines_a_picture_is_part_of_its_key(sampler: Sampler, change: str) -> None:
    cell = wanted(None, seeds=(1,))[0]
    value = {"prompt": "square", "negative_prompt": "blurry"}.get(change, 96)
    other = Cell(**{**cell.__dict__, change: value})
    assert sampler._base_key(other) != sampler._base_key(cell)
    assert sampler._base_key(Cell(**{**cell.__dict__, "number": 7})) == sampler._base_key(cell)


def test_a_picture_says_what_made_it(sampler: Sampler) -> None:
    base, lora = (next(iter(sampler.draw(wanted(s, seeds=(2,)), 7, "ab" * 32))) for s in (None, 0.5))
    facts = read_facts(lora.path)
    assert facts is not None
    assert (facts.prompt, facts.seed, facts.inference_steps, facts.scale, facts.step) == (PROMPT, 2, 3, 0.5, 7)
    assert facts.lora_hash == "ab" * 32
    assert "RNG: CPU" in facts.parameters
    plain_facts = read_facts(base.path)
    assert plain_facts is not None
    assert plain_facts.scale is None
    assert plain_facts.lora_hash == ""


def test_cells_are_prompts_by_seeds_by_steps_by_scales(run: RunFolder) -> None:
    prompts = read_record(run).prompts
    made = cells(prompts, (None, 1.0))
    assert len(made) == len(prompts) * 4 * 1 * 2
    assert {cell.scale for cell in made} == {None, 1.0}
    assert all(cell.width == cell.height == 64 for cell in made)
