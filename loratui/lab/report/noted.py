"""What was found and written down: the findings of all runs as a table, and the observations in their order."""

from __future__ import annotations

from collections.abc import Sequence

from loratui.lab.notes.findings import Cell, Findings, findings, footnotes, said_words, suggested_words
from loratui.lab.notes.notebook import short_run, when
from loratui.lab.notes.observations import Observation
from loratui.lab.report.album import Album
from loratui.lab.report.article import (
    Badge,
    Block,
    Code,
    Commands,
    Details,
    Entry,
    Heading,
    Paragraph,
    Plate,
    Said,
    Section,
    Table,
    Words,
)
from loratui.lab.report.material import Material
from loratui.lab.report.wording import badge, command, count, homeless

MOST_PICTURES = 6  # of an observation
MOST_ENTRIES = 60  # before the fold
MOST_ROWS = 24


def notes_section(material: Material, notes: Sequence[Observation], problems: Sequence[str], album: Album) -> Section:
    blocks: list[Block] = [Heading("Findings")]
    faults: list[str] = []
    found = findings(material.folder, faults)
    blocks += _findings(found)
    blocks += [Paragraph(homeless(text, material.folder), "warning") for text in dict.fromkeys((*faults, *problems))]
    blocks.append(Heading("Observations, in the order they were written"))
    if not notes:
        run = material.main.run.path if material.main else material.folder / "runs" / "RUN"
        line = command("--note", run, material.folder, '"what you see" --feature colour --verdict learned')
        blocks += [Paragraph("Nobody has written anything down yet. One line does:"), Commands((line,))]
    entries: list[Block] = [_entry(note, material, album) for note in notes]
    blocks += entries[:MOST_ENTRIES]
    if entries[MOST_ENTRIES:]:
        rest = f"{count(len(entries) - MOST_ENTRIES, 'more observation')}"
        blocks.append(Details(rest, tuple(entries[MOST_ENTRIES:])))
    return Section("notes", "Findings and observations", tuple(blocks))


def _findings(found: Findings) -> list[Block]:
    if not found.cells:
        return [Paragraph("No verdict was written down, and no expectation measured.", "note")]
    rows: list[tuple[Words | Badge, ...]] = []
    # What people said, then what whole pictures show, then the rest.
    length = max((cell.suggested.place.inference_steps for cell in found.cells if cell.suggested), default=0)
    for cell in sorted(found.cells, key=lambda cell: _rank(cell, length)):
        score = cell.suggested
        rates: tuple[Words, ...] = (
            (score.lora.words, score.base.words, f"{score.paired.p:.2g}") if score else ("–",) * 3
        )
        said = said_words(cell) or "–"
        differs = " (not what is suggested)" if cell.agrees is False else ""
        rows.append(((Said(cell.feature),), (Said(short_run(cell.run.id)),), (Said(said + differs),),
                     suggested_words(cell).removeprefix("suggested: ") or "–", *rates))  # fmt: skip
    headings = ("feature", "run", "written down", "suggested", "with the LoRA", "base", "p")
    tables: list[Block] = [Table(headings, tuple(rows[:MOST_ROWS]), "", frozenset({6}))]
    if rows[MOST_ROWS:]:
        table = Table(headings, tuple(rows[MOST_ROWS:]), "", frozenset({6}))
        tables.append(Details(f"{len(rows) - MOST_ROWS} more findings", (table,)))
    return [*tables, *(Paragraph(text, "note") for text in footnotes(found))]


def _rank(cell: Cell, length: int) -> int:
    if cell.said is not None:
        return 0
    return 1 if cell.suggested is not None and cell.suggested.place.inference_steps == length else 2


def _entry(note: Observation, material: Material, album: Album) -> Entry:
    about: list[str | Said | Code] = [when(note.time), ", by ", Said(note.by), ", ", Said(short_run(note.run))]
    if note.step is not None:
        about.append(f", step {note.step:,}")
    if note.history:
        about.append(f", reworded {'once' if len(note.history) == 1 else f'{len(note.history)} times'}")
    plates = []
    for path, name in list(zip(note.picture_paths, note.pictures, strict=True))[:MOST_PICTURES]:
        picture = album.take(path, f"note-{short_run(note.run)}-{name}", f"picture of an observation: {name}")
        plates.append(Plate(picture, (Said(name.rpartition("/")[2]),), "", "" if picture else "cannot be shown"))
    if note.pictures[MOST_PICTURES:]:
        about.append(f", {count(len(note.pictures) - MOST_PICTURES, 'more picture')}")
    title: Words = (Said(note.feature),) if note.feature else "Note"
    return Entry(badge(note.verdict), title, tuple(about), note.note, tuple(plates), note.struck)
