"""What a project would train, as it is written and once for each variant: settings, images, captions, tokens, plan.

The check looks at these to say what is odd; the interface shows them. Only headers and captions of the dataset are
read, and each folder once, however many variants use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from loratui.lab.check.findings import Finding
from loratui.lab.dataset.buckets import Size, training_sizes
from loratui.lab.dataset.captions import split_tags
from loratui.lab.dataset.dataset import Scan, TrainingImage, scan_dataset
from loratui.lab.dataset.tokens import Token, Tokenizer
from loratui.lab.patience import Progress, quiet
from loratui.lab.project.plan import Plan, plan
from loratui.lab.project.project import Project, Variant, variant_caption, variant_settings
from loratui.lab.project.settings import Dataset, Settings, changed_keys, flat

# Settings that change nothing by themselves: where the data lie (what lies there is compared), remarks, prompts.
_NO_FACTORS = ("dataset.path", "dataset.caption_extension", "dataset.repeats", "question", "dataset.trigger",
               "train.log_every", "sample.every", "sample.prompts", "sample.prompt")  # fmt: skip
# Settings that only mean something together, or have a 0 for "choose for me": what comes of them is compared.
_CHOSEN = ("lora.alpha", "dataset.resolution", "dataset.buckets", "dataset.bucket_step", "train.epochs", "train.steps")


@dataclass(frozen=True)
class CheckedImage:
    """An image as it would be trained (its caption edited, where a variant does that), its size and its tokens."""

    image: TrainingImage
    size: Size
    tokens: tuple[Token, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(token.id for token in self.tokens)


@dataclass(frozen=True)
class Setup:
    """One thing that can be trained: the project (as written where there is no `variant`), or one of its variants."""

    settings: Settings
    checked: tuple[CheckedImage, ...]
    plan: Plan | None  # None without images
    scan: Scan = field(repr=False)
    variant: Variant | None = None

    @property
    def images(self) -> tuple[TrainingImage, ...]:
        return tuple(item.image for item in self.checked)

    @property
    def sizes(self) -> tuple[Size, ...]:
        return tuple(item.size for item in self.checked)

    @property
    def name(self) -> str:
        return self.variant.name if self.variant else ""

    @cached_property
    def captions(self) -> list[tuple[str, str]]:
        """Each image by its hash, and what it is captioned."""
        return _of_images(self, lambda item: item.image.caption)

    def trained_as(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """Everything training depends on, by factor. Equal factors make the same LoRA, bit for bit."""

        def read_as(item: CheckedImage) -> Any:
            if not self.settings.dataset.shuffle_tags:
                return item.ids
            return [tokenizer.ids(tag) for tag in split_tags(item.image.caption)]  # tags move, so each is compared

        settings = {key: value for key, value in flat(self.settings).items() if not key.startswith("sample.")}
        factors: dict[str, Any] = {k: v for k, v in settings.items() if k not in (*_NO_FACTORS, *_CHOSEN)}
        if not self.settings.dataset.shuffle_tags:
            del factors["dataset.keep_tags"]
        return factors | {
            "lora.alpha": self.settings.lora.effective_alpha,
            "steps": self.plan.total_steps if self.plan else 0,
            "sizes": _of_images(self, lambda item: item.size),
            "repeats": _of_images(self, lambda item: item.image.repeats),
            "captions": _of_images(self, read_as),
        }


def setups(
    project: Project,
    tokenizer: Tokenizer,
    training_resolution: int,
    size_multiple: int,
    progress: Progress = quiet,
) -> Iterator[tuple[Setup, tuple[Finding, ...]]]:
    """The project and its variants, each with the findings of a dataset that was read for it first."""
    scanned: dict[tuple[Path, str, int], Scan] = {}
    tokens = _remembered(tokenizer)
    for variant in (project.variant, *project.variants):
        if variant is None or variant is project.variant:
            settings = project.settings
        else:
            settings = variant_settings(project, variant)
        place = _place(project.dataset_folder(settings), settings.dataset)
        is_new = place not in scanned
        if is_new:
            scanned[place] = scan_dataset(place[0], settings.dataset, progress)
        scan = scanned[place]
        yield (
            _setup(scan, settings, variant, tokens, training_resolution, size_multiple),
            scan.findings if is_new else (),
        )


def _place(folder: Path, dataset: Dataset) -> tuple[Path, str, int]:
    return folder, dataset.caption_extension, dataset.repeats


def _remembered(tokenizer: Tokenizer) -> Callable[[str], tuple[Token, ...]]:
    known: dict[str, tuple[Token, ...]] = {}

    def encode(caption: str) -> tuple[Token, ...]:
        if caption not in known:
            known[caption] = tuple(tokenizer.encode(caption))
        return known[caption]

    return encode


def _setup(
    scan: Scan,
    settings: Settings,
    variant: Variant | None,
    tokens: Callable[[str], tuple[Token, ...]],
    training_resolution: int,
    size_multiple: int,
) -> Setup:
    sizes = training_sizes(scan.images, settings.dataset, training_resolution, size_multiple)
    checked = []
    for image, size in zip(scan.images, sizes, strict=True):
        if variant is not None:
            image = replace(image, caption=variant_caption(image.caption, variant))
        checked.append(CheckedImage(image, size, tokens(image.caption)))
    made = plan(scan.images, settings, sizes) if checked else None
    return Setup(settings, tuple(checked), made, scan, variant)


def without(setup: Setup, hashes: frozenset[str]) -> Setup:
    """The setup less the images of these hashes, which turned out to be unreadable."""
    kept = tuple(item for item in setup.checked if item.image.sha256 not in hashes)
    if len(kept) == len(setup.checked):
        return setup
    made = plan([item.image for item in kept], setup.settings, [item.size for item in kept]) if kept else None
    return replace(setup, checked=kept, plan=made)


def changes(base: Setup, other: Setup) -> tuple[str, ...]:
    """What a variant changes against the project, a factor each: keys of settings, "captions", "images".

    What cannot be changed alone counts once: steps against epochs, an optimizer with its learning rates, and other
    images with the captions they bring. Prompts follow the captions and do not count.
    """
    keys = [key for key in changed_keys(base.settings, other.settings) if key not in _NO_FACTORS]
    if "train.steps" in keys and "train.epochs" in keys:
        keys.remove("train.epochs")
    if "train.optimizer" in keys:
        keys = [key for key in keys if not key.endswith("learning_rate")]
    if _of_images(base, lambda item: 0) != _of_images(other, lambda item: 0):
        return (*keys, "images")
    if _of_images(base, lambda item: item.image.repeats) != _of_images(other, lambda item: item.image.repeats):
        keys.append("dataset.repeats")
    return (*keys, "captions") if base.captions != other.captions else tuple(keys)


def _of_images(setup: Setup, value: Callable[[CheckedImage], Any]) -> list[tuple[str, Any]]:
    """A value of each image beside its hash, in an order that does not depend on file names."""
    return sorted((item.image.sha256, value(item)) for item in setup.checked)
