"""What a project holds around its settings: variants of the one changed thing, claims to test, and a matrix.

Each variant is the project's settings with a few overrides, or its captions with whole tags changed. Here they are
checked for themselves; what they mean on top of the project's own settings is worked out in project.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from loratui.lab.dataset.captions import edit_tags
from loratui.lab.project.checking import check, check_document, check_table, near_words, unknown_words
from loratui.lab.project.prompts import edit_line
from loratui.lab.project.schema import KeyPath, Problem, rules_of, setting, show
from loratui.lab.project.settings import RULES, TABLES, Prompt, Settings


@dataclass(frozen=True)
class Variant:
    """[[variant]]: the project with something changed. Any settings may stand in it, as [variant.train]."""

    name: str = setting(
        "",
        "Names the variant in run ids and file names; no two alike.",
        form=r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?",
        form_words="up to 64 letters, digits, dots, dashes and underscores",
        required=True,
    )
    replace_tags: Mapping[str, str] = setting(
        {},
        'Whole tags of the captions to replace: { myshape = "monster" }. Prompts and dataset.trigger follow, unless '
        "the variant has its own.",
    )
    drop_tags: tuple[str, ...] = setting((), "Tags to leave out of the captions.")
    add_tags: tuple[str, ...] = setting((), "Tags to put at the end of every caption that lacks them.")
    overrides: Mapping[str, Any] = field(default_factory=dict)  # settings under their dotted keys


@dataclass(frozen=True)
class Claim:
    """[[claim]]: something said about the result, to be held against the pictures."""

    text: str = setting("", "The claim, in a sentence.", required=True)
    expectation: str | Mapping[str, Any] | None = setting(
        None, "What should be seen if it is true: words, or a table of measures."
    )


# What stands under the keys of an expectation that is a table; any other key is a name of what should be seen.
_TEXTS = ("prompt", "less_often_than", "more_often_than")  # each a text or several
_TEXT = ("expect", "variant", "earlier_than", "measure", "than_base", "more_often_than_variant")

Matrix = Mapping[str, tuple[Any, ...]]  # dotted keys, each with the values to try
MATRIX_HELP = "Settings to vary together: a dotted key and the list of values to try, as train.epochs = [1, 10, 100]."

VARIANT_RULES = rules_of(Variant, "variant")
CLAIM_RULES = rules_of(Claim, "claim")


def variant_caption(caption: str, variant: Variant) -> str:
    """The caption as the variant trains it: whole tags replaced, dropped, added; verbatim when nothing applies."""
    return edit_tags(caption, variant.replace_tags, variant.drop_tags, variant.add_tags)


def variant_prompts(settings: Settings, variant: Variant, over: Mapping[str, Any]) -> Settings:
    """The settings with the tags that the variant replaces replaced in prompts and trigger, where `over` has none.

    A prompt that becomes the same as another is drawn once.
    """
    if not variant.replace_tags:
        return settings

    def edited(text: str) -> str:
        return edit_tags(text, variant.replace_tags)

    sample, dataset = settings.sample, settings.dataset
    if "sample.prompt" not in over and "sample.prompts" not in over:
        tables: list[Prompt] = []
        for prompt in sample.prompt:
            new = replace(prompt, text=edited(prompt.text))
            twin = next((i for i, old in enumerate(tables) if replace(old, expect=new.expect) == new), None)
            if twin is None:
                tables.append(new)
            elif not tables[twin].expect:
                tables[twin] = new
        lines = tuple(dict.fromkeys(edit_line(line, edited) for line in sample.prompts))
        sample = replace(sample, prompt=tuple(tables), prompts=lines)
    if "dataset.trigger" not in over:
        dataset = replace(dataset, trigger=edited(dataset.trigger))
    return replace(settings, sample=sample, dataset=dataset)


def read_variants(value: Any, problems: list[Problem]) -> tuple[Variant, ...]:
    """The [[variant]] tables of a project, checked; their names are unique."""
    variants: list[Variant] = []
    for index, table in _tables("variant", value, problems):
        path: KeyPath = ("variant", index)
        variant = _read_variant(table, path, problems)
        # Case is ignored because some file systems ignore it.
        if variant.name and variant.name.lower() in [earlier.name.lower() for earlier in variants]:
            problems.append(Problem((*path, "name"), f"{show(variant.name)} names an earlier variant already"))
        variants.append(variant)
    return tuple(variants)


def _read_variant(table: Mapping[str, Any], path: KeyPath, problems: list[Problem]) -> Variant:
    own = {key: table[key] for key in ("name", "drop_tags", "add_tags") if key in table}
    checked = check_table(VARIANT_RULES, own, path, problems)
    if "name" not in table:
        problems.append(Problem(path, 'a variant needs a name, such as name = "monster"'))
    for key in ("drop_tags", "add_tags"):
        for index, tag in enumerate(checked.get(key, ())):
            _check_tag(tag, (*path, key, index), problems)
        checked[key] = tuple(tag.strip() for tag in checked.get(key, ()))
    replaced = _read_replacements(table.get("replace_tags", {}), (*path, "replace_tags"), problems)
    for tag in replaced:
        if tag in checked["drop_tags"]:
            problems.append(Problem((*path, "replace_tags"), f"{show(tag)} is in drop_tags too; keep it in one"))
    settings = {}
    for key, value in table.items():
        if key == "dataset" and isinstance(value, str):
            settings[key] = {"path": value}
        elif key in TABLES or key in RULES:
            settings[key] = value
        elif key not in VARIANT_RULES:
            known = near_words(key, [*VARIANT_RULES, *TABLES])
            homes = unknown_words(RULES, key) if any(rule.name == key for rule in RULES.values()) else ""
            problems.append(Problem((*path, key), homes or f"unknown key; {known}"))
    overrides = check_document(RULES, settings, path, problems)
    return Variant(**checked, replace_tags=replaced, overrides=overrides)


def _read_replacements(value: Any, path: KeyPath, problems: list[Problem]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        problems.append(Problem(path, f'expected a table such as {{ myshape = "monster" }}, got {show(value)}'))
        return {}
    replaced = {}
    for old, new in value.items():
        _check_tag(old, (*path, old), problems)
        if not isinstance(new, str):
            problems.append(Problem((*path, old), f"expected the new tag as a string, got {show(new)}"))
        elif not new.strip(" ,\t"):
            problems.append(Problem((*path, old), "the new tag is empty; to leave a tag out, name it in drop_tags"))
        else:
            replaced[old.strip()] = new.strip()
    return replaced


def _check_tag(tag: str, path: KeyPath, problems: list[Problem]) -> None:
    if not tag.strip():
        problems.append(Problem(path, "the tag is empty"))
    elif "," in tag:
        problems.append(Problem(path, f"{show(tag)} holds a comma, which separates tags; name each tag by itself"))


def read_claims(value: Any, problems: list[Problem]) -> tuple[Claim, ...]:
    """The [[claim]] tables of a project, checked."""
    claims = []
    for index, table in _tables("claim", value, problems):
        path: KeyPath = ("claim", index)
        checked = check_table(CLAIM_RULES, table, path, problems, tables=("expectation",))
        if "text" not in table or not checked.get("text", "-").strip():
            place = (*path, "text") if "text" in table else path
            problems.append(Problem(place, 'a claim needs a text, such as text = "grey is learned"'))
        expectation = table.get("expectation")
        if expectation is not None and not isinstance(expectation, (str, Mapping)):
            problems.append(Problem((*path, "expectation"), f"expected a string or a table, got {show(expectation)}"))
            expectation = None
        if isinstance(expectation, Mapping):
            _check_expectation(expectation, (*path, "expectation"), problems)
        claims.append(Claim(text=checked.get("text", ""), expectation=expectation))
    return tuple(claims)


def _check_expectation(table: Mapping[str, Any], path: KeyPath, problems: list[Problem]) -> None:
    for key, value in table.items():
        several = value if isinstance(value, (list, tuple)) else [value]
        if key in _TEXT and not isinstance(value, str):
            problems.append(Problem((*path, key), f"expected a text, got {show(value)}"))
        elif key in _TEXTS and not (several and all(isinstance(text, str) for text in several)):
            problems.append(Problem((*path, key), f"expected a text or a list of them, got {show(value)}"))
        elif key == "inference_steps" and (type(value) is not int or value < 1):
            problems.append(Problem((*path, key), f"expected a whole number 1 or more, got {show(value)}"))


def _tables(name: str, value: Any, problems: list[Problem]) -> list[tuple[int, Mapping[str, Any]]]:
    if not isinstance(value, list):
        got = "a single table" if isinstance(value, Mapping) else show(value)
        problems.append(Problem((name,), f"expected [[{name}]] tables, with double brackets, got {got}"))
        return []
    tables = []
    for index, item in enumerate(value):
        if isinstance(item, Mapping):
            tables.append((index, item))
        else:
            problems.append(Problem((name, index), f"expected a table, got {show(item)}"))
    return tables


def read_matrix(value: Any, problems: list[Problem]) -> dict[str, tuple[Any, ...]]:
    """The [matrix] table: `train.epochs = [1, 10]`, the key in quotes or not, each value fit for its key."""
    if not isinstance(value, Mapping):
        problems.append(Problem(("matrix",), f"expected a table ([matrix]), got {show(value)}"))
        return {}
    matrix: dict[str, tuple[Any, ...]] = {}
    for key, values, path in _leaves(value, "", ("matrix",)):
        if key not in RULES:
            problems.append(Problem(path, unknown_words(RULES, key)))
        elif not isinstance(values, list) or not values:
            got = "an empty list" if values == [] else show(values)
            problems.append(Problem(path, f"expected a list of the values to try, got {got}"))
        else:
            tried: list[Any] = []
            for index, item in enumerate(values):
                before = len(problems)
                fit = check(RULES[key], item, (*path, index), problems)
                if len(problems) == before and fit in tried:
                    problems.append(Problem((*path, index), f"{show(item)} is in the list already"))
                tried.append(fit)
            matrix[key] = tuple(tried)
    return matrix


def _leaves(table: Mapping[str, Any], prefix: str, path: KeyPath) -> list[tuple[str, Any, KeyPath]]:
    leaves: list[tuple[str, Any, KeyPath]] = []
    for name, value in table.items():
        key, inner = prefix + name, (*path, name)
        leaves += _leaves(value, f"{key}.", inner) if isinstance(value, Mapping) else [(key, value, inner)]
    return leaves
