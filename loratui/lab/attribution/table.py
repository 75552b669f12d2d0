"""An attribution in words: one sentence a feature, the table as rows and cells for any page, and as Markdown.

Pictures of it are in `picture`. Text from captions is made plain here, and escaped by whoever needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loratui.lab.attribution.attribution import ANY_WORD, CARRIED, LEFT_OUT, REPLACED, UNASKED, Attribution, Cell, Test
from loratui.lab.attribution.plan import NONE, UNTRAINED, WORD, Unit
from loratui.lab.markdown import escape
from loratui.lab.markdown import table as markdown_table
from loratui.lab.plain import plain
from loratui.lab.scores.statistics import NOT_SHOWN, PARTLY, TOO_FEW, UNCERTAIN, Rate

SIGNS = {CARRIED: "✓", PARTLY: "~", UNASKED: "!", NOT_SHOWN: "✗", UNCERTAIN: "?", TOO_FEW: "…"}
STYLES = {CARRIED: "bold green", PARTLY: "yellow", UNASKED: "magenta", NOT_SHOWN: "dim", UNCERTAIN: "cyan",
          TOO_FEW: "cyan"}  # fmt: skip
_QUESTIONS = {ANY_WORD: "untrained word alone", LEFT_OUT: "left out", REPLACED: "replaced"}


@dataclass(frozen=True)
class ViewCell:
    """Words of a cell; `why` is a sentence or two with all numbers."""

    word: str
    sign: str
    lora: str  # k/n with its interval
    base: str
    unsure: int  # pictures that could not be measured, of both
    why: str


@dataclass(frozen=True)
class ViewRow:
    label: str
    kind: str  # of the unit
    indent: int  # 1 for a word below its tag
    cells: tuple[ViewCell, ...]


@dataclass(frozen=True)
class View:
    """The table for any page, all text plain but not escaped."""

    headings: tuple[str, ...]
    rows: tuple[ViewRow, ...]


def view(one: Attribution) -> View:
    rows = tuple(
        ViewRow(unit.label, unit.kind, int(unit.kind == WORD), tuple(_cell(one, unit)))
        for unit in one.units
    )  # fmt: skip
    return View(tuple(feature.words for feature in one.features), rows)


def _cell(one: Attribution, unit: Unit) -> Iterator[ViewCell]:
    for number in range(len(one.features)):
        cell = one.cell(unit, number)
        word = cell.verdict.verdict
        yield ViewCell(word, SIGNS[word], short(cell.lora, False), short(cell.base, False),
                       cell.lora.unsure + cell.base.unsure, cell.verdict.why)  # fmt: skip


def short(rate: Rate, unsure: bool = True) -> str:
    """Such as "19/20 (76–99%)"; after a plus, those that could not be measured."""
    more = f"+{rate.unsure}?" if rate.unsure and unsure else ""
    low, high = (round(100 * end) for end in rate.interval)
    return f"{rate.k}/{rate.n}{more}" + (f" ({low}–{high}%)" if rate.n else "")


def title(one: Attribution) -> str:
    """Which pictures the table speaks of."""
    scale = f" at scale {one.scale:g}" if one.scale != 1 else ""
    return (f"Which tag took in what: {plain(one.project)}, step {one.step}{scale}, {len(one.seeds)} seeds, "
            f"{one.inference_steps} denoising steps")  # fmt: skip


def summary(one: Attribution) -> list[str]:
    """A sentence a feature: who carries it, partly, unasked, and of whom too few pictures tell; and what would."""
    told = [f"{feature.words}: {_sentence(one, number)}" for number, feature in enumerate(one.features)]
    few = sum(cell.verdict.verdict == TOO_FEW for cell in one.cells)
    if few:
        more = f"; about {one.needed} seeds would settle half of them" if one.needed else ""
        told.append(f"{few} of {len(one.cells)} cells have too few pictures{more}.")
    return told


def _sentence(one: Attribution, number: int) -> str:
    mine = [(unit, one.cell(unit, number)) for unit in one.units if unit.kind not in (NONE, UNTRAINED)]
    control = [(unit, one.cell(unit, number)) for unit in one.units if unit.kind in (NONE, UNTRAINED)]

    def having(word: str, named: Callable[[Unit, Cell], str]) -> list[str]:
        return [named(unit, cell) for unit, cell in mine if cell.verdict.verdict == word]

    parts = [f"{said} {_listed(found)}" for word, said in ((CARRIED, "carried by"), (PARTLY, "partly by"))
             if (found := having(word, _with_rates))]  # fmt: skip
    loose = [_with_rates(unit, cell) for unit, cell in control if cell.verdict.verdict == UNASKED]
    anyway = having(UNASKED, _name)
    if loose:
        parts.append(f"shown unasked for {_listed(loose)}")
    if anyway:
        parts.append(f"no more often for {_listed(anyway)} than for an untrained word")
    for word, said in ((TOO_FEW, "too few pictures to tell for"), (UNCERTAIN, "uncertain for")):
        found = having(word, _name)
        if found:
            parts.append(f"{said} {'any of them' if len(found) == len(mine) > 1 else _listed(found)}")
    settled = having(NOT_SHOWN, _name)
    if parts and settled and not any(having(word, _name) for word in (CARRIED, PARTLY, UNASKED)):
        parts.append(f"not shown for {_listed(settled)}")
    if not parts:
        most = max((cell.base for _, cell in mine), key=lambda rate: rate.k / rate.n if rate.n else 0)
        base = f"; the base shows it in up to {short(most)}" if most.k else ""
        parts.append(f"not shown more often than by the base, for any of them{base}")
    return "; ".join(parts) + "."


def _name(unit: Unit, _cell: Cell) -> str:
    return f"“{unit.label}”"


def _with_rates(unit: Unit, cell: Cell) -> str:
    name = unit.label if unit.kind in (NONE, UNTRAINED) else f"“{unit.label}”"
    reason = f"; {cell.partly}" if cell.partly else ""
    return f"{name} ({short(cell.lora)}, base {cell.base.k}/{cell.base.n}{reason})"


def _listed(words: list[str], most: int = 6) -> str:
    words = words if len(words) <= most else [*words[: most - 1], f"{len(words) - most + 1} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def legend(one: Attribution) -> list[str]:
    """How to read the table, in a few lines."""
    other = plain(one.untrained)
    lines = [
        "k/n: pictures that show it, with the LoRA and without, from the same seeds; 95 % intervals.",
        "✓ carried: alone in most pictures, more often than the base and an untrained word; goes when it is left out.",
        "~ partly: some of that. ! unasked: as often for an untrained word. ✗ not shown: no more often than the base.",
        "? uncertain, … too few pictures: open. Pictures that could not be measured count neither way.",
        f"The untrained word is “{other}”; another could do otherwise.",
    ]
    return [*lines, *(f"Left out: {sentence}." for sentence in one.left_out)]


def attribution_markdown(one: Attribution, heading: str = "##", details: bool = True) -> str:
    """The table with its sentences, as a part of a Markdown document. `details` adds every comparison and prompt."""
    shown = view(one)
    rows = [[("· " * row.indent) + row.label, *(_in_line(cell) for cell in row.cells)] for row in shown.rows]
    parts = [f"{heading} {escape(title(one))}", "\n".join(f"- {escape(line)}" for line in summary(one)),
             markdown_table(["prompt", *shown.headings], rows), escape(" ".join(legend(one)))]  # fmt: skip
    if details:
        parts += [f"{heading}# What speaks for each word", _reasons(one)]
        parts += [f"{heading}# Every prompt", _prompts(one)]
    return "\n\n".join(parts) + "\n"


def _in_line(cell: ViewCell) -> str:
    unsure = f", {cell.unsure} not measured" if cell.unsure else ""
    return f"{cell.sign} {cell.word}: {cell.lora}, base {cell.base}{unsure}"


def _reasons(one: Attribution) -> str:
    rows = []
    for number, feature in enumerate(one.features):
        for unit in one.units:
            cell = one.cell(unit, number)
            if cell.tests and cell.verdict.verdict != NOT_SHOWN:
                rows.append([unit.label, feature.words, cell.verdict.verdict,
                             "; ".join(_test(test) for test in cell.tests), cell.verdict.why])  # fmt: skip
    return markdown_table(["tag", "feature", "verdict", "without it", "why"], rows) if rows else "Nothing was shown."


def _test(test: Test) -> str:
    return (f"{_QUESTIONS[test.question]}: {test.lora.k}/{test.lora.n} → {test.lora_other.k}/{test.lora_other.n}, "
            f"{test.outcome} (p = {test.p:.2g})")  # fmt: skip


def _prompts(one: Attribution) -> str:
    rows = []
    for asked in one.prompts:
        mine = {shown.feature: shown for shown in one.shown if shown.text == asked.text}
        if mine:
            cells = [f"{short(mine[n].lora)}, base {short(mine[n].base)}" for n in range(len(one.features))]
            rows.append([plain(asked.text, 120) or "(no words)", *cells])
    return markdown_table(["prompt", *(feature.words for feature in one.features)], rows)
