"""What every key means, in text: for `--explain`, and as the tables of the README.

All of it is read from the fields themselves; nothing is written down here a second time.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loratui.lab.errors import LabError
from loratui.lab.project.experiment import CLAIM_RULES, MATRIX_HELP, VARIANT_RULES, Claim, Variant
from loratui.lab.project.prompts import PROMPT_RULES, Prompt
from loratui.lab.project.schema import Rule, expected_words, listed, nearest, show
from loratui.lab.project.settings import RULES, TABLES

_WIDTH = 96


@dataclass(frozen=True)
class Section:
    """One table of project.toml: how its header is written, what it is for, and its keys."""

    name: str
    header: str
    help: str
    rules: tuple[Rule, ...]


def sections() -> list[Section]:
    """The tables of project.toml, in the order in which they are explained."""
    top = Section("", "The top of the file", "Before the first table.", tuple(r for r in RULES.values() if not r.table))
    tables = [
        _section(name, f"[{name}]", table, [rule for rule in RULES.values() if rule.table == name])
        for name, table in TABLES.items()
    ]
    around = [
        _section("sample.prompt", "[[sample.prompt]]", Prompt, PROMPT_RULES.values()),
        _section("variant", "[[variant]]", Variant, VARIANT_RULES.values()),
        _section("claim", "[[claim]]", Claim, CLAIM_RULES.values()),
        Section("matrix", "[matrix]", MATRIX_HELP, ()),
    ]
    return [top, *tables, *around]


def explain(key: str) -> str:
    """The text on one key, `train.rank` or only `rank`; on a whole table; or on what another trainer calls a key.

    Raises LabError for what is none of these, with the nearest name.
    """
    asked = key.strip().strip("[]").strip()
    rules = _all_rules()
    by_table = {section.name: section for section in sections() if section.name}
    if asked in rules and asked not in by_table:
        return _entry(rules[asked])
    if asked in by_table:
        own = [_entry(rules[asked])] if asked in rules else []
        return "\n\n".join([*own, _explained(by_table[asked])])
    named = [rule for rule in rules.values() if rule.name == asked] or [
        rule for rule in rules.values() if asked.rpartition(".")[2] in rule.also
    ]
    if named:
        return "\n\n".join(_entry(rule) for rule in named)
    last = asked.rpartition(".")[2]
    near = nearest(asked, [*rules, *by_table]) if "." in asked else ""
    meant = [near] if near else [rule.key for rule in rules.values() if rule.name == _near_name(last, rules)]
    hint = f"did you mean {listed(meant)}?" if meant else f"the tables are {', '.join(by_table)}"
    raise LabError(f"--explain {show(key)[1:-1]}: unknown key; {hint}")


def explain_all() -> str:
    """The text on every key."""
    return "\n\n\n".join(_explained(section) for section in sections())


def markdown_table() -> str:
    """A table of Markdown for each table of project.toml, with the headings that the README gives them."""
    return "\n\n".join(_markdown(section) for section in sections()) + "\n"


def _all_rules() -> dict[str, Rule]:
    return {rule.key: rule for section in sections() for rule in section.rules}


def _near_name(name: str, rules: Mapping[str, Rule]) -> str:
    return nearest(name, [rule.name for rule in rules.values()])


def _section(name: str, header: str, table: type, rules: Iterable[Rule]) -> Section:
    about = str(table.__doc__).strip().partition(": ")[2] or str(table.__doc__).strip()
    return Section(name, header, about[:1].upper() + about[1:], tuple(rules))


def _explained(section: Section) -> str:
    heading = textwrap.fill(f"{section.header}  {section.help}", _WIDTH)
    return "\n\n".join([heading, *(_entry(rule) for rule in section.rules)])


def _entry(rule: Rule) -> str:
    lines = [rule.key, *_indented(rule.help), *_indented(f"{_values(rule)}; {_default(rule)}")]
    if rule.also:
        lines += _indented(f"In other trainers: {', '.join(rule.also)}.")
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _values(rule: Rule) -> str:
    words = expected_words(rule) + (f", in {rule.unit}" if rule.unit else "")
    return words[:1].upper() + words[1:]


def _default(rule: Rule) -> str:
    if rule.table == "sample.prompt" and rule.default is None:
        return "as in [sample]"
    if rule.required and not rule.default:
        return "required"
    if rule.default in (None, {}):
        return "none"
    return f"default {show(rule.default)}"


def _markdown(section: Section) -> str:
    lines = [f"**{section.header}** {section.help}"]
    if section.rules:
        lines += ["", "| key | default | values | |", "| --- | --- | --- | --- |"]
    for rule in section.rules:
        default = f"`{show(rule.default)}`" if _default(rule).startswith("default") else _default(rule)
        cells = [f"`{rule.name}`", default, _values(rule), rule.help]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
