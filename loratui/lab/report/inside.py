"""What was looked for beyond the samples: drift of the denoiser, which tag took in what, and where the weights changed.

Each is told where its file is there, and else in one line with the command that makes it.
"""

from __future__ import annotations

from collections.abc import Callable

from loratui.lab.errors import LabError
from loratui.lab.report.album import LARGE, Album
from loratui.lab.report.article import (
    Badge,
    Block,
    Bullets,
    Code,
    Details,
    Heading,
    Paragraph,
    Piece,
    Plate,
    Plates,
    Said,
    Table,
    Words,
)
from loratui.lab.report.material import Told
from loratui.lab.report.wording import command, homeless


def inside_blocks(told: Told, album: Album) -> list[Block]:
    """All of it, in the order of the questions; what is missing comes last, in one list."""
    blocks: list[Block] = []
    missing: list[Words] = []
    parts: tuple[tuple[Callable[[Told, Album], list[Block]], str, str], ...] = (
        (_attribution, "--attribute", "which tag took in what"),
        (_drift, "--drift", "how far the denoiser's first answer moves, by kind of prompt"),
        (_weights, "--weights", "where the weights changed, and how much"),
    )
    for make, verb, what in parts:
        try:
            made = make(told, album)
        except LabError as error:
            made = [Paragraph(homeless(str(error), told.run.project_folder), "warning")]
        blocks += made
        if not made:
            missing.append((Code(command(verb, told.run.path, told.run.project_folder)), f": {what}"))
    if missing:
        blocks += [Heading("Not looked for yet", 4), Bullets(tuple(missing))]
    return blocks


def _attribution(told: Told, album: Album) -> list[Block]:
    from loratui.lab.attribution.attribution import read_attribution
    from loratui.lab.attribution.table import legend, summary, title, view

    one = read_attribution(told.run)
    if one is None:
        return []
    shown = view(one)
    rows: list[tuple[Words | Badge, ...]] = []
    for row in shown.rows:
        cells: list[Words | Badge] = [("· " * row.indent, Said(row.label))]
        cells += [f"{cell.sign} {cell.word}: {cell.lora}, base {cell.base}" for cell in row.cells]
        rows.append(tuple(cells))
    blocks: list[Block] = [
        Heading("Which tag took in what?", 4),
        Bullets(tuple((Said(line),) for line in summary(one))),
        Table(("asked for", *((Said(text),) for text in shown.headings)), tuple(rows), (Said(title(one)),)),
    ]
    file = told.run.path / "attribution.png"
    picture = album.take(file, f"{told.name or told.run.id}-attribution", title(one), LARGE) if file.is_file() else None
    if picture is not None:
        plate = Plate(picture, "")
        blocks.append(Details("The same as a picture", (Plates((plate,), (Said(title(one)),), large=True),)))
    blocks.append(Paragraph((Said(" ".join(" ".join(legend(one)).split())),), "note"))
    return blocks


def _drift(told: Told, album: Album) -> list[Block]:
    from loratui.lab.scores.drifts import groups_at, read_drift, specificity, steps_of

    drifts = read_drift(told.run)
    if not drifts:
        return []
    steps = steps_of(drifts)
    last = steps[-1]
    rows = tuple((group, estimate.words) for group, estimate in groups_at(drifts, last).items())
    blocks: list[Block] = [
        Heading("How far does the denoiser's first answer move?", 4),
        Table(("kind of prompt", "drift at the first step, 95 %"), rows, f"At training step {last:,}"),
    ]
    ratio = specificity(drifts, last)
    if ratio is not None:
        words = f"Trained tags move {ratio.mean:.2f} times as far as unrelated prompts"
        interval = f" ({ratio.low:.2f} to {ratio.high:.2f}, n = {ratio.n})" if ratio.n > 1 else ""
        blocks.append(Paragraph(f"{words}{interval}; 1 would be a LoRA that moves everything alike."))
    by_prompt = tuple((one.group, (Said(one.prompt) if one.prompt.strip() else "the empty prompt",), one.estimate.words)
                      for one in drifts if one.step == last)  # fmt: skip
    blocks.append(Details("By prompt", (Table(("kind of prompt", "prompt", "drift, 95 %"), by_prompt),)))
    note = "Drift is ‖ε with the LoRA − ε of the base‖ over ‖ε of the base‖, from the same noise; the base's own is 0."
    return [*blocks, Paragraph(note, "note")]


def _weights(told: Told, album: Album) -> list[Block]:
    from loratui.lab.weights.weights import CAUTION, Part, read_weights

    weights = read_weights(told.run)
    if weights is None or not weights.steps:
        return []

    def row(part: Part) -> tuple[Words, ...]:
        relative = "–" if part.relative is None else f"{100 * part.relative:.2f} %"
        return (part.name, str(part.layers), f"{part.norm:.3g}", relative,
                "–" if part.share is None else f"{100 * part.share:.0f} %",
                "–" if part.effective_rank is None else f"{part.effective_rank:.1f}",
                "–" if part.rank90 is None else f"{part.rank90:g}")  # fmt: skip

    headings = ("block", "layers", "‖ΔW‖", "of ‖W‖", "share of the change", "effective rank", "rank for 90 %")
    numbers = frozenset({1, 2, 3, 4, 5, 6})
    sentences: list[Piece] = [weights.growth.words]
    full = weights.saturation()
    if full is not None:
        sentences += [" ", full.words]
    kinds = Table(("kind of layer", *headings[1:]), tuple(map(row, weights.kinds())), "", numbers)
    blocks: list[Block] = [
        Heading("Where did the weights change?", 4),
        Paragraph(tuple(sentences)),
        Table(
            headings, (*map(row, weights.blocks()), row(weights.whole())), f"At training step {weights.last:,}", numbers
        ),
        Details("By kind of layer", (kinds,)),
        Paragraph(CAUTION, "note"),
    ]
    blocks += [Paragraph(homeless(problem, told.run.project_folder), "warning") for problem in weights.problems]
    if weights.tokens is not None:
        most = tuple(
            ((Said(move.text),), f"{move.distance:.3f}", f"{move.relative:.3f}") for move in weights.tokens.most[:15]
        )
        table = Table(
            ("token", "1 − cosine", "change"), most, "The tokens that the text encoder moved most", frozenset({1, 2})
        )
        blocks.append(Details("Tokens that moved", (table,)))
    return blocks + _knockouts(told, album)


def _knockouts(told: Told, album: Album) -> list[Block]:
    from loratui.lab.weights.knockouts import CAUTION, WITHOUT, read_knockouts

    made = read_knockouts(told.run)
    if not made:
        return []
    last = max(made, key=lambda one: one.step)
    blocks: list[Block] = [Heading("What goes when a block is switched off?", 4)]
    for one in last.prompts:
        shares = [(knocked, one.share(knocked)) for knocked in one.of(WITHOUT)]
        rows = tuple((knocked.block, knocked.to_lora.words, "–" if share is None else f"{100 * share:.0f} %")
                     for knocked, share in shares)  # fmt: skip
        words: tuple[Piece, ...] = ("“", Said(one.text), "”") if one.text.strip() else ("the empty prompt",)
        caption: Words = (*words, (f", training step {last.step:,}: how "
                          "far the pictures move from the whole LoRA's (RMSE, 95 %)"))  # fmt: skip
        blocks.append(Table(("without block", "moved", "of the whole effect"), rows, caption, frozenset({1, 2})))
    return [*blocks, Paragraph(CAUTION, "note")]
