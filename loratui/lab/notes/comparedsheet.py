"""Contact sheets of a comparison: pictures of several runs from the same noise, the base model's in column 0.

Below each picture stands what its own file says made it: the LoRA's hash, its strength and its step. A picture that
does not say it was made as its place tells is marked. Whether base pictures are the same is looked at here, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.lab.errors import LabError
from loratui.lab.files import open_binary, sha256_file
from loratui.lab.notes.comparison import letter
from loratui.lab.notes.notebook import short_run
from loratui.lab.notes.sidebyside import Aligned, Column, PictureRow
from loratui.lab.patience import Progress, quiet
from loratui.lab.pictures.pictures import PictureFacts, read_facts
from loratui.lab.plain import plain

if TYPE_CHECKING:
    from loratui.lab.pictures.sheet import SheetRow

MOST_ROWS = 240  # of all pages; above it each prompt shows fewer seeds


def write_sheets(aligned: Aligned, folder: Path, title: str, progress: Progress = quiet) -> list[Path]:
    """Write compare.png, or compare-1.png and so on, each whole or not at all; none where nothing was drawn."""
    import io

    from loratui.lab.files import write_atomic
    from loratui.lab.pictures import sheet

    rows, left_out = _chosen(aligned.rows)
    if not rows or not aligned.columns:
        return []
    step = aligned.steps[-1] if aligned.steps else 0
    made = []
    for done, row in enumerate(rows):
        progress(done, len(rows))
        made.append(_sheet_row(aligned, row, step))
    columns = [sheet.Column(_label(aligned, column)) for column in aligned.columns]
    words = "One row is one noise. Under each picture: the hash of its LoRA, its scale x and its step @."
    subtitle = f"{words} {left_out}".strip()
    pages = sheet.contact_sheets(made, columns, title, subtitle)
    numbers = [f"-{number}" for number in range(1, len(pages) + 1)] if len(pages) > 1 else [""]
    paths = [folder / f"compare{number}.png" for number in numbers]
    for path, page in zip(paths, pages, strict=True):
        content = io.BytesIO()
        page.save(content, "PNG")
        write_atomic(path, content.getvalue())
    return paths


def _chosen(rows: Sequence[PictureRow]) -> tuple[list[PictureRow], str]:
    """The rows that are shown, and what is to be said of the others: of each prompt the first seeds, as many of all."""
    if len(rows) <= MOST_ROWS:
        return list(rows), ""
    seeds: dict[object, list[int]] = {}
    for row in rows:
        listed = seeds.setdefault((row.prompts, row.inference_steps), [])
        if row.seed not in listed:
            listed.append(row.seed)
    most = max(map(len, seeds.values()))
    while most > 1:
        most -= 1
        kept = [row for row in rows if row.seed in seeds[row.prompts, row.inference_steps][:most]]
        if len(kept) <= MOST_ROWS:
            break
    kept = kept[:MOST_ROWS]
    return kept, f"{len(kept)} of {len(rows)} rows are shown, the first {most} seeds of each prompt."


def _sheet_row(aligned: Aligned, row: PictureRow, step: int) -> SheetRow:
    from loratui.lab.pictures.sheet import SheetRow

    lengths = {one.inference_steps for one in aligned.rows}
    several = len(lengths) > 1
    group = " / ".join(plain(text, 120) or "(empty prompt)" for text in row.words)
    group += f" · {row.inference_steps} step{'s' if row.inference_steps != 1 else ''}" if several else ""
    label = f"seed {row.seed}" + (f" x{row.scale:g}" if len(aligned.scales) > 1 else "")
    cells, captions = [], []
    for column in aligned.columns:
        path = aligned.cell(row, column, step).path
        picture, caption = _proved(aligned, row, column, path)
        cells.append(picture)
        captions.append(caption)
    return SheetRow(label, tuple(cells), group, tuple(captions))


def _proved(aligned: Aligned, row: PictureRow, column: Column, path: Path | None) -> tuple[Path | None, str]:
    """The picture and what its file says of it."""
    if path is None:
        return None, "not drawn"
    try:
        facts = read_facts(path)
    except LabError:
        return None, "not readable"
    if facts is None:
        return path, "! says nothing"
    return path, proof(facts, row, column, aligned.runs[column.run].id)


def proof(facts: PictureFacts, row: PictureRow, column: Column, run: str) -> str:
    """What stands below a picture: `1aaada85 x1 @750`, `no LoRA`, or that it is not what its place tells."""
    scale = None if column.is_base else row.scale
    if facts.seed != row.seed or facts.inference_steps != row.inference_steps or facts.scale != scale:
        return "! other seed or scale"
    if scale is None:
        return "no LoRA"
    if facts.run != run:
        return "! of another run"
    return f"{facts.lora_hash[:8] or 'no hash'} x{scale:g} @{facts.step}"


def _label(aligned: Aligned, column: Column) -> str:
    if column.is_base:
        return column.label
    return f"{column.label} {short_run(aligned.runs[column.run].id)}"


# -- base pictures ----------------------------------------------------------------------------------------------------


def base_sentences(aligned: Aligned, hashes: Sequence[str]) -> list[str]:
    """What is to be said of the base pictures of each pair: other models, or pictures that differ. Opens them all.

    `hashes` are of the runs' base models. Where the same model drew the same words from the same noise, the pictures
    are the same to the last bit, unless libraries or machines differ.
    """
    found = []
    for i, j in itertools.combinations(range(len(aligned.runs)), 2):
        pair = f"{letter(i)} and {letter(j)}"
        if hashes[i] != hashes[j]:
            found.append(f"{pair} have other base models: their base pictures differ before any LoRA does; hold each "
                         "run against its own base column.")  # fmt: skip
            continue
        same, differ = _counted(aligned, i, j)
        if differ:
            found.append(f"{differ} of {same + differ} base pictures of {pair} differ, though model, words and seed "
                         "are one: libraries or machines do, and small differences may come of that.")  # fmt: skip
    return found


def _counted(aligned: Aligned, i: int, j: int) -> tuple[int, int]:
    same = differ = 0
    for row in _once(aligned.rows):
        one, other = aligned.base(row, i), aligned.base(row, j)
        if one is None or other is None or one == other or len(row.words) > 1:
            continue
        if _same_pixels(one, other):
            same += 1
        else:
            differ += 1
    return same, differ


def _once(rows: Sequence[PictureRow]) -> list[PictureRow]:
    """One row of each prompt, seed and length: base pictures have no scale."""
    return list({(row.prompts, row.inference_steps, row.seed): row for row in rows}.values())


def _same_pixels(one: Path, other: Path) -> bool:
    from PIL import Image

    try:
        if sha256_file(one) == sha256_file(other):
            return True
        with open_binary(one) as first, open_binary(other) as second, Image.open(first) as a, Image.open(second) as b:
            return a.size == b.size and a.convert("RGB").tobytes() == b.convert("RGB").tobytes()
    except (OSError, ValueError, SyntaxError):
        return True  # unreadable ones are told of on the sheet
