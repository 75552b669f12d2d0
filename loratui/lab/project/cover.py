"""What is shown of a project before it is opened: its first images with their captions, and how its settings differ.

Opens only the caption files of the images that are shown, and no image. What the list tells is in projects.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.lab.dataset.captionfiles import read_caption
from loratui.lab.dataset.dataset import ListedImage, count_images, list_images
from loratui.lab.errors import LabError
from loratui.lab.project.project import load_project
from loratui.lab.project.schema import show
from loratui.lab.project.settings import Settings, changed_keys

_TOLD_ELSEWHERE = ("question",)


@dataclass(frozen=True)
class CoverImage:
    """An image of the dataset; the caption is what a run would train it with, "" for none."""

    path: Path
    name: str
    caption: str


@dataclass(frozen=True)
class Cover:
    """`differing` are the settings that are not the defaults: key, value, default. `error` is a problem to be mended.

    `images` are the first few, `count` says how many there are in all.
    """

    folder: Path
    question: str = ""
    dataset: Path | None = None
    images: tuple[CoverImage, ...] = ()
    count: int = 0
    differing: tuple[tuple[str, str, str], ...] = ()
    variants: tuple[str, ...] = ()
    error: str = ""


def read_cover(folder: Path, most: int = 6) -> Cover:
    """The cover of a project with at most so many images. Never raises for what lies in its folder."""
    try:
        project = load_project(folder)
    except (LabError, OSError) as error:
        return Cover(folder, error=str(error))
    settings = project.settings
    dataset = project.dataset_folder()
    differing = changed_keys(Settings(), settings).items()
    try:
        listed, fault = list_images(dataset, settings.dataset, most), ""
    except OSError as error:
        listed, fault = [], f"{dataset}: {error.strerror or error}; set dataset.path to the folder of images"
    return Cover(
        folder,
        settings.question,
        dataset,
        tuple(CoverImage(image.path, image.name, _caption(image)) for image in listed),
        count_images(dataset)[0],
        tuple((key, _words(new), _words(old)) for key, (old, new) in differing if key not in _TOLD_ELSEWHERE),
        tuple(variant.name for variant in project.variants),
        fault,
    )


def _caption(image: ListedImage) -> str:
    if image.caption_path is None:
        return image.words or ""
    return read_caption(image.caption_path, image.name)[0]


def _words(value: Any) -> str:
    """A setting for a person: numbers without idle zeros, prompts by their texts."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(show(item.get("text", "")) for item in value)
    return show(value)
