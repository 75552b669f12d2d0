"""Cached tensors are found by content: what was changed is computed again, what was not is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from loratui.engine.cache import TensorCache
from loratui.engine.families import load_family
from loratui.engine.families.sd1 import StableDiffusion1
from loratui.engine.task import check_images, prepare
from loratui.lab.errors import LabError
from loratui.lab.run.record import read_record
from tests.processes import new_run, write_project


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    return write_project(tmp_path / "shapes", tiny_model)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Counts what goes through the encoders."""
    counts = {"images": 0, "captions": 0}
    images, tokens = StableDiffusion1.encode_images, StableDiffusion1.encode_tokens

    def count_images(self, pixels):  # type: ignore[no-untyped-def]
        counts["images"] += len(pixels)
        return images(self, pixels)

    def count_tokens(self, ids):  # type: ignore[no-untyped-def]
        counts["captions"] += len(ids)
        return tokens(self, ids)

    monkeypatch.setattr(StableDiffusion1, "encode_images", count_images)
    monkeypatch.setattr(StableDiffusion1, "encode_tokens", count_tokens)
    return counts


def prepared(project: Path, *overrides: str) -> None:
    record = read_record(new_run(project, *overrides))
    prepare(record, load_family(record, torch.device("cpu"), torch.float32), Accelerator(cpu=True), lambda _: None)


def test_a_second_run_encodes_nothing(project: Path, encoded: dict[str, int]) -> None:
    prepared(project)
    assert encoded == {"images": 3, "captions": 3}
    prepared(project, "train.seed=5")
    assert encoded == {"images": 3, "captions": 3}


def test_one_changed_pixel_is_its_batch_of_images_encoded_again(project: Path, encoded: dict[str, int]) -> None:
    prepared(project)
    path = project / "dataset" / "square.png"
    with Image.open(path) as image:
        image.putpixel((0, 0), (254, 255, 255))
        image.save(path)
    prepared(project)
    assert encoded == {"images": 6, "captions": 3}


def latents(project: Path) -> list[torch.Tensor]:
    record = read_record(new_run(project))
    family = load_family(record, torch.device("cpu"), torch.float32)
    return list(prepare(record, family, Accelerator(cpu=True), lambda _: None).tables.values())


def test_what_happens_to_be_in_the_cache_decides_no_bit_of_what_is_trained_on(project: Path, tiny_model: Path) -> None:
    """An image that goes through the autoencoder alone comes out with other last bits than one among others."""
    alone = write_project(project.parent / "alone", tiny_model)
    for name in ("square", "wide"):
        (alone / "dataset" / f"{name}.png").unlink()
    [one], [fresh] = latents(alone), latents(project)
    assert not torch.equal(one[0], fresh[0])  # else this test shows nothing
    for entry in sorted((project.parent / "cache" / "latents").glob("*/*")):
        content = entry.read_bytes()
        entry.unlink()
        [again] = latents(project)
        assert torch.equal(again, fresh)
        entry.write_bytes(content)
    [one_again] = latents(alone)
    assert torch.equal(one_again, one)


def test_one_changed_caption_is_one_caption_encoded_again(project: Path, encoded: dict[str, int]) -> None:
    prepared(project)
    (project / "dataset" / "square.txt").write_text("myshape,  square\n", encoding="utf-8")
    prepared(project)
    assert encoded == {"images": 3, "captions": 4}


def test_nothing_is_written_into_the_dataset(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (project / "dataset").iterdir()}
    prepared(project, "dataset.flip=true")
    assert {path: path.stat().st_mtime_ns for path in (project / "dataset").iterdir()} == before


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def _pickled(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)


def _rewritten(path: Path, array: np.ndarray) -> None:
    """As the format was before: an array alone."""
    with path.open("wb") as file:
        np.save(file, array)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-5]),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"x" * 300),
        _flip,
        _pickled,
        lambda path: _rewritten(path, np.zeros((3, 4), np.float32)),
        lambda path: _rewritten(path, np.zeros((9, 9), np.int64)),
        _fifo,
        _folder,
    ],
)
def test_a_damaged_entry_is_computed_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    cache = TensorCache("latents", tmp_path)
    value = torch.randn(3, 4)
    key = cache.key("a")
    cache.put(key, value)
    assert torch.equal(cache.get(key), value)  # type: ignore[arg-type]
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    damage(path)
    assert cache.get(key) is None
    again = cache.fill([key], lambda chunk: [value for _ in chunk])
    assert torch.equal(again[0], value)
    if damage is not _fifo and damage is not _folder:  # what is no file is left alone
        assert torch.equal(cache.get(key), value)  # type: ignore[arg-type]


def test_an_entry_under_the_name_of_another_is_not_believed(tmp_path: Path) -> None:
    cache = TensorCache("latents", tmp_path)
    one, other = cache.key("a"), cache.key("b")
    cache.put(one, torch.ones(2))
    cache.put(other, torch.zeros(2))
    shutil.copyfile(cache._path(other), cache._path(one))
    assert cache.get(one) is None
    assert cache.get(other) is not None


def test_training_refuses_an_image_that_changed_after_the_freeze(project: Path) -> None:
    record = read_record(new_run(project))
    Image.new("RGB", (96, 96), "red").save(project / "dataset" / "circle.png")
    with pytest.raises(LabError, match=r"circle\.png: this image changed since the run was made"):
        check_images(record)
