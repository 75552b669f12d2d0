"""Settings laid over each other, the later layer winning, and settings that cannot stand together.

A layer holds checked values under their dotted keys, and only those that somebody wrote: whether a key was written
decides whether two settings contradict each other. Where they were written is project.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loratui.lab.project.schema import show
from loratui.lab.project.settings import RULES

Layer = Mapping[str, Any]


@dataclass(frozen=True)
class Conflict:
    """Two settings that cannot stand together, and what to do about it."""

    keys: tuple[str, str]
    message: str

    @property
    def subject(self) -> str:
        return " and ".join(self.keys)

    def touches(self, names: Iterable[str]) -> bool:
        """Whether one of the keys, or the table of one, is among `names`."""
        return any(key == name or key.startswith(f"{name}.") for key in self.keys for name in names if name)


def conflicts(given: Layer) -> list[Conflict]:
    """The contradictions between settings, of which `given` are written and the rest are defaults."""
    found: list[Conflict] = []

    def value(key: str) -> Any:
        return given.get(key, RULES[key].default)

    def clash(first: str, second: str, message: str) -> None:
        found.append(Conflict((first, second), message))

    if value("train.steps") and "train.epochs" in given:
        clash("train.steps", "train.epochs", "both say how long the run is; keep one of them")
    if "train.text_encoder_learning_rate" in given and not value("lora.text_encoder"):
        clash(
            "train.text_encoder_learning_rate",
            "lora.text_encoder",
            "the text encoder is not trained; set lora.text_encoder = true or take the learning rate out",
        )
    if value("dataset.keep_tags") and not value("dataset.shuffle_tags"):
        clash(
            "dataset.keep_tags",
            "dataset.shuffle_tags",
            "every tag stays in place while nothing is shuffled; set shuffle_tags = true or take keep_tags out",
        )
    if value("dataset.bucket_step") and not value("dataset.buckets"):
        clash(
            "dataset.bucket_step",
            "dataset.buckets",
            "there are no buckets to step; set buckets = true or take bucket_step out",
        )
    if value("train.optimizer") == "prodigy":
        needed = ["train.learning_rate", "train.text_encoder_learning_rate"][: 1 + value("lora.text_encoder")]
        for key in needed:
            if key not in given:
                clash(
                    "train.optimizer",
                    key,
                    f"prodigy multiplies the step size it finds by the learning rate, so {show(RULES[key].default)} "
                    f"would train next to nothing; set {key} = 1.0",
                )
    return found


def layered(*layers: Layer) -> dict[str, Any]:
    """The layers merged, the later winning: over the same key, and over an earlier one that contradicts it.

    A contradicted key goes back to its default; where that does not help, both stay, for `conflicts` to find.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        older, merged = merged, {**merged, **layer}
        for conflict in conflicts(merged):
            for key in conflict.keys:
                if key in older and key not in layer and any(other in layer for other in conflict.keys):
                    without = {name: value for name, value in merged.items() if name != key}
                    if conflict.keys not in [left.keys for left in conflicts(without)]:
                        merged = without
    return merged
