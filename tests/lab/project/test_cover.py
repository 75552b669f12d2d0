"""The cover of a project tells its first images with their captions, and what it sets, without opening an image."""

from __future__ import annotations

from pathlib import Path

from loratui.lab.project.cover import read_cover
from tests.frozen import write_bare_project


def test_the_first_images_are_told_in_natural_order_with_the_captions_of_a_run(tmp_path: Path) -> None:
    folder = write_bare_project(tmp_path / "p", "[lora]\nrank = 8\n", "10.png", "9.png", "1.png")
    (folder / "dataset" / "9.txt").unlink()
    (folder / "dataset" / "10.png").write_bytes(b"no picture")  # it is not opened
    cover = read_cover(folder, most=2)
    assert [(image.name, image.caption) for image in cover.images] == [("1.png", "myshape, 1"), ("9.png", "")]
    assert (cover.count, cover.dataset, cover.error) == (3, folder / "dataset", "")


def test_folders_with_repeats_give_their_words_to_images_without_caption(tmp_path: Path) -> None:
    folder = write_bare_project(tmp_path / "p", "[lora]\nrank = 8\n", "2_b/x.png", "1_a circle/y.png")
    (folder / "dataset" / "1_a circle" / "y.txt").unlink()
    cover = read_cover(folder)
    assert [(image.name, image.caption) for image in cover.images] == [
        ("1_a circle/y.png", "a circle"),
        ("2_b/x.png", "myshape, x"),
    ]


def test_only_settings_that_differ_are_told_each_with_its_default(tmp_path: Path) -> None:
    text = 'question = "What?"\n[train]\nlearning_rate = 3e-4\nepochs = 10\n[[sample.prompt]]\ntext = "a [cat]"\n'
    cover = read_cover(write_bare_project(tmp_path / "p", text + '[[variant]]\nname = "short"\n'))
    assert cover.question == "What?"
    assert cover.differing == (("train.learning_rate", "0.0003", "0.0001"), ("sample.prompt", '"a [cat]"', "[]"))
    assert cover.variants == ("short",)


def test_what_is_wrong_is_told_in_place_of_what_cannot_be_read(tmp_path: Path) -> None:
    broken = read_cover(write_bare_project(tmp_path / "broken", "[lora]\nrnak = 4\n"))
    assert "project.toml:2" in broken.error and broken.dataset is None
    lost = read_cover(write_bare_project(tmp_path / "lost", '[dataset]\npath = "elsewhere"\n'))
    assert "set dataset.path" in lost.error and lost.dataset == tmp_path / "lost" / "elsewhere"
    assert read_cover(tmp_path / "none").error
