"""The whole article, in the order in which it is read: the answer first, how to repeat it last."""

from __future__ import annotations

from pathlib import Path

from loratui.lab.notes.observations import project_observations
from loratui.lab.patience import Progress, quiet
from loratui.lab.report.album import Album
from loratui.lab.report.answer import answer_section
from loratui.lab.report.article import (
    Article,
    Block,
    Bullets,
    Details,
    Heading,
    Paragraph,
    Said,
    Section,
    Strong,
    Words,
)
from loratui.lab.report.changes import runs_section, settings_section
from loratui.lab.report.inside import inside_blocks
from loratui.lab.report.learning import expectation_blocks, loss_blocks, plane_blocks
from loratui.lab.report.material import Material, Told, gather
from loratui.lab.report.noted import notes_section
from loratui.lab.report.numbers import copy_blocks, measure_blocks, moved_blocks
from loratui.lab.report.repeating import repeating_section
from loratui.lab.report.sheets import MOST_PAIRS, film_blocks, sheet_blocks
from loratui.lab.report.trainingset import training_section
from loratui.lab.report.wording import base_name, count, homeless
from loratui.lab.scores.band import Band, noise_band, repeats_of

FEW_PAIRS = 6  # of a run that the answer does not speak of


def compose(folder: Path, progress: Progress = quiet) -> Article:
    """The article of a project. LabError where there is none; whatever else is broken is told in the article."""
    material = gather(folder, progress)
    album = Album()
    problems: list[str] = []
    notes = project_observations(material.folder, problems)
    sections: list[Section | None] = [
        answer_section(material, _band(material.main), notes, album),
        training_section(material, album),
        settings_section(material),
        runs_section(material),
    ]
    if material.main is not None:
        sections.append(_results(material.main, material, album))
    others = [told for told in reversed(material.full) if material.main is None or told.run != material.main.run]
    if others:
        sections.append(_others(others, album))
    sections += [
        notes_section(material, notes, problems, album),
        repeating_section(material),
        _reading(material, album),
    ]
    return Article(
        material.name,
        (Said(material.question),) if material.question.strip() else ("What does ", Said(material.name), " show?"),
        _byline(material),
        tuple(section for section in sections if section is not None),
    )


def _band(told: Told | None) -> Band:
    return noise_band([told.run, *repeats_of(told.run)]) if told is not None else Band((), ())


def _byline(material: Material) -> Words:
    main = material.main
    parts: list[str | Said] = [Said(material.name), f", {count(len(material.runs), 'run')}"]
    if main is not None and main.record is not None:
        date = main.run.id[:8]
        day = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if date.isdigit() else ""
        parts += [", base model ", Said(base_name(main)), f", {main.label}", f" of {day}" if day else ""]
    return tuple(parts)


def _results(told: Told, material: Material, album: Album) -> Section:
    return Section("results", f"What {told.label} shows", tuple(_run_blocks(told, album, MOST_PAIRS, films=True)))


def _run_blocks(told: Told, album: Album, pairs: int, films: bool) -> list[Block]:
    blocks: list[Block] = []
    curves = expectation_blocks(told, _band(told))
    if curves:
        blocks += [Heading("When was it learned?"), *curves]
    blocks += film_blocks(told, album) if films else []
    plane = plane_blocks(told)
    if plane:
        blocks += [Heading("Learning against forgetting"), *plane]
    blocks += [Heading("Pictures, beside the base model's"), *sheet_blocks(told, album, pairs)]
    measures = [*measure_blocks(told), *copy_blocks(told), *moved_blocks(told)]
    if measures:
        blocks += [Heading("Measures"), *measures]
    blocks += [Heading("The course of the training"), *loss_blocks(told)]
    inside = inside_blocks(told, album)
    return [*blocks, Heading("Inside"), *inside] if inside else blocks


def _others(others: list[Told], album: Album) -> Section:
    blocks: list[Block] = []
    for told in others:
        label = told.label[:1].upper() + told.label[1:]
        variant: Words = (" · variant ", Said(told.variant)) if told.variant else ""
        summary: Words = (label, *(variant if isinstance(variant, tuple) else ()))
        blocks.append(Details(summary, tuple(_run_blocks(told, album, FEW_PAIRS, films=False))))
    return Section("others", "The other runs", tuple(blocks))


def _reading(material: Material, album: Album) -> Section:
    """How to read the numbers; and what could not be read or shown."""
    blocks: list[Block] = [
        Bullets(
            (
                (Strong("Learned"), (": more often than the base model (p at most 0.05) and, as the interval says, in "
                                    "most pictures.")),
                (Strong("Partly"), ": more often than the base model, but not surely in most pictures."),
                (Strong("Not shown"), (": with 95 % confidence the difference is below 20 points. It says “not by "
                                      "these prompts”, never “not learned”.")),
                (Strong("Too few pictures"), ": neither, and more pictures would settle it."),
                (Strong("Uncertain"), (": so many pictures could not be measured that they could turn it, or the "
                                      "difference is about as small as is worth noting.")),
            )
        ),
        Paragraph("Intervals of rates are Wilson's, of differences Newcombe's. Pictures with and without the LoRA come "
                  "from the same noise, so they are compared in pairs: p is of McNemar's exact test. Pictures of one "
                  "run speak of one LoRA; only repeats with other training seeds tell how much another "
                  "would differ."),
    ]  # fmt: skip
    problems = [homeless(text, material.folder) for text in material.problems]
    if problems:
        blocks += [Heading("What could not be read"), Bullets(tuple((Said(text),) for text in dict.fromkeys(problems)))]
    if album.unread:
        names = sorted(path.name for path in album.unread)
        words = f"{count(len(names), 'picture')} could not be read and are not shown."
        blocks.append(Details(words, (Bullets(tuple((Said(name),) for name in names[:100])),)))
    if album.left_out:
        blocks.append(Paragraph(f"{count(album.left_out, 'picture')} more would have made this too large a file, and "
                                "are left out; they lie in the run's samples.", "note"))  # fmt: skip
    return Section("reading", "How to read the numbers", tuple(blocks))
