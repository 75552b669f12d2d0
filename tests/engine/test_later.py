"""Pictures drawn after the training are those the worker would have drawn, and nothing is drawn twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loratui.engine.adapter import layers
from loratui.engine.later import Later, count_drawn, draw_more, reconstructions, sheets_of, wanted_cells
from loratui.engine.sample import Cell, Sampler, batch_rows
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.pictures.gallery import Gallery
from loratui.lab.pictures.pictures import read_facts
from loratui.lab.run.asking import asked_prompts, checkpoint_steps
from loratui.lab.run.events import read_events
from loratui.lab.run.lock import RunLock
from loratui.lab.run.record import read_record
from loratui.lab.run.runs import RunFolder, read_state
from tests.processes import new_run, sample_pixels, train, write_project

SETTINGS = ("train.steps=6", "train.checkpoint_every=3", "train.learning_rate=0.05", "lora.rank=4", "lora.alpha=2",
            "sample.every=3", "sample.seeds=[1,2,3,4,5]", "sample.inference_steps=[1,2]", "sample.batch_size=3",
            "sample.prompts=['myshape, circle','square']")  # fmt: skip


def pixels(path: Path) -> bytes:
    return np.asarray(Image.open(path)).tobytes()


def trained(folder: Path, model: Path, *more: str) -> RunFolder:
    run = new_run(write_project(folder / "shapes", model), *SETTINGS, *more)
    assert train(run) == 0
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> RunFolder:
    """A finished run. Its tests ask for more and more of it; each for other pictures."""
    return trained(tmp_path_factory.mktemp("later"), tiny_model)


@pytest.fixture
def other_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the day after the cache was cleared."""
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("text_encoder", ["false", "true"])
@pytest.mark.usefixtures("other_cache")
def test_lost_pictures_come_back_to_the_same_bits(tmp_path: Path, tiny_model: Path, text_encoder: str) -> None:
    run = trained(tmp_path, tiny_model, f"lora.text_encoder={text_encoder}", "lora.targets='conv'")
    as_trained = sample_pixels(run)
    assert any(as_trained[name] != as_trained[name.replace("000003", "000006")] for name in as_trained)
    for lost in run.samples.glob("*/*-seed[24]-*.png"):
        lost.unlink()
    drawn = draw_more(run, None, [3, 6], [1.0])
    assert sample_pixels(run) == as_trained
    assert sum(one.new for one in drawn) == 2 * 2 * 2 * 3  # prompts, seeds, lengths; the base and two steps
    assert len(drawn) == len(as_trained)


def test_a_picture_has_the_same_bits_whatever_it_is_drawn_with(run: RunFolder) -> None:
    with Later(run) as later:
        later.use(6)
        wanted = [cell for cell in wanted_cells(run, later.record, None, [1.0]) if cell.inference_steps == 2][:5]
        cell = replace(wanted[0], seed=77, scale=1.0)
        others = [replace(cell, seed=seed) for seed in (1, 5, 9)]
        alone = later.sampler.pictures([cell])[0]
        assert later.sampler.rows == batch_rows(later.record) == 3  # of five seeds, two batches
        assert np.array_equal(later.sampler.pictures([others[0], cell])[1], alone)
        assert np.array_equal(later.sampler.pictures([*others[:2], cell])[2], alone)
        assert np.array_equal(later.sampler.pictures([cell, *others[1:]])[0], alone)


def test_batches_are_as_high_as_the_runs_own_seeds_need(run: RunFolder) -> None:
    record = read_record(run)

    def rows(seeds: int, size: int) -> int:
        sample = replace(record.settings.sample, seeds=tuple(range(seeds)), batch_size=size)
        return batch_rows(replace(record, settings=replace(record.settings, sample=sample)))

    assert [rows(seeds, 8) for seeds in (1, 4, 8, 9, 20, 24)] == [1, 4, 8, 5, 7, 8]
    assert rows(100, 1) == 1


