"""Pixels are what a viewer would show: upright, over white, in eight bits, cropped around the centre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loratui.lab.dataset.dataset import load_pixels, scan_dataset
from loratui.lab.errors import LabError
from loratui.lab.project.settings import Dataset


def pixels(path: Path, width: int, height: int) -> np.ndarray:
    array = load_pixels(path, width, height)
    assert (array.dtype, array.shape) == (np.uint8, (height, width, 3))
    return array


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_the_size_and_to_the_pixels(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = Image.new("RGB", (40, 20), (255, 255, 255))
    upright.paste((200, 0, 0), (0, 0, 20, 10))  # red in the top left quarter
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a{suffix}", exif=exif, quality=95, lossless=True)
    (tmp_path / "a.txt").write_text("red")
    image = scan_dataset(tmp_path, Dataset()).images[0]
    assert (image.width, image.height) == (40, 20)
    array = pixels(image.path, 40, 20).astype(int)
    assert array[4, 8, 1] < 60, "the red quarter is not at the top left"
    for row, column in ((4, 30), (15, 8), (15, 30)):
        assert array[row, column].min() > 200


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    if mode == "P":
        image = image.quantize(4)
    elif mode != "RGBA":
        image = image.convert(mode)
    path = tmp_path / ("a.webp" if mode == "PA" else "a.png")
    (image.convert("RGBA") if mode == "PA" else image).save(path, lossless=True)
    array = pixels(path, 8, 8)
    assert array[4, 1].tolist() == [0, 0, 0]
    assert array[4, 6].tolist() == [255, 255, 255]


def test_half_transparent_black_is_grey(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 128)).save(tmp_path / "a.png")
    assert pixels(tmp_path / "a.png", 8, 8)[0, 0].tolist() == [127, 127, 127]


def test_a_colour_key_is_transparent_too(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "a.png", transparency=(9, 9, 9))
    assert pixels(tmp_path / "a.png", 8, 8)[0, 0].tolist() == [255, 255, 255]


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 256).repeat(4, axis=0)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    array = pixels(tmp_path / "a.png", 256, 4)
    assert np.abs(array[0, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert (array[..., 0] == array[..., 2]).all()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("P", 1, None),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
    ],
)
def test_other_colour_modes_become_rgb(
    tmp_path: Path, mode: str, colour: object, expected: tuple[int, int, int] | None
) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image = Image.new(mode, (8, 8), colour)  # type: ignore[arg-type]
    if mode == "P":
        image.putpalette([0, 0, 0, 10, 20, 30])
        expected = (10, 20, 30)
    image.save(path, quality=100)
    assert np.abs(pixels(path, 8, 8)[3, 3].astype(int) - np.array(expected)).max() <= 2


def test_an_image_of_the_right_size_is_not_resampled(tmp_path: Path) -> None:
    noise = np.random.Generator(np.random.Philox(key=2)).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png", 32, 24) == noise).all()


@pytest.mark.parametrize(("size", "target"), [((90, 30), (30, 30)), ((30, 90), (30, 30)), ((64, 64), (64, 32))])
def test_an_image_is_cropped_around_its_centre(tmp_path: Path, size: tuple[int, int], target: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (0, 0, 255))
    image.paste((255, 0, 0), (size[0] // 2 - 10, size[1] // 2 - 10, size[0] // 2 + 10, size[1] // 2 + 10))
    image.save(tmp_path / "a.png")
    array = pixels(tmp_path / "a.png", *target)
    red = array[..., 0] > 128
    assert red.sum() == 400
    rows, columns = np.nonzero(red)
    assert abs(rows.mean() - (target[1] - 1) / 2) < 0.01
    assert abs(columns.mean() - (target[0] - 1) / 2) < 0.01


@pytest.mark.parametrize("target", [(64, 64), (48, 80), (8, 8), (333, 111)])
def test_any_size_gives_any_other_and_always_the_same_pixels(tmp_path: Path, target: tuple[int, int]) -> None:
    noise = np.random.Generator(np.random.Philox(key=3)).integers(0, 256, (57, 101, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    first = pixels(tmp_path / "a.png", *target)
    assert (pixels(tmp_path / "a.png", *target) == first).all()
    first[:] = 0  # the caller may write into its own copy


def test_pixels_of_a_broken_image_are_refused_by_name(tmp_path: Path) -> None:
    noise = np.random.Generator(np.random.Philox(key=1)).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(LabError, match=r"a\.png: damaged or cut short"):
        load_pixels(tmp_path / "a.png", 8, 8)
