"""Cached tensors are found by content: what was changed is computed again, what was not is not."""

from __future__ import annotations

from pathlib import Path

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


def test_one_changed_pixel_is_one_image_encoded_again(project: Path, encoded: dict[str, int]) -> None:
    prepared(project)
    path = project / "dataset" / "square.png"
    with Image.open(path) as image:
        image.putpixel((0, 0), (254, 255, 255))
        image.save(path)
    prepared(project)
    assert encoded == {"images": 4, "captions": 3}


def test_one_changed_caption_is_one_caption_encoded_again(project: Path, encoded: dict[str, int]) -> None:
    prepared(project)
    (project / "dataset" / "square.txt").write_text("myshape,  square\n", encoding="utf-8")
    prepared(project)
    assert encoded == {"images": 3, "captions": 4}


def test_nothing_is_written_into_the_dataset(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (project / "dataset").iterdir()}
    prepared(project, "dataset.flip=true")
    assert {path: path.stat().st_mtime_ns for path in (project / "dataset").iterdir()} == before


def test_a_damaged_entry_is_computed_again(tmp_path: Path) -> None:
    cache = TensorCache("latents", tmp_path)
    value = torch.randn(3, 4)
    key = cache.key("a")
    cache.put(key, value)
    path = next(tmp_path.rglob("*.npy"))
    path.write_bytes(path.read_bytes()[:-5])
    again = cache.fill([key], lambda chunk: [value for _ in chunk])
    assert torch.equal(again[0], value)
    assert torch.equal(cache.get(key), value)  # type: ignore[arg-type]


def test_training_refuses_an_image_that_changed_after_the_freeze(project: Path) -> None:
    record = read_record(new_run(project))
    Image.new("RGB", (96, 96), "red").save(project / "dataset" / "circle.png")
    with pytest.raises(LabError, match=r"circle\.png: this image changed since the run was made"):
        check_images(record)
