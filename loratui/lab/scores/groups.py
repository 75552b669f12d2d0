"""Which kind of prompt a prompt is to a run: that says whether a change it shows is learning or forgetting.

Drift on prompts that name a trained tag is what was wanted; on prompts that have nothing to do with it, and on the
empty one, it is what the LoRA does without being asked.

The rules, for the parts of a prompt between its commas, as the text encoder hears them (case and spaces aside):

- *empty prompt*: there is no word in it.
- *trained tag*: a caption as it was trained, or parts that are all tags of captions, whichever and in any order.
- *tag with an unseen object*: a part is a tag of a caption, and another part has a word that no caption has.
- *tag in a new phrase*: a part is a tag of a caption and the others are made of words of the captions; or tags stand
  among other words; or it has a word in common with the captions, as `bird nose` has with `deer nose`.
- *unrelated*: it has no word in common with any caption.

Words that nearly every caption in English has, and those for the picture itself, tie nothing together: `a photo of a
cup` has nothing to do with `a photo of myshape`. All of it is by the letters: that a kitten is a cat is not known here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from loratui.lab.dataset.captions import split_tags

TRAINED = "trained tag"  # a prompt of nothing but tags, or a caption, that were trained
PHRASE = "tag in a new phrase"
UNSEEN = "tag with an unseen object"
UNRELATED = "unrelated"
EMPTY = "empty prompt"
GROUPS = (TRAINED, PHRASE, UNSEEN, UNRELATED, EMPTY)

_WEAK = frozenset(
    "a an the of on in at by to for from with without and or is are its it this that one some".split()
    + "photo photograph picture image drawing painting illustration sketch render background style".split()
)
_WORD = re.compile(r"[^\W_]+")
_PHRASES = ("a photo of {}", "{} on a table", "a painting of {}")
_OBJECTS = ("cup", "house", "tree", "boat", "book", "lamp", "car", "bird", "fish", "chair", "hat", "umbrella")
_EACH = 3  # probe prompts of a group, at most


def group_of(text: str, captions: Sequence[str], trigger: str = "") -> str:
    """The group of a prompt to a run that was trained on these captions; a trigger counts as a tag of its own."""
    parts = [part for tag in split_tags(text) if (part := _plain(tag))]
    if not any(map(_words, parts)):
        return EMPTY
    tags, known = _trained(captions, trigger)
    if _plain(text) in {_plain(caption) for caption in captions} or all(part in tags for part in parts):
        return TRAINED
    words = {word for part in parts for word in _words(part)}
    if any(part in tags for part in parts):
        beside = {word for part in parts if part not in tags for word in _words(part)}
        return UNSEEN if beside - known - _WEAK else PHRASE
    heard = f" {' '.join(' '.join(_words(part)) for part in parts)} "
    if any(f" {' '.join(_words(tag))} " in heard for tag in tags if set(_words(tag)) - _WEAK):
        return PHRASE
    return PHRASE if (words & known) - _WEAK else UNRELATED


def probe_prompts(captions: Sequence[str], trigger: str = "") -> tuple[tuple[str, str], ...]:
    """A few prompts of each group, as (group, text): always the same for the same captions.

    They are of words that any model that draws things knows. Groups that need a tag are left out where there is none.
    """
    tag = main_tag(captions, trigger)
    trained = list(dict.fromkeys([tag, *_common(caption.strip() for caption in captions)]))
    _, known = _trained(captions, trigger)
    objects = [word for word in _OBJECTS if word not in known and f"{word}s" not in known]
    wished = {
        TRAINED: [text for text in trained if text],
        PHRASE: [phrase.format(tag) for phrase in _PHRASES if tag],
        UNSEEN: [f"{tag}, {_a(word)}" for word in objects if tag],
        UNRELATED: [_a(word) for word in objects],
        EMPTY: [""],
    }
    return tuple(
        (group, text)
        for group in GROUPS
        for text in [text for text in wished[group] if group_of(text, captions, trigger) == group][:_EACH]
    )


def main_tag(captions: Sequence[str], trigger: str = "") -> str:
    """The trigger, else the tag that most captions have, of several the first; empty where there is none.

    A background is not what a LoRA is about: its tag is taken only where there is no other.
    """
    tags = _common(tag for caption in captions for tag in dict.fromkeys(split_tags(caption)))
    subjects = [tag for tag in tags if "background" not in _words(_plain(tag))]
    return trigger.strip() or next(iter(subjects or tags), "")


def _common(texts: Iterable[str]) -> list[str]:
    """The texts, the most frequent first; empty ones are left out."""
    counts = Counter(text for text in texts if text)
    return sorted(counts, key=lambda text: -counts[text])  # stable: of equals the first stays first


def _trained(captions: Sequence[str], trigger: str) -> tuple[frozenset[str], frozenset[str]]:
    """The tags of the captions, and all their words."""
    tags = {_plain(tag) for text in (*captions, trigger) for tag in split_tags(text)} - {""}
    return frozenset(tags), frozenset(word for tag in tags for word in _words(tag))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .")


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
