"""What a run trains, as values that can be compared: two with equal ones make the same LoRA on one machine.

What only decides what is drawn, logged or kept does not count, nor where files lie, nor libraries and machines. The
roles of settings, which comparisons tell by, are said here once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loratui.lab.check.setups import CheckedImage, Setup
from loratui.lab.dataset.dataset import Scan, TrainingImage
from loratui.lab.dataset.tokens import Token, Tokenizer
from loratui.lab.run.record import Record

REMARKS = ("settings.question", "settings.dataset.path", "settings.dataset.caption_extension", "settings.base.",
           "settings.dataset.trigger", "model.name", "model.path", "model.variant")  # fmt: skip
DRAWN = ("settings.sample.", "settings.train.log_every", "settings.train.probe_every",
         "settings.train.checkpoint_every", "settings.train.max_minutes")  # fmt: skip
AROUND = ("settings.train.device", "versions.", "machine.")


def is_one_of(key: str, prefixes: Sequence[str]) -> bool:
    """Whether a dotted key is one of these, or below one that ends with a dot."""
    return any(key == prefix or (prefix.endswith(".") and key.startswith(prefix)) for prefix in prefixes)


class _Letters:
    """Stands in for a tokenizer: only the very same text is the same."""

    def ids(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))


def trained_as(record: Record, tokenizer: Tokenizer | None = None) -> dict[str, Any]:
    """What the training of a run depends on, by factor. Without a tokenizer captions are held against each other by
    the letter."""
    reader: Any = tokenizer or _Letters()
    checked = tuple(
        CheckedImage(
            TrainingImage(Path(i.path), i.name, i.sha256, 0, 0, i.caption, None, i.repeats),
            i.bucket,
            tuple(Token(id, "") for id in reader.ids(i.caption)),
        )
        for i in record.images
    )
    return of_setup(Setup(record.settings, checked, record.plan, Scan((), ())), record.hashes, reader)


def of_setup(setup: Setup, hashes: Mapping[str, str], reader: Any = None) -> dict[str, Any]:
    """The same of what a project would train; by the letter where there is no tokenizer to read with."""
    if reader is None:
        reader = _Letters()
        setup = Setup(setup.settings, _by_letter(setup.checked), setup.plan, setup.scan, setup.variant)
    factors = {key: value for key, value in setup.trained_as(reader).items()
               if not is_one_of(f"settings.{key}", (*REMARKS, *DRAWN, *AROUND))}  # fmt: skip
    return {**factors, "base": dict(hashes), "images": sorted({item.image.sha256 for item in setup.checked})}


def _by_letter(checked: Iterable[CheckedImage]) -> tuple[CheckedImage, ...]:
    return tuple(
        CheckedImage(item.image, item.size, tuple(Token(ord(letter), "") for letter in item.image.caption))
        for item in checked
    )


def said_by_others(keys: Iterable[str]) -> set[str]:
    """Of differing settings (`settings.…`) those that cannot be changed alone: epochs with steps, learning rates with
    the optimizer. They count once."""
    keys = set(keys)
    rates = {"settings.train.learning_rate", "settings.train.text_encoder_learning_rate"}
    found = {"settings.train.epochs"} if {"settings.train.steps", "settings.train.epochs"} <= keys else set()
    return found | (rates & keys if "settings.train.optimizer" in keys else set())
