"""What the help panel of the settings says about a key, a table, or the marks of the form."""

from __future__ import annotations

from textual.content import Content

from loratui.lab.plain import plain
from loratui.lab.project.explain import Section
from loratui.lab.project.form import PROMPT_KEYS, Row, allowed_words, default_words


def help_of(line: Row | Section | None, run: str) -> Content:
    """All that is known about what is under the cursor. `run` names the run that Δ speaks of."""
    if line is None:
        return Content.styled("No key fits the filter. Escape shows all of them again.", "$foreground 60%")
    return _of_row(line, run) if isinstance(line, Row) else _of_section(line)


def _of_row(row: Row, run: str) -> Content:
    rule = row.rule
    parts: list[Content] = [Content.assemble((row.key, "bold $text-accent"), f"  {rule.help}")]
    if row.error:
        parts.append(Content.assemble(("✗ ", "bold $text-error"), (plain(row.error, 400), "$text-error")))
    parts += [
        Content.assemble(("! ", "bold $text-warning"), (plain(clash, 400), "$text-warning")) for clash in row.clashes
    ]
    allowed = "edited in panel 4" if row.key in PROMPT_KEYS else allowed_words(rule)
    state = "; written, u takes it out" if row.is_written else ""
    parts.append(Content(f"{allowed[:1].upper()}{allowed[1:]}. Default {default_words(rule)}{state}."))
    if row.other is not None:
        words = f"{plain(row.other or 'empty', 200)} in {plain(run, 60)}"
        parts.append(Content.assemble(("Δ ", "bold $text-warning"), words))
    if rule.also:
        parts.append(Content.styled(f"In other trainers: {', '.join(rule.also)}.", "$foreground 60%"))
    return Content("\n").join(parts)


def _of_section(section: Section) -> Content:
    return Content.assemble((section.header, "bold $text-accent"), f"  {section.help}")