def test_scale_zero_is_the_base_bit_for_bit(run: RunFolder) -> None:
    prompts = asked_prompts(read_record(run), ["square", "a cup"], seeds=[1, 21, 22, 23], inference_steps=[2])
    drawn = draw_more(run, prompts, [3, 6], [0.0, 1.0])
    base = {(d.cell.prompt, d.cell.seed): pixels(d.path) for d in drawn if d.cell.scale is None}
    zero = [d for d in drawn if d.cell.scale == 0]
    assert len(zero) == 2 * len(base) == 16
    assert all(pixels(d.path) == base[d.cell.prompt, d.cell.seed] for d in zero)
    full = [d for d in drawn if d.cell.scale == 1]
    assert all(pixels(d.path) != base[d.cell.prompt, d.cell.seed] for d in full)


def test_what_is_there_is_not_drawn_again(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    record = read_record(run)
    prompts = asked_prompts(record, ["square"], seeds=[1, 2, 31], inference_steps=[1])
    wanted = wanted_cells(run, record, prompts, [1.0])
    assert count_drawn(run, record, wanted, [6]) == (4, 6)
    before = {path: path.stat().st_mtime_ns for path in run.samples.glob("*/*.png")}
    heights: list[int] = []
    draw = Sampler.pictures

    def counted(self: Sampler, batch: Sequence[Cell]) -> np.ndarray:
        heights.append(len(batch))
        return draw(self, batch)

    monkeypatch.setattr(Sampler, "pictures", counted)
    drawn = draw_more(run, prompts, [6], [1.0])
    assert {d.cell.seed: d.new for d in drawn} == {1: False, 2: False, 31: True}
    assert heights == [1, 1]  # half of what would be a batch was there
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert count_drawn(run, record, wanted, [6]) == (6, 6)


def test_nothing_heavy_is_loaded_for_what_is_there(run: RunFolder) -> None:
    code = ("import sys; from pathlib import Path; from loratui.engine.later import *; "
            "drawn = draw_more(RunFolder(Path(sys.argv[1])), None, [3, 6], [1.0]); "
            "print(len(drawn), 'torch' in sys.modules)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["60", "False"]


def test_a_picture_of_another_training_under_the_same_step_is_drawn_anew(run: RunFolder) -> None:
    there = run.samples / "step-000003" / "p00-seed1-steps1-scale1.png"
    right = pixels(there)
    other = run.samples / "step-000006" / there.name
    kept = there.read_bytes()
    there.write_bytes(other.read_bytes())  # it says that another LoRA made it
    assert sum(d.new for d in draw_more(run, None, [3], [1.0])) == 1
    assert pixels(there) == right
    there.write_bytes(b"not a picture")
    assert sum(d.new for d in draw_more(run, None, [3], [1.0])) == 1
    assert pixels(there) == right
    there.write_bytes(kept)


def test_new_prompts_get_numbers_of_their_own_and_known_ones_keep_theirs(run: RunFolder) -> None:
    record = read_record(run)

    def numbers(texts: list[str], **options: object) -> list[int]:
        prompts = asked_prompts(record, texts, seeds=[41], inference_steps=[1], **options)  # type: ignore[arg-type]
        drawn = draw_more(run, prompts, [6], [1.0])
        return [d.cell.number for d in drawn if d.cell.scale is None]

    taken = {spot.prompt for spot in looked(run).spots}
    first = numbers(["square", "a heart"])
    assert first[0] == 1
    assert first[1] not in taken
    assert numbers(["a heart", "a star", "square"]) == [first[1], first[1] + 1, 1]
    assert numbers(["square"], guidance_scale=1.5) == [first[1] + 2]  # another picture, so another number


def looked(run: RunFolder) -> Gallery:
    gallery = Gallery(run)
    gallery.refresh()
    return gallery


def test_what_was_asked_for_has_a_contact_sheet_beside_the_runs_own(run: RunFolder) -> None:
    record = read_record(run)
    own = run.samples / "sheet-step-000003.png"
    as_trained = own.read_bytes()
    prompts = asked_prompts(record, ["a hat"], seeds=[1, 2])
    draw_more(run, prompts, [3], [0.5])
    (sheet,) = sheets_of(run, record, wanted_cells(run, record, prompts, [0.5]), 3)
    assert own.read_bytes() == as_trained
    gallery = looked(run)
    assert gallery.sheets(3)[0] == own
    assert sheet in gallery.sheets(3)
    sheet.unlink()
    draw_more(run, prompts, [3], [0.5])  # nothing is missing but the sheet
    assert sheet.exists()


def test_viewers_hear_of_new_pictures_and_the_run_stays_finished(run: RunFolder) -> None:
    before = read_state(run)
    assert before.name == "finished"
    said = len(read_events(run.events_file)[0])
    draw_more(run, asked_prompts(read_record(run), ["square"], seeds=[51], inference_steps=[1]), [6], [1.0])
    new = read_events(run.events_file)[0][said:]
    assert [(event["kind"], event["step"], "sheet" in event) for event in new] == [
        ("sample", 6, False), ("sample", 6, True)]  # fmt: skip
    assert Path(new[0]["path"]).is_file()
    assert read_state(run) == before
    assert "1 picture, contact sheet" in run.log_file.read_text(encoding="utf-8").splitlines()[-1]


def test_a_live_workers_log_is_left_alone(run: RunFolder) -> None:
    prompts = asked_prompts(read_record(run), ["square"], seeds=[61], inference_steps=[1])
    events, log = run.events_file.read_bytes(), run.log_file.read_bytes()
    with RunLock(run.lock_file):
        drawn = draw_more(run, prompts, [6], [1.0])
    assert all(d.new and d.path.is_file() for d in drawn)
    assert (run.events_file.read_bytes(), run.log_file.read_bytes()) == (events, log)


def test_what_was_drawn_stays_when_it_is_ended(run: RunFolder) -> None:
    record = read_record(run)
    prompts = asked_prompts(record, ["square"], seeds=[71, 72, 73, 74], inference_steps=[1])
    wanted = wanted_cells(run, record, prompts, [1.0])

    def stop(done: int, total: int) -> None:
        assert total == 8
        if done == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        draw_more(run, prompts, [6], [1.0], stop)
    assert count_drawn(run, record, wanted, [6]) == (5, 8)
    assert sum(d.new for d in draw_more(run, prompts, [6], [1.0])) == 3


def test_a_step_without_a_checkpoint_is_refused_by_those_there_are(run: RunFolder) -> None:
    assert checkpoint_steps(run) == (3, 6)
    with pytest.raises(LabError, match=r"no checkpoint of step 4; there are 3, 6"):
        draw_more(run, None, [3, 4], [1.0])
    with Later(run) as later, pytest.raises(LabError, match="there are 3, 6"):
        later.use(5)


def test_before_a_checkpoint_is_used_the_lora_changes_nothing(run: RunFolder) -> None:
    with Later(run) as later:
        cell = wanted_cells(run, later.record, None, [1.0])[1]
        assert np.array_equal(
            later.sampler.pictures([replace(cell, scale=None)]), later.sampler.pictures([replace(cell, scale=1.0)])
        )
        facts = read_facts(run.samples / "step-000006/p00-seed1-steps1-scale1.png")
        assert facts is not None
        assert later.use(6) == facts.lora_hash
        assert all(layer.scaling["lora"] == 2 / 4 for layer in layers(later.models))
        later.use(3)
        again = later.sampler.pictures([replace(cell, scale=1.0, seed=1, inference_steps=1)])[0]
    assert again.tobytes() == pixels(run.samples / "step-000003/p00-seed1-steps1-scale1.png")


def test_training_images_come_back_from_the_autoencoder(run: RunFolder) -> None:
    images = read_record(run).images
    paths = reconstructions(run)
    assert [path.name for path in paths] == [f"{image.sha256[:16]}.png" for image in images]
    assert all(Image.open(path).size == image.bucket for path, image in zip(paths, images, strict=True))
    stamps = [path.stat().st_mtime_ns for path in paths]
    paths[0].unlink()
    assert reconstructions(run) == paths
    assert [path.stat().st_mtime_ns for path in paths][1:] == stamps[1:]


def test_an_image_that_changed_is_not_taken_for_the_one_trained_on(tmp_path: Path, tiny_model: Path) -> None:
    run = new_run(write_project(tmp_path / "shapes", tiny_model))
    Image.new("RGB", (96, 96), "red").save(read_record(run).images[1].path)
    with pytest.raises(LabError, match="changed since the run was made"):
        reconstructions(run)
