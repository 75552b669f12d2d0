"""Values from a document held against the documented fields: types, ranges, names.

Faults are collected, never raised one by one, so that a person sees all of a file's problems at once. Where in a file a
value stood, and what two settings mean together, is project.py's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from loratui.lab.project.schema import INT_MAX, SEED_MAX, KeyPath, Problem, Rule, expected_words, listed, nearest, show

_MOST_LISTED = 8


def check(rule: Rule, value: Any, path: KeyPath, problems: list[Problem]) -> Any:
    """`value` as the field's type (ints become floats where floats are asked, lists become tuples).

    What is wrong is added to `problems`, and the field's default is returned in its place.
    """
    if rule.read:
        return rule.read(value, path, problems)
    if not rule.item_kind:
        fault = _fault(rule, rule.kind, value)
        if fault:
            problems.append(Problem(path, fault))
            return rule.default
        return float(value) if rule.kind == "float" else value
    if not isinstance(value, (list, tuple)):
        problems.append(Problem(path, f"expected {expected_words(rule)}, got {show(value)}{_as_list(rule, value)}"))
        return rule.default
    item_rule = replace(rule, kind=rule.item_kind)
    items: list[Any] = []
    for index, item in enumerate(value):
        fault = _fault(item_rule, item_rule.kind, item)
        if not fault and item in items and item_rule.kind != "str":
            fault = f"{show(item)} is in the list already; give each value once"
        if fault:
            problems.append(Problem((*path, index), fault))
        else:
            items.append(float(item) if item_rule.kind == "float" else item)
    if not value and rule.required:
        problems.append(Problem(path, f"expected {expected_words(rule)}, got an empty list; give at least one"))
    return tuple(items)


def _as_list(rule: Rule, value: Any) -> str:
    item_rule = replace(rule, kind=rule.item_kind)
    return "" if _fault(item_rule, item_rule.kind, value) else f"; write [{show(value)}]"


def _fault(rule: Rule, kind: str, value: Any) -> str:
    """What is wrong with one plain value; empty when nothing is."""
    expected = f"expected {expected_words(replace(rule, kind=kind))}, got {show(value)}"
    if kind == "bool":
        return "" if isinstance(value, bool) else expected
    if kind == "str" or (kind == "int | str" and isinstance(value, str)):
        return _string_fault(rule, kind, value, expected)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number:
        return expected + ("; write it without the quotes" if _is_number(value) else "")
    if isinstance(value, float) and kind != "float":
        return expected + (f"; write {int(value)}" if value.is_integer() and abs(value) < INT_MAX else "")
    if _in_range(rule, value):
        return ""
    over = rule.high in (INT_MAX, SEED_MAX) and value > rule.high
    return expected + (f"; the largest is {rule.high}" if over else "")


def _string_fault(rule: Rule, kind: str, value: Any, expected: str) -> str:
    if not isinstance(value, str):
        return expected + ("; write it in quotes" if isinstance(value, (int, float)) else "")
    if any("\ud800" <= char <= "\udfff" for char in value):  # bytes of a command line that were not UTF-8
        return f"expected text in UTF-8, got {show(value)}"
    if rule.choices:
        if value in rule.choices:
            return ""
        if kind != "str" and _is_number(value):
            return expected + "; write it without the quotes"
        near = nearest(value, rule.choices)
        return expected + (f'; did you mean "{near}"?' if near else "")
    return expected if rule.form and not re.fullmatch(rule.form, value) else ""


def _in_range(rule: Rule, value: float) -> bool:
    if not math.isfinite(value) if isinstance(value, float) else False:
        return False
    if value == 0 and rule.zero:
        return True
    return (
        (rule.low is None or value >= rule.low)
        and (rule.high is None or value <= rule.high)
        and (rule.above is None or value > rule.above)
        and (rule.below is None or value < rule.below)
        and (rule.multiple == 1 or value % rule.multiple == 0)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", value) is not None


def check_table(
    rules: Mapping[str, Rule],
    table: Mapping[str, Any],
    path: KeyPath,
    problems: list[Problem],
    tables: Sequence[str] = (),
) -> dict[str, Any]:
    """The known, plain keys of `table`, each checked. Keys in `tables` are left to the caller.

    A value that is wrong is left out of the result, so that its default stands in for it.
    """
    checked = {}
    for name, value in table.items():
        if name in tables:
            continue
        if name not in rules:
            problems.append(Problem((*path, name), f"unknown key; {near_words(name, [*rules, *tables])}"))
            continue
        before = len(problems)
        fit = check(rules[name], value, (*path, name), problems)
        if len(problems) == before:
            checked[name] = fit
    return checked


def check_document(
    rules: Mapping[str, Rule], document: Mapping[str, Any], path: KeyPath, problems: list[Problem]
) -> dict[str, Any]:
    """The settings given in nested tables, each checked, under their dotted keys; defaults are not filled in."""
    tables = tables_of(rules)
    given: dict[str, Any] = {}
    for name, value in document.items():
        if name not in tables:
            _check_into(given, rules, name, value, (*path, name), problems)
        elif isinstance(value, Mapping):
            for inner, inner_value in value.items():
                _check_into(given, rules, f"{name}.{inner}", inner_value, (*path, name, inner), problems)
        else:
            hint = f"; write [{name}] once, with single brackets" if isinstance(value, list) else ""
            problems.append(Problem((*path, name), f"expected a table, got {show(value)}{hint}"))
    return given


def _check_into(
    given: dict[str, Any], rules: Mapping[str, Rule], key: str, value: Any, path: KeyPath, problems: list[Problem]
) -> None:
    # A quoted "train.epochs" at the top is a key with a dot in it, not the setting of that name.
    if key not in rules or "." in str(path[-1]):
        problems.append(Problem(path, unknown_words(rules, key, _holds_tables(value))))
        return
    before = len(problems)
    fit = check(rules[key], value, path, problems)
    if len(problems) == before:
        given[key] = fit


def _holds_tables(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value))


def tables_of(rules: Mapping[str, Rule]) -> list[str]:
    """`base`, `dataset`, ...: the tables that hold the settings, in order."""
    return list(dict.fromkeys(rule.table for rule in rules.values() if rule.table))


def unknown_words(rules: Mapping[str, Rule], key: str, is_table: bool = False) -> str:
    """Why `train.lerning_rate` is refused, and what was probably meant."""
    table, _, name = key.rpartition(".")
    if is_table and not table:
        written = {table: f"[{table}]" for table in [*tables_of(rules), "matrix"]}
        written |= {"variant": "[[variant]]", "claim": "[[claim]]"}
        near = nearest(name, written)
        return "unknown table; " + (
            f"did you mean {written[near]}?" if near else f"known: {', '.join(written.values())}"
        )
    homes = [f"[{rule.table}]" if rule.table else "the top of the file" for rule in rules.values() if rule.name == name]
    if homes:
        return f"unknown key; {name} belongs to {listed(homes)}"
    here = [rule.key for rule in rules.values() if name in rule.also]
    if here:
        return f"unknown key; here it is called {listed(here)}"
    siblings = [rule.name for rule in rules.values() if rule.table == table]
    near = nearest(name, siblings)
    if near:
        return f"unknown key; did you mean {near}?"
    far = nearest(name, [rule.name for rule in rules.values()])
    meant = [rule.key for rule in rules.values() if rule.name == far]
    if meant:
        return f"unknown key; did you mean {listed(meant)}?"
    return "unknown key; " + known_words(siblings, table)


def near_words(name: str, known: Iterable[str]) -> str:
    """`did you mean rank?`, or what there is to choose from."""
    near = nearest(name, known)
    return f"did you mean {near}?" if near else known_words(known)


def known_words(known: Iterable[str], table: str = "") -> str:
    names = list(known)
    if table and len(names) > _MOST_LISTED:
        return f"loratui --explain {table} lists those of [{table}]"
    return f"known here: {', '.join(names)}"
