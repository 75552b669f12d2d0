"""What a documented field is, and the words in which a person is told about it.

A field is written once, `epochs: int = setting(10, "Passes over the data.", low=1, high=1_000_000)`: its type, default,
range and help are read from there by the checks, by `--explain`, by forms and by the README's table. Which fields
exist is said in settings.py, prompts.py and variants.py; checking.py holds values against them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

KeyPath = tuple[str | int, ...]  # of a value in a TOML document: ("sample", "prompt", 0, "seeds")

SEED_MAX = 2**63 - 1  # the largest integer TOML promises to hold
INT_MAX = 2**31 - 1
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a document: where, and the rest of the sentence."""

    path: KeyPath
    message: str
    subject: str = ""  # said instead of the path, where it is about more than the value there

    @property
    def text(self) -> str:
        subject = self.subject or dotted(self.path)
        return f"{subject}: {self.message}" if subject else self.message


@dataclass(frozen=True)
class Rule:
    """All that is known of one field. `kind`, `key` and `default` come from the dataclass that holds it."""

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None  # as low, itself excluded
    below: float | None = None  # as high, itself excluded
    zero: str = ""  # what 0 stands for; 0 is then allowed whatever the range
    multiple: int = 1
    choices: tuple[str, ...] = ()  # of a string; with kind "int | str" the words allowed beside a number
    form: str = ""  # a regular expression the whole string must match
    form_words: str = ""  # the same, for a person
    also: tuple[str, ...] = ()  # what other trainers call it
    required: bool = False  # of a list: not empty
    read: Callable[[Any, KeyPath, list[Problem]], Any] | None = None  # checks and converts instead of the plain rules
    key: str = ""  # dotted, as in project.toml
    kind: str = ""  # str, int, float, bool, "int | str", "tuple[int, ...]", ... as annotated
    default: Any = None

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    @property
    def table(self) -> str:
        return self.key.rpartition(".")[0]

    @property
    def item_kind(self) -> str:
        """Of a list, the kind of its items; otherwise empty."""
        return self.kind.removeprefix("tuple[").removesuffix(", ...]") if self.kind.startswith("tuple[") else ""


def setting(default: Any, help: str, **rule: Any) -> Any:
    """A documented dataclass field. `rule` holds any further attributes of `Rule`."""
    metadata = {"rule": Rule(help=help, **rule)}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def rules_of(table: type, prefix: str = "") -> dict[str, Rule]:
    """The rules of a dataclass's documented fields, by field name, in order."""
    rules = {}
    for member in fields(table):
        if "rule" not in member.metadata:
            continue
        default = member.default_factory() if member.default_factory is not MISSING else member.default
        kind = str(member.type).removesuffix(" | None")
        key = f"{prefix}.{member.name}" if prefix else member.name
        rules[member.name] = replace(member.metadata["rule"], key=key, kind=kind, default=default)
    return rules


# --- words for a person -------------------------------------------------------------------------------------------


def show(value: Any, depth: int = 0) -> str:
    """A value as TOML would write it, short enough for one line, with nothing in it that a terminal would obey."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return f"{value:.6g}" if not value.is_integer() or abs(value) >= 1e15 else f"{value:.1f}"
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, Mapping) for item in value):
            return "an array of tables"
        if depth == 2:
            return "[…]"
        text = "[" + ", ".join(show(item, depth + 1) for item in value[:20]) + ("]" if len(value) <= 20 else ", …]")
        return text if len(text) <= _LONGEST_SHOWN else f"a list of {len(value)} values"
    return f"a date or time ({value})" if hasattr(value, "isoformat") else str(value)


def printable(text: str) -> str:
    """At most sixty characters of a string, with what a terminal would obey written as escapes."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in cut)


def dotted(path: KeyPath) -> str:
    """`sample.prompt.seeds item 2`: tables of an array are told apart by their line, so only a last index is said."""
    names = [part if re.fullmatch(r"[\w-]+", part) else show(part) for part in path if isinstance(part, str)]
    last = path[-1] if path else ""
    return ".".join(names) + (f" item {last + 1}" if isinstance(last, int) else "")


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name most like `word`, or an empty string when none is."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower()[:100], names, n=1, cutoff=0.6)
    return names[matches[0]] if matches else ""


def number_words(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def range_words(rule: Rule) -> str:
    """`from 0 to 1`, `more than 0, at most 10`: the numbers allowed; empty when any are."""
    open_ended = rule.high in (INT_MAX, SEED_MAX)
    if rule.low is not None and rule.high is not None:
        words = f"{rule.low:g} or more" if open_ended else f"from {number_words(rule.low)} to {number_words(rule.high)}"
    else:
        parts = []
        if rule.low is not None:
            parts.append(f"{number_words(rule.low)} or more")
        if rule.above is not None:
            parts.append(f"more than {number_words(rule.above)}")
        if rule.high is not None and not open_ended:
            parts.append(f"at most {number_words(rule.high)}")
        if rule.below is not None:
            parts.append(f"less than {number_words(rule.below)}")
        words = ", ".join(parts)
    if rule.multiple > 1:
        words += f" in multiples of {rule.multiple}"
    return words


def expected_words(rule: Rule) -> str:
    """What the rule allows: `a whole number from 1 to 4096`, `"epoch", "end" or a whole number 1 or more`."""
    kind, plural = (rule.item_kind, True) if rule.item_kind else (rule.kind, False)
    range_ = " " + range_words(rule) if range_words(rule) else ""
    if rule.zero:
        range_ += f" (0: {rule.zero})" if rule.low == 0 else f", or 0 ({rule.zero})"
    choices = [f'"{choice}"' for choice in rule.choices]
    nouns = {"int": "whole number", "float": "number", "str": "string"}
    if plural:
        return f"a list of {nouns.get(kind, 'table')}s{range_}"
    if kind == "int | str":
        return listed([*choices, f"a whole number{range_}"])
    if kind == "bool":
        return "true or false"
    if kind == "str":
        return listed(choices) if choices else rule.form_words or "a string"
    if kind in nouns:
        return f"a {nouns[kind]}{range_}"
    return "a string or a table" if kind.startswith("str | ") else "a table"
