"""Sample sheets of an article: of each seed the picture without the LoRA and that with it; one seed over the steps."""

from __future__ import annotations

from collections.abc import Sequence

from loratui.lab.pictures.gallery import Spot, Where
from loratui.lab.report.album import Album
from loratui.lab.report.article import (
    Block,
    Details,
    Heading,
    Pair,
    Paragraph,
    Picture,
    Piece,
    Plate,
    Plates,
    Sheet,
    Words,
    pieces,
)
from loratui.lab.report.material import Told
from loratui.lab.report.wording import count, expectation, prompt, whereabouts
from loratui.lab.scores.accepting import mean_words
from loratui.lab.scores.scores import ALL, Mean, Place, Score

MOST_PAIRS = 12
MOST_FILMS, FRAMES = 3, 8
MOST_LATER, LATER_PAIRS = 12, 4  # prompts that were asked for later, and pairs of each
_MARKS = {True: "✓", False: "✗", None: "?"}


def sheet(told: Told, place: Place, scores: Sequence[Score], album: Album, most: int = MOST_PAIRS) -> Sheet | None:
    """The first seeds of a place, in order; None where nothing was drawn there."""
    gallery = told.gallery
    spots = [
        spot for spot in gallery.spots if (spot.prompt, spot.inference_steps) == (place.prompt, place.inference_steps)
    ]
    drawn = [spot for spot in spots if gallery.path(Where(spot, place.scale, place.step)) is not None]
    own = [score for score in scores if score.place == place and score.name != ALL]
    pairs = []
    for spot in drawn[:most]:
        base, lora = (_picture(told, spot, scale, place.step, album) for scale in (None, place.scale))
        if base is not None or lora is not None:
            pairs.append(Pair(spot.seed, base, lora, _marks(own, spot.seed, False), _marks(own, spot.seed, True)))
    if not pairs:
        return None
    rest = f" The first {len(pairs)} of {len(drawn)} seeds, not chosen." if len(drawn) > len(pairs) else ""
    caption: list[Piece] = [*whereabouts(place), ". Left the base model, right the LoRA, from the same noise.", rest]
    if own:
        caption += [" Marks, in order: ", *_legend(own), " (✓ seen, ✗ not, ? uncertain)."]
    return Sheet(tuple(pairs), tuple(caption))


def _legend(scores: Sequence[Score]) -> list[Piece]:
    words: list[Piece] = []
    for index, score in enumerate(scores):
        words += [", " if index else "", *pieces(expectation(score))]
    return words


def _marks(scores: Sequence[Score], seed: int, lora: bool) -> str:
    marks = []
    for score in scores:
        if seed in score.seeds:
            seen = score.lora_seen if lora else score.base_seen
            marks.append(_MARKS[seen[score.seeds.index(seed)]])
    return "".join(marks)


def _picture(told: Told, spot: Spot, scale: float | None, step: int, album: Album) -> Picture | None:
    path = told.gallery.path(Where(spot, scale, step))
    if path is None:
        return None
    which = "base" if scale is None else f"step{step}-scale{scale:g}"
    name = f"{told.name or told.run.id}-p{spot.prompt:02d}-n{spot.inference_steps}-seed{spot.seed}-{which}"
    words = "the base model" if scale is None else f"the LoRA at step {step}"
    text = told.gallery.prompt(spot.prompt).text
    return album.take(path, name, f"seed {spot.seed}, {words}: {text or 'the empty prompt'}")


