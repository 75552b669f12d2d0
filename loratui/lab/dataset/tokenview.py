"""The captions of a dataset as their model reads them: pieces, ids, what lies beyond the limit, and what is shared.

`read_caption_tokens` looks at one caption; a `TokenIndex` knows all of them and is kept up to date caption by caption,
so that a keystroke in one of 10,000 costs nothing. Nothing is written, and no weights are loaded: the vocabulary of
the base model is enough.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from loratui.lab.dataset.captions import split_tags
from loratui.lab.dataset.tokens import BEGIN, END, Tokenizer
from loratui.lab.models import resolve_model
from loratui.lab.patience import Progress, quiet
from loratui.lab.project.project import Project

AT_ONCE = 100  # captions encoded in one call: about 15 ms and a megabyte
LONGEST_TAG = 60  # characters of a tag that is compared with other spellings; longer ones are sentences


def load_tokenizer(project: Project) -> Tokenizer:
    """The tokenizer of the project's base model. Nothing is fetched; LabError says what is not on this machine."""
    base = project.settings.base
    return Tokenizer.load(resolve_model(base.model, project.folder, base.revision, base.variant).path / "tokenizer")


# --- one caption --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """One token of a caption. `tag` counts the caption's tags from 0; -1 is the comma between them."""

    id: int
    text: str  # with `·` where a word ends
    start: int  # the characters of the caption it was made from
    end: int
    tag: int
    cut: bool  # beyond the limit: the text encoder never sees it
    broken: bool  # single bytes of a character that the vocabulary does not have as a whole
    mark: bool  # the begin or end token, written into the caption


