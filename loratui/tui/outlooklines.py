"""What a run would be, as lines to show: its arithmetic, what differs from another run, what the check found.

The same lines stand in the settings and in the dialog that starts a run. Text from outside is made harmless here.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from loratui.lab.check.findings import Finding
from loratui.lab.plain import plain
from loratui.lab.project.outlook import Outlook
from loratui.lab.project.preview import Against, Preview

MOST_FINDINGS, MOST_FACTORS = 6, 6


def arithmetic_lines(figures: Outlook) -> list[Content]:
    """Steps and time, and what the run leaves."""
    found = [Content.styled(plain(figures.steps_words), "bold")]
    if figures.kept_words:
        found.append(Content(plain(figures.kept_words)))
    if figures.basis_words:
        found.append(Content.styled(plain(figures.basis_words), "$foreground 60%"))
    return found


def against_lines(against: Against | None) -> list[Content]:
    """What differs from the other run, and whether one can learn from the comparison."""
    if against is None:
        return [Content.styled("the first run of this project: nothing to compare with yet", "$foreground 60%")]
    name = plain(against.run, 60)
    if against.warning:
        first = Content.assemble(
            ("! ", "bold $text-warning"), (f"against {name}: {plain(against.warning, 300)}", "$text-warning")
        )
    else:
        first = Content.assemble(("✓ ", "bold $text-success"), f"against {name}: one thing differs")
    shown = [Content(f"  {plain(factor, 200)}") for factor in against.factors[:MOST_FACTORS]]
    more = len(against.factors) - MOST_FACTORS
    return [first, *shown, *([Content.styled(f"  and {more} more", "$foreground 60%")] if more > 0 else [])]


def finding_lines(seen: Preview, most: int = MOST_FINDINGS) -> list[Content]:
    """What the check found, the gravest first; errors keep a run from starting."""
    if seen.error:
        return [_fault(line) for line in seen.error.splitlines()[:most]]
    errors = len(seen.errors)
    warnings = len(seen.findings) - errors
    counted = [_count(errors, "error"), _count(warnings, "warning")]
    said = " and ".join(part for part in counted if part)
    if errors:
        words = f"check: {said}; no run starts before the errors are mended"
        first = Content.assemble(("✗ ", "bold $text-error"), (words, "$text-error"))
    elif warnings:
        first = Content.assemble(("! ", "bold $text-warning"), f"check: {said}")
    else:
        first = Content.assemble(("✓ ", "bold $text-success"), "check: nothing found")
    lines = [first, *(_finding(finding) for finding in seen.findings[:most])]
    if len(seen.findings) > most:
        lines.append(
            Content.styled(f"  and {len(seen.findings) - most} more; the dataset screen shows all", "$foreground 60%")
        )
    return [*lines, *(Content.styled(f"  {plain(note, 300)}", "$foreground 60%") for note in seen.notes)]


def fault_lines(faults: Sequence[str]) -> list[Content]:
    """What is wrong with project.toml itself."""
    return [_fault(fault) for fault in faults]


def joined(lines: Sequence[Content]) -> Content:
    return Content("\n").join(lines)


def _fault(text: str) -> Content:
    return Content.assemble(("✗ ", "bold $text-error"), (plain(text, 400), "$text-error"))


def _finding(finding: Finding) -> Content:
    sign, style = ("✗", "$text-error") if finding.severity == "error" else ("!", "$text-warning")
    words = f"{plain(finding.where, 100)}: {plain(finding.message, 300)}; {plain(finding.remedy, 200)}"
    return Content.assemble((f"  {sign} ", style), words)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}" if number else ""
