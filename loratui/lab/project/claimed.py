"""What a claim's `expectation` says, and what cannot be understood in it.

A claim's `expectation` is a name from the prompts' `expect`, met more often with the LoRA than without; or a table:

    expect = "colour"             that name; or what should be seen stands in the table itself: shape = "circle",
                                  copy = true (a photocopy of a training image)
    prompt, inference_steps       of which pictures it speaks (all that expect it, drawn in full); a text or a list
    variant                       the run it speaks of; without, the project as it is written
    rate = [low, high]            the share of pictures that the claim comes to
    less_often_than, more_often_than          than with these prompts
    more_often_than_variant       than the run of that variant, from the same noise
    earlier_than = "shape"        the first checkpoint at which it is met more often than without comes earlier
    measure = "centre_pull", than_base = "more" or "less"     of a number, seed by seed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loratui.lab.plain import plain
from loratui.lab.project.expected import MEASURES, faults
from loratui.lab.project.project import Project

KEYS = ("expect", "prompt", "inference_steps", "variant", "rate", "less_often_than", "more_often_than",
        "more_often_than_variant", "earlier_than", "measure", "than_base")  # fmt: skip


def claim_table(expectation: str | Mapping[str, Any]) -> dict[str, Any]:
    """The expectation of a claim, in its long form."""
    return {"expect": expectation} if isinstance(expectation, str) else dict(expectation)


def claim_fault(table: Mapping[str, Any], project: Project) -> str:
    """What cannot be understood in a claim's expectation, or "". Safe to show."""
    direct = {key: value for key, value in table.items() if key not in KEYS and key != "copy"}
    wrong = faults(direct)
    if wrong:
        return plain(next(iter(wrong.values())), 200)
    if "measure" in table and table["measure"] not in MEASURES:
        return f"there is no measure {plain(table['measure'], 40)!r}; known: {', '.join(MEASURES)}"
    if not direct and not {"expect", "measure", "copy"} & set(table):
        return 'it names nothing to look for; write expect = "colour", or shape = "circle"'
    if (direct or "copy" in table) and "expect" in table:
        return f"it names {plain(table['expect'], 40)} and more beside it; make two claims of it"
    rate = table.get("rate", [0, 1])
    if not (isinstance(rate, (list, tuple)) and len(rate) == 2 and all(isinstance(r, (int, float)) for r in rate)
            and 0 <= rate[0] < rate[1] <= 1):  # fmt: skip
        return f"rate {plain(rate, 40)}: not two shares such as [0.5, 1.0]"
    names = {variant.name for variant in project.variants}
    for key in ("variant", "more_often_than_variant"):
        if key in table and table[key] not in names:
            return f"{key} {plain(table[key], 60)!r}: the project has no such variant"
    return _prompt_fault(table, project)


def _prompt_fault(table: Mapping[str, Any], project: Project) -> str:
    prompts = project.settings.sample.resolved(())
    if not prompts:
        return ""  # the captions are drawn, which are not read here
    texts = {prompt.text for prompt in prompts}
    for key in ("prompt", "less_often_than", "more_often_than"):
        asked = table.get(key, [])
        for text in [asked] if isinstance(asked, str) else asked:
            if text not in texts:
                return f"{key} {plain(text, 60)!r}: no [[sample.prompt]] has this text"
    for key in ("expect", "earlier_than"):
        if key in table and not any(table[key] in prompt.expect for prompt in prompts):
            return f"{key} {plain(table[key], 40)!r}: no prompt expects anything of that name"
    return ""
