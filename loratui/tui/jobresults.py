"""What jobs have found of a run, as text to read: attribution, drift, weights and knock-outs.

Each is read from its file in the run folder without numpy; outside text is made plain here. Where there is no file,
nothing is offered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from loratui.lab.plain import plain
from loratui.lab.run.runs import RunFolder

_FILES = (  # what found it, its key in the menu, its words, and its file
    ("attribute", "A", "Attribution: tags × features", "attribution.json"),
    ("drift", "D", "Drift: what else it moved", "drift.json"),
    ("weights", "W", "Weights: where they changed", "weights.json"),
    ("knock-out", "K", "Knock-outs: where its pictures come from", "knockout.json"),
)
_CELL = 20  # columns of a feature
_MOST_STEPS = 12


def found_in(of: RunFolder | Path) -> list[tuple[str, str, str]]:
    """What there is to read: the verb that found it, a key, and words."""
    if not isinstance(of, RunFolder):
        return []
    return [(name, key, words) for name, key, words, file in _FILES if (of.path / file).is_file()]


def result_text(of: RunFolder | Path, name: str, width: int = 90) -> tuple[str, Content]:
    """Title and text of what was found, in so many columns. LabError for a damaged file."""
    tell = {"attribute": _attribution, "drift": _drift, "weights": _weights, "knock-out": _knock_outs}.get(name)
    words = next((words for known, _, words, _ in _FILES if known == name), name)
    if tell is None or not isinstance(of, RunFolder):
        return words, Content("")
    return words, tell(of, width) or Content("It was made by another version of loratui; do it once more.")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Lines of a table in columns of these widths; cells of several lines make rows of several lines."""
    lines = []
    for row in (headings, *rows):
        cells = [cell.split("\n") for cell in row]
        for place in range(max(map(len, cells))):
            parts = [_fit(cell[place] if place < len(cell) else "", w) for cell, w in zip(cells, widths, strict=True)]
            lines.append("  ".join(parts).rstrip())
    return lines


