"""The first section of an article: what was learned, and how sure that is, for who reads nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loratui.lab.errors import LabError
from loratui.lab.notes.findings import Findings, findings, said_words
from loratui.lab.notes.notebook import short_run
from loratui.lab.notes.observations import Observation
from loratui.lab.report.album import Album
from loratui.lab.report.article import (
    Block,
    Bullets,
    Code,
    Commands,
    Details,
    Heading,
    Paragraph,
    Piece,
    Said,
    Section,
    Standing,
    Standings,
    Strong,
    Table,
    Words,
    joined,
    pieces,
)
from loratui.lab.report.material import Material, Told
from loratui.lab.report.sheets import first_steps, sheet
from loratui.lab.report.wording import (
    answer_badge,
    badge,
    command,
    count,
    expectation,
    homeless,
    prompt,
    rate_words,
    short_why,
)
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.accepting import mean_words
from loratui.lab.scores.band import Band
from loratui.lab.scores.features import feature_of
from loratui.lab.scores.scores import ALL, Score
from loratui.lab.scores.statistics import ALPHA, LEARNED, NOT_SHOWN, PARTLY, TOO_FEW, UNCERTAIN

TITLE = "What did it learn, and how sure are we?"
ROWS = 10  # expectations that are shown without being asked for
FEW = 8  # expectations; with more, what the project claims is told before them
NAMED = 3  # of a verdict, in the sentence
AS_BASE = "as the base"
_GROUPS = {
    LEARNED: "Learned: ",
    PARTLY: "Partly: ",
    NOT_SHOWN: "Not shown: ",
    TOO_FEW: "Too few pictures to tell: ",
    UNCERTAIN: "Uncertain: ",
    AS_BASE: "The base model does it already: ",
}


def answer_section(material: Material, band: Band, notes: Sequence[Observation], album: Album) -> Section:
    main = material.main
    blocks: list[Block] = []
    if main is None:
        blocks += _nothing_yet(material)
    elif not main.newest:
        blocks += [*_standing(main), *_without_scores(main, material)]
    else:
        blocks += _told(material, main, band, album)
    if main is not None and len(main.finished_pictures) <= FEW:
        blocks += _claims(material)
    blocks += _seen(notes)
    return Section("answer", TITLE, tuple(blocks))


def _nothing_yet(material: Material) -> list[Block]:
    broken = len(material.runs)
    if broken:
        words = f"Nothing can be told: {count(broken, 'run')} cannot be read; the table of runs says why."
        return [Paragraph(words, "lead")]
    return [Paragraph("Nothing yet: the project has no runs.", "lead"),
            Paragraph("It can be checked, and trained, with:"),
            Commands((command("--check", material.folder, material.folder),
                      command("--run", material.folder, material.folder)))]  # fmt: skip


def _standing(main: Told) -> list[Block]:
    """A warning where the run did not end as it was meant to."""
    state, of = main.state, main.record.plan.total_steps if main.record else 0
    at = f"step {state.step:,} of {of:,}"
    words = {
        "queued": f"{main.label} waits to be trained.",
        "running": f"{main.label} is still being trained ({at}): what follows is not its last word.",
        "stopped": f"{main.label} was stopped at {at}.",
        "failed": f"{main.label} failed at {at}: {state.reason or 'without a reason'}.",
        "interrupted": f"{main.label} was interrupted at {at}; loratui --resume goes on with it.",
    }.get(state.name, "")
    return [Paragraph(words[:1].upper() + words[1:], "warning")] if words else []


def _without_scores(main: Told, material: Material) -> list[Block]:
    if not main.gallery.steps:
        words = "No pictures were drawn yet, so there is nothing that could show what was learned. This draws some:"
        line = command("--sample", main.run.path, material.folder, "--seeds 1-20")
        return [Paragraph("Nothing can be told yet.", "lead"), Paragraph(words), Commands((line,))]
    words = (
        "Pictures were drawn, but nothing was expected of them, so no rate can be counted. Write into project.toml "
        "what they should show, such as "
    )
    example = 'expect = { colour = "gray", shape = "circle" }'
    return [
        Paragraph("Nobody said what to look for.", "lead"),
        Paragraph((words, Code(example), (", under [[sample.prompt]], and write the report again: no new training is "
                   "needed, and it will say that it was expected only afterwards."))),
    ]  # fmt: skip


# -- with numbers -----------------------------------------------------------------------------------------------------


def _told(material: Material, main: Told, band: Band, album: Album) -> list[Block]:
    scores = main.finished_pictures
    steps = max(score.place.step for score in scores)
    blocks: list[Block] = [*_standing(main), *_verdicts(scores), *_first_step(main)]
    found = findings(material.folder, [])
    rows = [_row(score, found, main, _several(scores)) for score in scores]
    images = count(len(main.record.images), "image") if main.record else "its images"
    of = () if _several(scores) else (" of ", *pieces(prompt(scores[0].place)))
    caption: Words = (
        "Pictures",
        *of,
        (
            f" after {count(steps, 'step')} on {images}, {main.label}. Filled: with the LoRA. Open: the base model "
            "alone, from the same noise. Lines are 95 % intervals; p is of McNemar's exact test on the same seeds."
        ),
    )
    if len(rows) > FEW:
        blocks += _claims(material)
    blocks.append(Standings(tuple(rows[:ROWS]), caption))
    if rows[ROWS:]:
        blocks.append(Details(f"{len(rows) - ROWS} more expectations", (Standings(tuple(rows[ROWS:]), caption),)))
    first = next((score for score in scores if score.name != ALL), scores[0])
    shown = sheet(main, first.place, scores, album, 6)
    if shown is not None:
        blocks.append(shown)
    blocks += [Heading("How sure is that?"), Bullets(tuple(_sureness(material, main, band, scores)))]
    return blocks


def _several(scores: Sequence[Score]) -> bool:
    return len({score.place.prompt for score in scores}) > 1


def _verdicts(scores: Sequence[Score]) -> Iterator[Block]:
    """A sentence for each verdict; what asks for everything at once is told only where nothing else is."""
    several = _several(scores)
    single = [score for score in scores if score.name != ALL] or list(scores)
    for group, heading in _GROUPS.items():
        mine = [score for score in single if _group(score) == group]
        named: list[Words] = [_named(score, several) for score in mine[:NAMED]]
        if mine[NAMED:]:
            named.append(f"{len(mine) - NAMED} more")
        if named:
            yield Paragraph((Strong(heading), *joined(named, "; ", "; and "), "."), "lead")


def _first_step(main: Told) -> list[Block]:
    """What the first denoising step shows, where pictures of it were drawn beside whole ones."""
    told = [one for one in first_steps(main) if one.change is not None and math.isfinite(one.change.low)]
    if not told:
        return []
    pull = told[0]
    assert pull.change is not None
    sure = "more than" if pull.change.low > 0 else "less than" if pull.change.high < 0 else "not surely more than"
    words = f"it converges on the centre {sure} the base model: pull {mean_words(pull)}."
    return [Paragraph((Strong("At the first denoising step: "), words), "lead")]


def _group(score: Score) -> str:
    if score.verdict.verdict == NOT_SHOWN and score.base.interval[0] > 0.5:
        return AS_BASE
    return score.verdict.verdict


def _named(score: Score, several: bool) -> Words:
    of = (" for ", *pieces(prompt(score.place))) if several else ()
    base = f"{score.base.k} of {score.base.n}" if score.base.n else "none measured"
    low, high = (100 * end for end in score.base.interval)
    interval = f" ({low:.0f}–{high:.0f} %)" if score.base.n else ""
    return (*pieces(expectation(score)), *of, f", {rate_words(score.lora)}; the base model {base}{interval}")


def _row(score: Score, found: Findings, main: Told, several: bool) -> Standing:
    said: Words = ""
    cell = found.cell(feature_of(score), main.run)
    if cell is not None and cell.said is not None:
        said = f"written down: {said_words(cell)}"
    why: list[Piece] = [short_why(score)]
    if score.later:
        why.append(" Expected only after the run.")
    where = prompt(score.place) if several else ""
    return Standing(badge(score.verdict.verdict), expectation(score), where, score.lora, score.base,
                    score.paired.p, tuple(why), said)  # fmt: skip


def _sureness(material: Material, main: Told, band: Band, scores: Sequence[Score]) -> Iterator[Words]:
    pictures = [len(score.seeds) for score in scores]
    least, most = min(pictures), max(pictures)
    many = f"{least}" if least == most else f"{least} to {most}"
    yield (f"Each rate rests on {many} pairs of pictures. The interval says where the rate lies, with 95 % confidence, "
           "if many more were drawn with this LoRA.")  # fmt: skip
    yield _repeats(material, main, band, scores)
    unsure = sum(score.lora.unsure + score.base.unsure for score in scores if score.name != ALL)
    looked = 2 * sum(len(score.seeds) for score in scores if score.name != ALL)
    if unsure:
        yield (f"The measures were not sure in {unsure} of {looked} readings; those count neither way, and a verdict "
               "that they could turn is called uncertain.")  # fmt: skip
    few = [score.verdict.needed for score in scores if score.verdict.verdict == TOO_FEW]
    if few:
        line = command("--sample", main.run.path, material.folder, f"--seeds 1-{max(few)}")
        yield (
            "Where pictures are too few, about ",
            f"{max(few)} of each prompt would do if the rates stay: ",
            Code(line),
        )
    later = sum(score.later for score in scores)
    if later:
        yield (f"{count(later, 'expectation')} of {len(scores)} came only when the pictures were there. That tells "
               "less: who looks first finds something.")  # fmt: skip
    tests = [score for score in scores if score.paired.enough]
    if len(tests) > 1:
        hits = sum(score.paired.p <= ALPHA for score in tests)
        yield (f"{hits} of {len(tests)} tests against the base model come out at p ≤ {ALPHA:.2f}; by chance alone "
               f"about {ALPHA * len(tests):.1f} would.")  # fmt: skip
    yield ("“Not shown” is never “not learned”: it says that these prompts did not show it. What the measures suggest "
           "becomes an observation only when a person accepts it.")  # fmt: skip


def _repeats(material: Material, main: Told, band: Band, scores: Sequence[Score]) -> Words:
    if len(band.runs) < 2:
        line = command("--run", material.folder, material.folder, "--repeats 3")
        return (("It is one training. How far the same training would come out elsewhere with another seed is not "
                "known; three would begin to tell: "), Code(line))  # fmt: skip
    told: list[Words] = []
    for score in scores:
        place = score.place
        spread = band.of(place.text, place.inference_steps, score.name, place.step)
        if spread is not None and score.name != ALL and len(told) < 6:
            told.append((*pieces(expectation(score)), " ", ", ".join(f"{rate.k}/{rate.n}" for rate in spread.rates)))
    few = " Two are too few for a band." if len(band.runs) == 2 else ""
    rates = ("; the rates: ", *joined(told, "; ")) if told else ()
    return (f"The same was trained with {len(band.runs)} training seeds", *rates, f".{few}")


# -- claims, and what people saw --------------------------------------------------------------------------------------


def _claims(material: Material) -> list[Block]:
    from loratui.lab.scores.claims import answer_claims

    if material.project is None or not material.project.claims:
        return []
    try:
        answers = answer_claims(material.project, _runs_by_variant(material))
    except (LabError, OSError) as error:
        return [Paragraph(f"The claims cannot be answered: {homeless(str(error), material.folder)}", "warning")]
    rows = []
    for one in answers:
        note = f"{one.note} ({short_run(one.run)})" if one.note and one.run else one.note
        rows.append(((Said(one.claim),), answer_badge(one.answer), one.measured or "–", one.base or "–",
                     homeless(note, material.folder)))  # fmt: skip
    headings = ("claim", "the pictures", "measured", "base model, or what it is held against", "note")
    return [Heading("The claims of the project"), Table(headings, tuple(rows))]


def _runs_by_variant(material: Material) -> dict[str, RunFolder]:
    """The runs that claims speak of: of the project as it is written, and of each variant the newest with pictures."""
    found: dict[str, RunFolder] = {}
    if material.main is not None and not material.main.variant:
        found[""] = material.main.run
    for told in material.runs:
        if told.variant and told.record is not None and not told.about.get("repeat") and told.gallery.steps:
            found[told.variant] = told.run
    return found


def _seen(notes: Sequence[Observation]) -> list[Block]:
    """Verdicts that were written down, newest first."""
    spoken = [note for note in notes if note.verdict and not note.struck]
    if not spoken:
        return []
    rows = []
    for note in sorted(spoken, key=lambda note: -note.changed)[:8]:
        rows.append((badge(note.verdict), (Said(note.feature or "–"),), (Said(note.note[:300]),),
                     f"{note.by}, {short_run(note.run)}"))  # fmt: skip
    more = f" The newest {len(rows)} of {len(spoken)}; all are below." if len(spoken) > len(rows) else ""
    return [
        Heading("What was written down"),
        Table(("verdict", "feature", "note", "by, run"), tuple(rows), more.strip()),
    ]
