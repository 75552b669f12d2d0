"""The mask of a measure is the picture with all dimmed that the measure left out, made once by another process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from loratui.lab import apart
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.pictures.maskpicture import mask_picture, measure_apart


@pytest.fixture
def disc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    image = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(image).ellipse((16, 16, 48, 48), fill=(128, 128, 128))
    image.save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


def brightest(image: Image.Image, at: tuple[int, int]) -> int:
    """The greatest channel of one pixel."""
    return max(image.crop((*at, at[0] + 1, at[1] + 1)).tobytes())


def test_inside_of_the_mask_the_picture_is_as_it_was_and_outside_it_is_dark(
    disc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = measure_apart(disc)
    assert (told.measures["colour"].value, told.measures["shape"].value) == ("gray", "circle")
    middle, corner = (32, 32), (2, 2)
    shape, ground = (Image.open(mask_picture(disc, name)).convert("RGB") for name in ("shape", "background"))
    assert shape.getpixel(middle) == (128, 128, 128)
    assert brightest(shape, corner) < 90
    assert ground.getpixel(corner) == (255, 255, 255)
    assert brightest(ground, middle) < 90

    monkeypatch.setattr(subprocess, "Popen", None)  # what is in the cache needs no other process
    assert measure_apart(disc) == told
    with pytest.raises(LabError, match="no measure beauty"):
        mask_picture(disc, "beauty")


def test_what_is_no_picture_is_told_and_it_ends_when_nobody_waits_any_more(disc: Path) -> None:
    broken = disc.with_name("broken.png")
    broken.write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    with pytest.raises(LabError, match=r"broken\.png: cannot be read as a picture"):
        measure_apart(broken)

    def enough(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        measure_apart(disc, enough)


def test_a_child_that_breaks_off_is_told_in_its_last_words() -> None:
    with pytest.raises(LabError, match=r"the work broke off: .*no_such_module"):
        apart.ask("loratui.lab.no_such_module", [], "the work")