def _fit(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _attribution(run: RunFolder, width: int) -> Content | None:
    from loratui.lab.attribution.attribution import read_attribution
    from loratui.lab.attribution.table import STYLES, legend, summary, title, view

    one = read_attribution(run)
    if one is None:
        return None
    shown = view(one)
    first = min(22, max([6, *(cell_len(row.label) + 2 * row.indent for row in shown.rows)]))
    many = max(1, (width - first) // (_CELL + 2))
    parts: list[Content | tuple[str, str]] = [(plain(title(one)), "bold"), "\n\n"]  # type: ignore[list-item]
    for start in range(0, len(shown.headings), many):
        heads = [plain(heading) for heading in shown.headings[start : start + many]]
        parts.append((table(["", *heads], [], [first, *[_CELL] * len(heads)])[0] + "\n", "bold"))
        for row in shown.rows:
            cells = row.cells[start : start + many]
            label = _fit("  " * row.indent + plain(row.label), first)
            verdicts = [(f"  {_fit(f'{cell.sign} {cell.word}', _CELL)}", _theme(STYLES[cell.word])) for cell in cells]
            rates = table([""] * (len(cells) + 1), [["", *(f"{c.lora}\nbase {c.base}" for c in cells)]],
                          [first, *[_CELL] * len(cells)])[1:]  # fmt: skip
            parts += [label, *verdicts, "\n", ("\n".join(rates) + "\n\n", "$foreground 60%")]  # type: ignore[list-item]
    parts += ["\n".join(map(plain, summary(one))), ("\n\n" + "\n".join(map(plain, legend(one))), "$foreground 60%")]  # type: ignore[list-item]
    return Content.assemble(*parts)


def _theme(style: str) -> str:
    """The theme's colours for rich's names: these are read in light themes too."""
    names = {"green": "$text-success", "yellow": "$text-warning", "magenta": "$text-error", "cyan": "$text-accent",
             "dim": "$foreground 60%"}  # fmt: skip
    return " ".join(names.get(word, word) for word in style.split())


def _drift(run: RunFolder, width: int) -> Content | None:
    from loratui.lab.scores.drifts import groups_at, read_drift, specificity, steps_of

    drifts = read_drift(run)
    if not drifts:
        return None
    lines: list[Content] = []
    for step in reversed(steps_of(drifts)[-_MOST_STEPS:]):
        lines.append(Content.styled(f"step {step:,}", "bold"))
        rows = [[plain(group), found.words] for group, found in groups_at(drifts, step).items()]
        lines += [Content(line) for line in table(["", "drift, its 95 % interval and the seeds"], rows, [30, 40])]
        ratio = specificity(drifts, step)
        if ratio is not None:
            words = f"trained tags are moved {ratio.words} times as far as unrelated prompts"
            lines.append(Content(words))
        lines.append(Content(""))
    about = (
        "How far the LoRA moves the denoiser's first answer: 0 is the base's own. The intervals are over the noise of "
        "the pictures, of this one training; another training seed may give something else."
    )
    return Content("\n").join([*lines, Content.styled(about, "$foreground 60%")])


def _weights(run: RunFolder, width: int) -> Content | None:
    from loratui.lab.weights.weights import CAUTION, read_weights

    weights = read_weights(run)
    if weights is None:
        return None
    whole, saturation = weights.whole(), weights.saturation()
    relative = f", {100 * whole.relative:.2f} % of the base model's" if whole.relative is not None else ""
    lines = [Content.styled(f"step {weights.last:,}: ‖ΔW‖ {whole.norm:.3g}{relative}, {whole.layers} layers", "bold")]
    lines += [Content(plain(weights.growth.words))]
    lines += [Content(plain(saturation.words))] if saturation else []
    for heading, parts in (("by block", weights.blocks()), ("by kind of layer", weights.kinds())):
        rows = [
            [plain(part.name), _percent(part.share), _percent(part.relative, 2),
             "" if part.effective_rank is None else f"{part.effective_rank:.1f}",
             "" if part.rank90 is None else f"{part.rank90:g}"]
            for part in parts
        ]  # fmt: skip
        head, *rest = table([heading, "share", "‖ΔW‖/‖W‖", "eff. rank", "rank-90"], rows, [28, 8, 10, 10, 8])
        lines += [Content(""), Content.styled(head, "bold"), *map(Content, rest)]
    for one in weights.cosines:
        other = one.b if one.a == run.id else one.a
        words = "not known" if one.overall is None else f"{one.overall:.3f}"
        kind = " (another training seed alone)" if one.repeat else ""
        lines += [Content(""), Content(f"cosine of ΔW with {plain(other, 60)}: {words}{kind}")]
    lines += [Content.styled(f"! {plain(problem, 300)}", "$text-warning") for problem in weights.problems]
    return Content("\n").join([*lines, Content(""), Content.styled(CAUTION, "$foreground 60%")])


def _percent(value: float | None, digits: int = 0) -> str:
    return "" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f} %"


def _knock_outs(run: RunFolder, width: int) -> Content | None:
    from loratui.lab.weights.knockouts import CAUTION, ONLY, WITHOUT, read_knockouts

    made = read_knockouts(run)
    if not made:
        return None
    newest = made[-1]
    lines = [Content.styled(f"step {newest.step:,}", "bold")]
    for prompt in newest.prompts:
        text = plain(" ".join(prompt.text.split()), 60) or "(no words)"
        lines += [
            Content(""),
            Content(f"“{text}”, {len(prompt.seeds)} seeds: the whole LoRA moves {prompt.moved.words}"),
        ]
        for how, words in ((WITHOUT, "goes without it"), (ONLY, "is there with it alone")):
            rows = [[plain(one.block), _percent(prompt.share(one)), one.to_lora.words] for one in prompt.of(how)]
            if rows:
                lines += [
                    Content(line) for line in table([words, "share", "from the LoRA's pictures"], rows, [28, 8, 32])
                ]
    return Content("\n").join([*lines, Content(""), Content.styled(CAUTION, "$foreground 60%")])
