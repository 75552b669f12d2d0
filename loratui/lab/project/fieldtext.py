"""A setting's value as a person types it into one line, and as that line shows it: by the rule of its field.

Strings stand there without quotes, lists without brackets, numbers as short as they can be. What a value may be is
checking.py's; here is only the way from text to value and back. Nothing is read from disk.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from loratui.lab.project.checking import check
from loratui.lab.project.prompts import prompt_from_table
from loratui.lab.project.schema import Problem, Rule, expected_words

_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")
_INTEGER = re.compile(r"[+-]?\d[\d_]{0,40}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_LONGEST = 100_000  # characters of one field


@dataclass(frozen=True)
class Entered:
    """What was typed: the checked value and how TOML writes it, or what is wrong with it."""

    value: Any = None
    written: str = ""
    error: str = ""


def entered(rule: Rule, text: str) -> Entered:
    """The text of a field as a value of its rule. Never raises: what is wrong is the `error`."""
    if len(text) > _LONGEST:
        return Entered(error=f"{len(text):,} characters in one line; at most {_LONGEST:,}")
    raw, written = _raw(rule, text)
    if raw is None:
        return Entered(error=f"expected {expected_words(rule)}, got nothing")
    problems: list[Problem] = []
    if rule.kind.startswith("Mapping"):
        value = raw
        prompt_from_table({"text": "", rule.name: raw}, (), problems)
    else:
        value = check(rule, raw, (), problems)
    if problems:
        return Entered(error=_without_place(problems))
    return Entered(value, written or toml_text(raw))


def field_text(value: Any) -> str:
    """A plain value as its field shows it: `entered` reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str):
        # Quotes around the whole would be taken for TOML's own, and a line cannot hold several.
        return toml_text(value) if _is_quoted(value) or not value.isprintable() or value != value.strip() else value
    if isinstance(value, Mapping):
        return ", ".join(f"{_key(str(name))} = {toml_text(item)}" for name, item in value.items())
    if isinstance(value, Sequence):
        if all(isinstance(item, (int, float)) for item in value):
            return ", ".join(field_text(item) for item in value)
        return toml_text(value)
    return str(value)


def number_text(value: float) -> str:
    """A float as short as it can be read back: `1e-4`, `0.05`, `8.0`."""
    shown = repr(value)
    if value and abs(value) < 1e-3 and "e" not in shown:
        shown = f"{Decimal(shown).normalize():e}"
    return re.sub(r"e([+-]?)0+(\d)", r"e\1\2", shown)


def toml_text(value: Any) -> str:
    """A plain value as one line of TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str):
        return '"' + "".join(_escaped(char) for char in value) + '"'
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(name))} = {toml_text(item)}" for name, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def key_text(names: Sequence[str]) -> str:
    """A key as TOML writes it, dotted where it has several names."""
    return ".".join(_key(name) for name in names)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else toml_text(name)


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    # What cannot be seen is written so that it can: no control or format character gets into a file from here.
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _raw(rule: Rule, text: str) -> tuple[Any, str]:
    """What the text says before it is checked, and the person's own way of writing it where TOML has the same."""
    stripped = text.strip()
    if rule.kind == "str":
        if _is_quoted(stripped):
            return tomllib.loads(f"v = {stripped}")["v"], stripped
        return text.strip(), ""
    if rule.kind.startswith("Mapping"):
        return _table(stripped)
    if not stripped:
        return (() if rule.item_kind and not rule.required else None), "[]" if rule.item_kind else ""
    if rule.item_kind:
        return _list(rule, stripped)
    return _scalar(rule.kind, stripped)


def _scalar(kind: str, text: str) -> tuple[Any, str]:
    if kind == "bool" and text.lower() in (*_YES, *_NO):
        return text.lower() in _YES, ""
    if kind in ("int", "float", "int | str"):
        if _INTEGER.fullmatch(text):
            number = int(text.replace("_", ""))
            return (float(number), "") if kind == "float" and abs(number) > 2**53 else (number, "")
        if _NUMBER.fullmatch(text):
            value = float(text.replace("_", ""))
            return value, text if _toml_value(text) == value else ""
    return (_toml_value(text), text) if _is_quoted(text) else (text, "")


def _list(rule: Rule, text: str) -> tuple[Any, str]:
    if text.startswith("["):
        whole = _toml_value(text)
        return (whole, text) if isinstance(whole, list) and "\n" not in text else (text, "")
    if rule.item_kind == "str" or "Mapping" in rule.item_kind:
        return [tomllib.loads(f"v = {text}")["v"] if _is_quoted(text) else text], ""
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    return [_scalar(rule.item_kind, word)[0] for word in words], ""


def _table(text: str) -> tuple[Any, str]:
    braced = text if text.startswith("{") else f"{{ {text} }}"
    value = _toml_value(braced)
    return (value, braced) if isinstance(value, dict) else (text, "")


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] in "\"'" and text[-1] == text[0] and isinstance(_toml_value(text), str)


def _toml_value(text: str) -> Any:
    """The one value that the text writes; None where it writes none."""
    try:
        document = tomllib.loads(f"v = {text}")
    except (ValueError, RecursionError):
        return None
    return document["v"] if set(document) == {"v"} else None


def _without_place(problems: Sequence[Problem]) -> str:
    words = []
    for problem in problems:
        item = next((f"item {part + 1}: " for part in problem.path if isinstance(part, int)), "")
        words.append(item + problem.message)
    return "; ".join(words)