@dataclass(frozen=True)
class CaptionTokens:
    """What the text encoder gets of a caption: its first `limit` tokens. `pieces` may be only the beginning."""

    caption: str
    count: int  # of all tokens
    limit: int
    pieces: tuple[Piece, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(piece.id for piece in self.pieces)

    @property
    def cut(self) -> int:
        """How many tokens the text encoder never sees."""
        return max(0, self.count - self.limit)

    @property
    def broken(self) -> tuple[str, ...]:
        """The characters that reach the model only as single bytes, each once, in order."""
        found = (self.caption[piece.start : piece.end] for piece in self.pieces if piece.broken)
        return tuple(dict.fromkeys(character for part in found for character in part))

    @property
    def tags_of_several(self) -> tuple[tuple[str, int], ...]:
        """The tags that are more than one token, with how many, in order."""
        counts = Counter(piece.tag for piece in self.pieces)
        return tuple((tag, counts[n]) for n, tag in enumerate(split_tags(self.caption)) if counts[n] > 1)


def read_caption_tokens(tokenizer: Tokenizer, caption: str, most: int | None = None) -> CaptionTokens:
    """The caption token by token, in order; of a long one only the first `most` pieces."""
    spans = tokenizer.spans(caption)
    starts = list(_tag_starts(caption))
    pieces, tag = [], 0
    for place, (token, start, end) in enumerate(spans[:most]):
        while tag + 1 < len(starts) and starts[tag + 1] <= start:
            tag += 1
        text = caption[start:end].strip()
        pieces.append(
            Piece(
                id=token.id,
                text=token.piece,
                start=start,
                end=end,
                tag=-1 if text and not text.strip(",") else tag,
                cut=place >= tokenizer.limit,
                broken="\\x" in token.piece,  # no token of the vocabulary holds these two
                mark=token.piece in (BEGIN, END),
            )
        )
    return CaptionTokens(caption, len(spans), tokenizer.limit, tuple(pieces))


def _tag_starts(caption: str) -> Iterator[int]:
    """Where each tag begins, in characters."""
    at = 0
    for part in caption.split(","):
        if part.strip():
            yield at + len(part) - len(part.lstrip())
        at += len(part) + 1


# --- all captions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenView:
    """A caption among the others of its dataset."""

    tokens: CaptionTokens
    holding: Mapping[int, int]  # of each id: how many other captions hold it
    others: int  # how many other captions there are
    identical: tuple[str, ...]  # images whose captions are these very tokens, though written differently
    repeated: tuple[str, ...]  # images that have this very caption
    respelled: tuple[tuple[str, tuple[str, ...]], ...]  # tags with what else is written for the same tokens

    def in_every(self, piece: Piece) -> bool:
        return self.others > 0 and self.holding[piece.id] == self.others

    def only_here(self, piece: Piece) -> bool:
        return self.others > 0 and not self.holding[piece.id]


@dataclass(frozen=True)
class Encoded:
    """Captions and their tags as ids, packed; made by `TokenIndex.encode` and taken by `TokenIndex.put`."""

    captions: Mapping[str, bytes]
    tags: Mapping[str, bytes]


class TokenIndex:
    """The token ids of all captions of a dataset, by image name, and who shares what with whom.

    Filled in one go by `fill`, or part by part: `encode` may run in a thread, everything else belongs to the thread
    that owns the index. 10,000 captions of 50 tokens take about 2 s to encode and 10 MB.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._code = "H" if tokenizer.backend.get_vocab_size() <= 1 << 16 else "I"
        self._captions: dict[str, str] = {}  # by name
        self._ids: dict[str, bytes] = {}  # by name, packed
        self._names: dict[bytes, tuple[str, ...] | dict[str, None]] = {}  # by packed ids; a dict from two names on
        self._holding: Counter[int] = Counter()  # captions by token id
        self._tags: Counter[str] = Counter()  # captions by tag
        self._tag_ids: dict[str, bytes] = {}
        self._spellings: dict[bytes, tuple[str, ...]] = {}  # by packed ids

    def __len__(self) -> int:
        return len(self._captions)

    @property
    def limit(self) -> int:
        return self.tokenizer.limit

    # ------------------------------------------------------------------------------------------------- filling

    def fill(self, captions: Mapping[str, str], progress: Progress = quiet) -> None:
        """Know exactly these captions, by name. What is known already is not encoded again."""
        parts, total, done = self.outdated(captions), len(captions), 0
        done = total - sum(len(part) for part in parts)
        for part in parts:
            progress(done, total)
            self.put(part, self.encode(part.values()))
            done += len(part)
        progress(total, total)

    def outdated(self, captions: Mapping[str, str]) -> list[dict[str, str]]:
        """Forget images that are not among `captions`; what is new or changed there comes in parts to be put."""
        for name in [name for name in self._captions if name not in captions]:
            self._forget(name)
        changed = [(name, text) for name, text in captions.items() if self._captions.get(name) != text]
        return [dict(changed[i : i + AT_ONCE]) for i in range(0, len(changed), AT_ONCE)]

    def encode(self, captions: Collection[str]) -> Encoded:
        """The ids of captions and of their tags. Changes nothing, so that a thread can do it."""
        texts = list(dict.fromkeys(captions))
        tags = dict.fromkeys(tag for text in texts for tag in _short_tags(text))
        new = [tag for tag in tags if tag not in self._tag_ids]
        ids = [self._packed(one) for one in self.tokenizer.many_ids([*texts, *new])]
        return Encoded(dict(zip(texts, ids, strict=False)), dict(zip(new, ids[len(texts) :], strict=True)))

    def put(self, captions: Mapping[str, str], encoded: Encoded | None = None) -> None:
        """Know these captions from now on, in place of older ones of the same names."""
        encoded = encoded or self.encode(captions.values())
        for tag, ids in encoded.tags.items():
            if tag not in self._tag_ids:
                self._tag_ids[tag] = ids
                self._spellings[ids] = (*self._spellings.get(ids, ()), tag)
        for name, text in captions.items():
            self._forget(name)
            ids = encoded.captions[text]
            self._captions[name], self._ids[name] = text, ids
            alike = self._names.get(ids)
            if alike is None:
                self._names[ids] = (name,)
            elif isinstance(alike, tuple):
                self._names[ids] = {alike[0]: None, name: None}
            else:
                alike[name] = None
            self._holding.update(set(self._unpacked(ids)))
            self._tags.update(set(_short_tags(text)))

    def _forget(self, name: str) -> None:
        text = self._captions.pop(name, None)
        if text is None:
            return
        ids = self._ids.pop(name)
        alike = self._names[ids]
        if isinstance(alike, dict) and len(alike) > 1:
            del alike[name]
        else:
            del self._names[ids]
        for token in set(self._unpacked(ids)):
            self._holding[token] -= 1
        for tag in set(_short_tags(text)):
            self._tags[tag] -= 1

    # ------------------------------------------------------------------------------------------------- asking

    def count(self, name: str) -> int | None:
        """How many tokens an image's caption has; None while it is not known."""
        ids = self._ids.get(name)
        return None if ids is None else len(self._unpacked(ids))

    def too_long(self) -> tuple[str, ...]:
        """The images whose captions go beyond the limit."""
        return tuple(name for name, ids in self._ids.items() if len(self._unpacked(ids)) > self.limit)

    def in_every(self) -> frozenset[int]:
        """The ids that every caption holds."""
        return frozenset(token for token, count in self._holding.items() if count == len(self) and count)

    def identical(self) -> tuple[tuple[str, ...], ...]:
        """Groups of images whose captions are the same tokens although their text differs."""
        groups = (tuple(names) for names in self._names.values() if len(names) > 1)
        return tuple(group for group in groups if len({self._captions[name] for name in group}) > 1)

    def respelled(self) -> tuple[tuple[str, ...], ...]:
        """Groups of tags that are written differently and are the same tokens."""
        groups = (self._used(spellings) for spellings in self._spellings.values() if len(spellings) > 1)
        return tuple(group for group in groups if len(group) > 1)

    def view(self, name: str, caption: str, most: int | None = None) -> TokenView:
        """A caption, known or just being typed, beside those of all other images; of a long one `most` pieces."""
        tokens = read_caption_tokens(self.tokenizer, caption, most)
        own = set(self._unpacked(self._ids.get(name, b"")))
        holding = {piece.id: self._holding[piece.id] - (piece.id in own) for piece in tokens.pieces}
        known = self.encode([caption])
        alike = [other for other in self._names.get(known.captions[caption], ()) if other != name]
        return TokenView(
            tokens=tokens,
            holding=holding,
            others=len(self) - (name in self._captions),
            identical=tuple(other for other in alike if self._captions[other] != caption),
            repeated=tuple(other for other in alike if self._captions[other] == caption),
            respelled=tuple(self._respelled_in(name, caption, known.tags)),
        )

    def _respelled_in(self, name: str, caption: str, new: Mapping[str, bytes]) -> Iterator[tuple[str, tuple[str, ...]]]:
        own = set(_short_tags(self._captions.get(name, "")))
        tags = dict.fromkeys(_short_tags(caption))
        for tag in tags:
            ids = self._tag_ids.get(tag) or new.get(tag, b"")
            # A spelling that only the older text of this caption has is not another's.
            spellings = [
                other
                for other in self._spellings.get(ids, ())
                if other != tag and (other in tags or self._tags[other] > (other in own))
            ]
            if ids and spellings:
                yield tag, tuple(spellings)

    def _used(self, tags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(tag for tag in tags if self._tags[tag] > 0)

    def _packed(self, ids: tuple[int, ...]) -> bytes:
        """Ids as bytes, two each for CLIP's vocabulary; equal bytes are equal ids."""
        return array(self._code, ids).tobytes()

    def _unpacked(self, ids: bytes) -> array[int]:
        return array(self._code, ids)


def _short_tags(caption: str) -> list[str]:
    return [tag for tag in split_tags(caption) if len(tag) <= LONGEST_TAG]
