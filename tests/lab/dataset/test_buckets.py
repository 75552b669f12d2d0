"""Every training size is one the model can take, and the nearest to the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.lab.dataset.buckets import bucket_sizes, default_step, nearest, training_sizes
from loratui.lab.dataset.dataset import TrainingImage
from loratui.lab.project.settings import Dataset


def image(width: int, height: int) -> TrainingImage:
    return TrainingImage(Path("a.png"), "a.png", "0" * 64, width, height, "", None, 1)


@pytest.mark.parametrize(
    ("resolution", "step"), [(512, 64), (1024, 64), (768, 32), (64, 8), (500, 64), (96, 16), (8, 8)]
)
def test_sizes_keep_to_the_area_the_step_and_the_sides(resolution: int, step: int) -> None:
    sizes = bucket_sizes(resolution, step)
    assert len(set(sizes)) == len(sizes)
    for width, height in sizes:
        assert width * height <= resolution * resolution
        assert width % step == height % step == 0
        assert resolution / 2 <= min(width, height) or (width == height and resolution // 2 < step)
        assert max(width, height) <= 2 * resolution
        assert (height, width) in sizes
    side = resolution // step * step
    assert (side, side) in sizes


def test_the_sizes_of_stable_diffusion_are_kohyas() -> None:
    # sd-scripts, make_bucket_resolutions((512, 512), min_size=256, max_size=1024, divisible=64).
    half = {256: [1024, 960, 896, 832], 320: [768, 704], 384: [640], 448: [576], 512: [512]}
    expected = {(width, height) for width, heights in half.items() for height in heights}
    assert set(bucket_sizes(512, 64)) == expected | {(height, width) for width, height in expected}


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((512, 512), (512, 512)),
        ((3000, 3000), (512, 512)),
        ((1920, 1080), (640, 384)),
        ((1080, 1920), (384, 640)),
        ((10_000, 10), (1024, 256)),
        ((1, 999), (256, 1024)),
        ((1, 1), (512, 512)),
    ],
)
def test_an_image_goes_to_the_nearest_aspect_ratio(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert nearest(*shape, bucket_sizes(512, 64)) == size


def test_turning_an_image_turns_its_size() -> None:
    sizes = bucket_sizes(512, 64)
    for width in range(100, 1000, 37):
        for height in range(100, 1000, 41):
            turned = nearest(height, width, sizes)
            assert nearest(width, height, sizes) == turned[::-1] or width == height


def test_settings_of_zero_take_the_models_own_values() -> None:
    images = [image(200, 100), image(50, 50)]
    assert training_sizes(images, Dataset(), 64, 8) == (nearest(200, 100, bucket_sizes(64, 8)), (64, 64))
    own = Dataset(resolution=128, bucket_step=32)
    assert training_sizes(images, own, 64, 8) == (nearest(200, 100, bucket_sizes(128, 32)), (128, 128))


@pytest.mark.parametrize(
    ("resolution", "multiple", "step"),
    [(512, 8, 64), (768, 8, 64), (1024, 8, 64), (64, 8, 8), (64, 16, 16), (64, 4, 8)],
)
def test_the_step_is_chosen_from_the_model(resolution: int, multiple: int, step: int) -> None:
    assert default_step(resolution, multiple) == step
    for size in training_sizes([image(300, 200), image(9, 9)], Dataset(resolution=resolution), 512, multiple):
        assert size[0] % multiple == size[1] % multiple == 0


def test_without_buckets_everything_is_a_square() -> None:
    images = [image(200, 100), image(50, 500)]
    assert training_sizes(images, Dataset(buckets=False), 64, 8) == ((64, 64), (64, 64))
    assert training_sizes(images, Dataset(buckets=False, resolution=96), 64, 8) == ((96, 96), (96, 96))
