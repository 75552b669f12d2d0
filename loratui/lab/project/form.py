"""The settings of a project as a form: each key with its value, what is wrong with it, and what it differs from.

Made from a document (what a project.toml says) and the documented fields. Nothing is read or written here, and nothing
is known of screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from loratui.lab.project.checking import check
from loratui.lab.project.explain import Section, sections
from loratui.lab.project.fieldtext import field_text
from loratui.lab.project.layers import conflicts
from loratui.lab.project.schema import Problem, Rule, expected_words
from loratui.lab.project.settings import RULES, flat, settings_from_dict

PROMPT_KEYS = ("sample.prompts", "sample.prompt")  # lists of prompts: counted here, edited by themselves


@dataclass(frozen=True)
class Row:
    """A key of the form. `value` is what is written, else the default; `error` is what is wrong with it."""

    rule: Rule
    value: Any
    text: str
    is_written: bool = False
    is_changed: bool = False  # from the default
    error: str = ""
    other: str | None = None  # the other run's value, where that is another one
    clashes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.rule.key

    @property
    def meaning(self) -> str:
        """What stands behind the value: its unit, or what 0 means."""
        if self.rule.zero and self.value == 0 and not isinstance(self.value, (bool, str)):
            return self.rule.zero
        return self.rule.unit


@dataclass(frozen=True)
class Form:
    """The rows in the order of the schema, and the values that somebody wrote and that fit."""

    rows: tuple[Row, ...]
    given: Mapping[str, Any]

    def row(self, key: str) -> Row:
        return next(row for row in self.rows if row.key == key)


def make_form(document: Mapping[str, Any] | None, other: Mapping[str, Any] | None = None) -> Form:
    """The form of a document. `other` are the plain settings of a run to compare with, as `run_settings` gives them."""
    written: dict[str, Any] = {}
    for key, rule in RULES.items():
        table = (document or {}).get(rule.table, {}) if rule.table else document or {}
        if isinstance(table, Mapping) and rule.name in table:
            written[key] = table[rule.name]
    errors: dict[str, str] = {}
    given: dict[str, Any] = {}
    for key, raw in written.items():
        problems: list[Problem] = []
        value = check(RULES[key], raw, (), problems)
        if problems:
            errors[key] = "; ".join(problem.message for problem in problems)
        else:
            given[key] = value
    clashes: dict[str, list[str]] = {}
    for clash in conflicts(given):
        for key in clash.keys:
            clashes.setdefault(key, []).append(f"{clash.subject}: {clash.message}")
    return Form(tuple(_row(rule, written, errors, given, other, clashes) for rule in RULES.values()), given)


def run_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """The plain settings of a run by their dotted keys, from its record. LabError when it is damaged."""
    settings = record.get("settings")
    return flat(settings_from_dict(settings if isinstance(settings, Mapping) else {}))


def default_words(rule: Rule) -> str:
    """`8`, `"adamw"` without its quotes, or what an empty or zero default stands for."""
    if rule.default in ("", (), None):
        return "empty" if rule.default == "" else "none"
    shown = field_text(rule.default)
    return f"{shown} ({rule.zero})" if rule.zero and rule.default == 0 else shown


def allowed_words(rule: Rule) -> str:
    """`a whole number from 1 to 4096, in pixels`."""
    return expected_words(rule) + (f", in {rule.unit}" if rule.unit else "")


def matches(rule: Rule, query: str) -> bool:
    """Whether every word of the query is in the key, its help, or the names that other trainers have for it."""
    text = " ".join((rule.key, rule.help, *rule.also)).casefold()
    return all(word in text for word in query.casefold().split())


@cache
def form_sections() -> tuple[Section, ...]:
    """The tables of settings, in order; the keys before the first table have no name."""
    own = {rule.table for rule in RULES.values()}
    return tuple(section for section in sections() if section.name in own)


def _row(
    rule: Rule,
    written: Mapping[str, Any],
    errors: Mapping[str, str],
    given: Mapping[str, Any],
    other: Mapping[str, Any] | None,
    clashes: Mapping[str, list[str]],
) -> Row:
    key = rule.key
    raw = written.get(key, rule.default)
    value = given.get(key, raw)
    text = _count(key, raw) if key in PROMPT_KEYS else field_text(raw)
    now, default = _plain(rule, value), _plain(rule, rule.default)
    theirs = _plain(rule, other[key]) if other is not None and key in other else now
    return Row(
        rule=rule,
        value=value,
        text=text,
        is_written=key in written,
        is_changed=key in written and (key in errors or now != default),
        error=errors.get(key, ""),
        other=None if theirs == now else _count(key, theirs) if key in PROMPT_KEYS else field_text(theirs),
        clashes=tuple(clashes.get(key, ())),
    )


def _plain(rule: Rule, value: Any) -> Any:
    """Lists as lists and prompts as their tables, so that a file's value and a record's can be compared."""
    from loratui.lab.project.prompts import Prompt, prompt_to_table

    if isinstance(value, (list, tuple)):
        return [prompt_to_table(item) if isinstance(item, Prompt) else item for item in value]
    return float(value) if rule.kind == "float" and isinstance(value, int) and not isinstance(value, bool) else value


def _count(key: str, value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return field_text(value)
    if not value:
        return "none"
    noun = "line" if key == "sample.prompts" else "prompt"
    return f"{len(value)} {noun}" + ("" if len(value) == 1 else "s")
