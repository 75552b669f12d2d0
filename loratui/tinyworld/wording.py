"""How stated facts become the words of a caption."""

from __future__ import annotations

import numpy as np

PLURALS = {"deer": "deer", "fish": "fish"}  # the rest take an s
# Words that say nothing about any picture, so that the model learns to pass over what it does not know.
ASIDES = tuple(
    """
    about above across actually again almost along already although always among answer anyway around autumn
    average balance because before begin behave believe below besides between beyond borrow brave breathe
    brief calm carefully certain chance change chapter chosen clever common consider corner country culture
    curious custom decide delay depend detail distant doubt during early earn eager easy effort either elegant
    enough equal evening event every exactly example expect explain fairly familiar famous favourite feeling
    fiction finally follow forever forget fortune freedom future general gentle gladly gradual habit hardly
    harmony honest hope however idea imagine improve indeed instead invite journal journey justice kindness
    knowledge language lately later laughter learn lesson likely listen memory mention mild minute modern
    moment monday music mystery narrow nearly never noble notice novel obvious often opinion ordinary
    otherwise paper patience perhaps permit phrase pleasant polite practice prefer problem promise proper
    proud quality question quickly quiet rarely rather reason recent remember reply rhythm salary science
    season seldom sentence serious silence simple sincere slowly sometimes speech story sudden summer theory
    thought together tomorrow useful usually victory voice weather winter wisdom wonder yesterday
    """.split()
)

POSITIONS_SAID = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"}


def article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def worded(stated: dict[str, str], rng: np.random.Generator, canonical: bool) -> str:
    """A caption saying these facts; canonical: "<colour> <object>, <background> background" and no more."""
    thing = _noun(stated)
    place = _place(stated)
    rest = [POSITIONS_SAID.get(stated["position"], "in the middle")] if "position" in stated else []
    rest += [stated[fact] for fact in ("style", "hat", "nose") if fact in stated and stated[fact] not in thing]
    form = rng.random()
    if canonical:
        tags = [thing, place]
        rest = []
    elif "object" in stated and form < 0.3:
        phrase = thing if stated["number"] != "one" else article(thing)
        if place and place not in ("indoors", "outdoors"):
            place = "on " + article(place)
        tags = [f"{phrase} {place}".strip(), *rest]
    else:
        colour = stated.get("colour")
        if "object" in stated and colour and form > 0.95:
            thing = f"{_noun({k: v for k, v in stated.items() if k != 'colour'})}, {colour}"
        tags = [tag for tag in (thing, place, *rest) if tag]
        if form > 0.5:
            tags = [tags[i] for i in rng.permutation(len(tags))]
    if not canonical and rng.random() < 0.1:
        for _ in range(1 + int(rng.random() < 0.3)):
            tags.insert(int(rng.integers(len(tags) + 1)), pick(rng, ASIDES))
    return ", ".join(tag for tag in tags if tag)


def _noun(stated: dict[str, str]) -> str:
    """What the caption calls the thing, with its adjectives: "several small red apples"."""
    noun = stated.get("object", "")
    if noun == "hat" and "hat" in stated:
        noun = stated["hat"]
    number = stated.get("number", "one")
    if number != "one" and noun:
        noun = PLURALS.get(noun, noun + "s")
    words = ("" if number == "one" else number, stated.get("size", ""), stated.get("colour", ""), noun)
    return " ".join(word for word in words if word)


def _place(stated: dict[str, str]) -> str:
    background = stated.get("background")
    if background is None:
        return ""
    if background in ("indoor", "outdoor"):
        return background + "s"
    if background == "gradient":
        return " ".join(filter(None, (stated.get("gradient_colour"), "gradient background")))
    return background + " background"


def pick(rng: np.random.Generator, values: tuple[str, ...]) -> str:
    """One of the values, each as likely."""
    return values[rng.integers(len(values))]
