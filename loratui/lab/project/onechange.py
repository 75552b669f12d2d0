"""One setting changed, as a person types it: `lora.rank=4`. What it would mean, which keys there are, what is wrong.

For running again with one change. What the change means together with the rest of a project is found when the run is
made; here only the key and the value are looked at. Nothing is read from disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loratui.lab.project.fieldtext import entered, field_text
from loratui.lab.project.schema import Rule, expected_words, nearest, printable
from loratui.lab.project.settings import RULES, Settings, flat

# What does not make another experiment, or belongs to another place.
_NOT_HERE = ("question",)


@dataclass(frozen=True)
class Change:
    """What was typed so far. `override` is fit for `--set`; empty while there is an `error` or nothing changes."""

    key: str
    override: str = ""
    error: str = ""
    before: str = ""  # the value it has now


def read_change(text: str, settings: Mapping[str, Any]) -> Change:
    """Read KEY=VALUE against the settings of a run (`current(settings)`). Never raises."""
    key, equals, raw = (part.strip() for part in text.partition("="))
    if not key:
        return Change("", error="type a key, as train.epochs, then = and the new value")
    rule = RULES.get(key)
    if rule is None:
        near = nearest(key, RULES)
        remedy = f"did you mean {near}?" if near else "loratui --explain lists them"
        return Change(key, error=f"{printable(key)}: no such setting; {remedy}" if equals else "")
    before = field_text(settings.get(key, rule.default))
    if not equals:
        return Change(key, before=before)
    found = entered(rule, raw)
    if found.error:
        return Change(key, error=f"{key}: {found.error}", before=before)
    value = list(found.value) if isinstance(found.value, tuple) else found.value
    if value == settings.get(key, rule.default):
        return Change(key, error=f"{key} is {before} already", before=before)
    return Change(key, f"{key}={found.written}", before=before)


def current(settings: Settings) -> dict[str, Any]:
    """All settings of a run by their dotted keys."""
    return dict(flat(settings))


def keys_like(text: str) -> list[Rule]:
    """The settings that what was typed before the `=` may become: those that begin with it, also by the name that other
    trainers give them, then those that hold it in their key, then in what they are for."""
    typed = text.partition("=")[0].strip().lower()
    rules = [rule for key, rule in RULES.items() if key not in _NOT_HERE]
    by_name = [rule for rule in rules if any(name.startswith(typed) for name in (rule.key, rule.name, *rule.also))]
    by_key = [rule for rule in rules if typed in rule.key or any(typed in name for name in rule.also)]
    by_help = [rule for rule in rules if typed in rule.help.lower()] if len(typed) > 2 else []
    return list({rule.key: rule for rule in (*by_name, *by_key, *by_help)}.values())


def about(rule: Rule) -> str:
    """What a setting is for and may be, in a sentence or two."""
    return f"{rule.help} {expected_words(rule)[:1].upper()}{expected_words(rule)[1:]}."
