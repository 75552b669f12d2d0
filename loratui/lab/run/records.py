"""What differs between two frozen runs, in words a person can act on.

A record has the tables `run` (identity: never compared), `settings`, `model` (the base model and its hashes),
`versions` and `machine`; captions are the `[[image]]` tables of captions.toml. Nothing here decides whether a
difference matters: resume and comparison do, by its kind.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder

Kind = Literal["setting", "caption", "image", "base", "version", "machine"]
_KINDS: dict[str, Kind] = {"settings": "setting", "model": "base", "versions": "version", "machine": "machine"}
_IDENTITY = "run"
# Where things come from, or a remark: what they are is told by the hashes.
_NOT_FACTORS = ("settings.question", "settings.dataset.path", "settings.base.model", "settings.base.revision",
                "settings.base.variant", "model.name", "model.path")  # fmt: skip


@dataclass(frozen=True)
class Frozen:
    """Everything a run depends on: the content of run.toml and of captions.toml."""

    record: Mapping[str, Any]
    captions: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, run: RunFolder) -> Frozen:
        return cls(run.read_record(), run.read_captions())


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same. `a` and `b` are None where one side has no such thing."""

    kind: Kind
    key: str  # settings.train.learning_rate, or the name of an image
    a: Any
    b: Any

    @property
    def text(self) -> str:
        """One line; safe to show."""
        if self.kind == "caption":
            return f"caption of {plain(self.key)}: {_words_changed(str(self.a), str(self.b))}"
        if self.kind == "image":
            change = "added" if self.a is None else "removed" if self.b is None else "other content"
            if isinstance(self.a, int) or isinstance(self.b, int):
                return f"repeats of {plain(self.key)}: {_value(self.a)} → {_value(self.b)}"
            return f"image {plain(self.key)}: {change}"
        return f"{plain(self.key.removeprefix('settings.'))}: {_value(self.a)} → {_value(self.b)}"


def compare_records(a: Frozen, b: Frozen) -> list[Difference]:
    """All differences, settings first, then the base model, versions, images and captions, in a steady order."""
    left, right = dict(_flat(a.record)), dict(_flat(b.record))
    found = [
        Difference(_KINDS.get(key.partition(".")[0], "setting"), key, left.get(key), right.get(key))
        for key in dict.fromkeys((*left, *right))
        if left.get(key) != right.get(key)
    ]
    order = tuple(_KINDS.values())
    found.sort(key=lambda difference: order.index(difference.kind))
    return found + _images_changed(a.captions, b.captions)


def factors(differences: Iterable[Difference]) -> list[str]:
    """The differences as factors of an experiment: one tag replaced in many captions is one factor, and so is
    another base model. An experiment that is controlled has exactly one.
    """
    found: dict[str, None] = {}
    substitutions: dict[str, None] = {}
    differences = list(differences)
    repeated = any(difference.key == "settings.dataset.repeats" for difference in differences)
    for difference in differences:
        if difference.key in _NOT_FACTORS:
            continue
        if difference.kind == "caption":
            substitutions[_words_changed(str(difference.a), str(difference.b))] = None
        elif difference.kind == "setting":
            found[difference.text] = None
        elif difference.kind == "image":
            if not isinstance(difference.a, int):
                found["the images"] = None
            elif not repeated:  # else the setting has said it
                found["the repeats of images"] = None
        elif difference.kind == "base":
            found["the base model"] = None
        elif difference.kind == "version":
            found["versions of libraries"] = None
        else:
            found["the machine"] = None
    if substitutions:
        shown = "; ".join(list(substitutions)[:3]) + ("; …" if len(substitutions) > 3 else "")
        found[f"captions ({shown})"] = None
    return list(found)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in table.items():
        if not prefix and key == _IDENTITY:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def _images_changed(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> list[Difference]:
    left, right = {str(image["name"]): image for image in a}, {str(image["name"]): image for image in b}
    found: list[Difference] = []
    for name in dict.fromkeys((*left, *right)):
        one, other = left.get(name), right.get(name)
        if one is None or other is None:
            found.append(Difference("image", name, one and one.get("sha256"), other and other.get("sha256")))
            continue
        if one.get("sha256") != other.get("sha256"):
            found.append(Difference("image", name, one.get("sha256"), other.get("sha256")))
        if one.get("repeats", 1) != other.get("repeats", 1):
            found.append(Difference("image", name, one.get("repeats", 1), other.get("repeats", 1)))
        if one.get("caption", "") != other.get("caption", ""):
            found.append(Difference("caption", name, one.get("caption", ""), other.get("caption", "")))
    return found


def _words_changed(a: str, b: str) -> str:
    """The changed words only, as `"old" → "new"`, `added "new"`, `removed "old"`."""
    left, right = (re.findall(r"\w+|[^\w\s]|\s+", text) for text in (a, b))
    changes = []
    for what, a1, a2, b1, b2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        old, new = "".join(left[a1:a2]), "".join(right[b1:b2])
        if what == "replace":
            changes.append(f'"{plain(old)}" → "{plain(new)}"')
        else:
            changes.append(f'added "{plain(new)}"' if what == "insert" else f'removed "{plain(old)}"')
    return ", ".join(changes)


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    shown = str(value).lower() if isinstance(value, bool) else str(value) if value != "" else '""'
    # Of a hash the first letters are enough to see that it is another one.
    return shown[:12] if re.fullmatch(r"[0-9a-f]{64}", shown) else plain(shown, 80)