def sheet_blocks(told: Told, album: Album, most: int = MOST_PAIRS) -> list[Block]:
    """A sheet for each prompt and length of denoising at its last checkpoint; the first step after the whole.

    Prompts that were asked for later, as by --attribute, can be opened.
    """
    places = _places(told)
    if not places:
        return [Paragraph("No pictures were drawn with and without the LoRA.", "note")]
    own = len(told.record.prompts) if told.record is not None else 0
    blocks = _sheets(told, [place for place in places if place.prompt < own], album, most)
    later = [place for place in places if place.prompt >= own]
    if later:
        shown: list[Block] = _sheets(told, later[:MOST_LATER], album, min(most, LATER_PAIRS))
        if later[MOST_LATER:]:
            shown.append(
                Paragraph(f"{len(later) - MOST_LATER} more are not shown; they lie in the run's samples.", "note")
            )
        words = f"{count(len(later), 'prompt')} asked for later"
        blocks += [Details(words, tuple(shown))] if blocks else shown
    return blocks or [Paragraph("Its pictures cannot be shown.", "note")]


def _sheets(told: Told, places: Sequence[Place], album: Album, most: int) -> list[Block]:
    blocks: list[Block] = []
    longest = max((place.inference_steps for place in places), default=0)
    first_short = True
    for place in sorted(places, key=lambda place: place.inference_steps != longest):
        shown = sheet(told, place, told.newest, album, most)
        if shown is None:
            continue
        if place.inference_steps == 1 and longest > 1 and first_short:
            first_short = False
            blocks.append(Heading("At the first denoising step", 4))
            blocks.append(Paragraph("What the first step already decides, before any detail is there."))
        blocks.append(shown)
        pulls = [one for one in first_steps(told) if one.place == place]
        blocks += [Paragraph(f"Pull towards the centre: {mean_words(one)}.") for one in pulls]
    return blocks


def first_steps(told: Told) -> list[Mean]:
    """How much pictures of the first denoising step converge on the centre, at the last checkpoint of each prompt.

    Only where there are whole pictures as well: else the first step is all there is.
    """
    if told.scores is None or told.length == 1:
        return []
    newest: dict[int, Mean] = {}
    for one in sorted(told.scores.means, key=lambda one: one.place.step):
        if one.name == "centre_pull" and one.place.inference_steps == 1 and one.place.scale == 1:
            newest[one.place.prompt] = one
    return [newest[prompt] for prompt in sorted(newest)]


def _places(told: Told) -> list[Place]:
    """Each prompt and length with the last step at which it was drawn, at scale 1 or the nearest there is."""
    gallery = told.gallery
    if not gallery.scales or not gallery.steps:
        return []
    found: dict[tuple[int, int], Place] = {}
    for scale in sorted(gallery.scales, key=lambda value: (value != 1, abs(value - 1))):
        for step in reversed(gallery.steps):
            for spot in gallery.spots:
                key = (spot.prompt, spot.inference_steps)
                if key not in found and gallery.path(Where(spot, scale, step)) is not None:
                    found[key] = Place(spot.prompt, gallery.prompt(spot.prompt).text, spot.inference_steps, scale, step)
    return [found[key] for key in sorted(found)]


def film_blocks(told: Told, album: Album) -> list[Block]:
    """The first seed of the first prompts, from the base model over the checkpoints to the last."""
    blocks: list[Block] = []
    longest = max((place.inference_steps for place in _places(told)), default=0)
    for place in [place for place in _places(told) if place.inference_steps == longest][:MOST_FILMS]:
        spots = [s for s in told.gallery.spots if (s.prompt, s.inference_steps) == (place.prompt, longest)]
        steps = [step for step in told.gallery.steps if told.gallery.path(Where(spots[0], place.scale, step))]
        if len(steps) < 2:
            continue
        kept = (
            [steps[round(i * (len(steps) - 1) / (FRAMES - 1))] for i in range(FRAMES)] if len(steps) > FRAMES else steps
        )
        plates = [Plate(_picture(told, spots[0], None, steps[-1], album), "base")]
        plates += [Plate(_picture(told, spots[0], place.scale, step, album), f"step {step:,}") for step in kept]
        words: Words = ("Seed ", str(spots[0].seed), " of ", *pieces(prompt(place)), " as the training goes on.")
        blocks.append(Plates(tuple(plate for plate in plates if plate.picture is not None), words))
    return blocks
