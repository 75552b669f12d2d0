"""An article as plain objects: sections of blocks, so that every renderer tells the same.

Texts are not escaped: that is the renderers' business, and each does it for every text. What comes from outside
(captions, prompts, notes) is wrapped in `Said`, so that letters that run from right to left stay within it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from loratui.lab.report.chart import Chart
from loratui.lab.scores.statistics import Rate


@dataclass(frozen=True)
class Said:
    """Words from outside, shown as they are."""

    text: str


@dataclass(frozen=True)
class Strong:
    text: str


@dataclass(frozen=True)
class Code:
    """A command, a name of a setting, a token."""

    text: str


Piece = str | Said | Strong | Code
Words = str | tuple[Piece, ...]


def pieces(words: Words) -> tuple[Piece, ...]:
    return (words,) if isinstance(words, str) else words


def joined(items: Iterable[Words], between: str = ", ", last: str | None = None) -> tuple[Piece, ...]:
    """`a, b, c`, or with `last` as in `a, b and c`."""
    listed = [pieces(item) for item in items]
    found: list[Piece] = []
    for index, item in enumerate(listed):
        if index:
            found.append(last if last is not None and index == len(listed) - 1 else between)
        found += item
    return tuple(found)


def bare(words: Words) -> str:
    """The words without what sets them apart."""
    return "".join(piece if isinstance(piece, str) else piece.text for piece in pieces(words))


@dataclass(frozen=True)
class Paragraph:
    words: Words
    tone: str = ""  # "", "lead", "note", "warning", "refusal"


@dataclass(frozen=True)
class Bullets:
    items: tuple[Words, ...]


@dataclass(frozen=True)
class Table:
    """Columns in `numbers` are set right, in figures of one width. A cell is `Words`, or a `Badge`."""

    headings: tuple[Words, ...]
    rows: tuple[tuple[Words | Badge, ...], ...]
    caption: Words = ""
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Badge:
    """A word with its sign, coloured by `kind`: a verdict or an answer."""

    sign: str
    word: str
    kind: str


@dataclass(frozen=True)
class Facts:
    """Terms and what there is to say of each."""

    rows: tuple[tuple[Words, Words], ...]


@dataclass(frozen=True)
class Picture:
    """A PNG. `name` is a file name, made of plain letters; `width` and `height` are its pixels."""

    name: str
    data: bytes = field(repr=False)
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Plate:
    """A picture with words below it; without a picture `missing` says why."""

    picture: Picture | None
    words: Words
    below: Words = ""  # smaller
    missing: str = ""


@dataclass(frozen=True)
class Plates:
    """Pictures beside each other; `large` ones are as wide as they are."""

    plates: tuple[Plate, ...]
    caption: Words
    large: bool = False


@dataclass(frozen=True)
class Pair:
    """The pictures of one seed, without and with the LoRA; marks say what the measures saw of each expectation."""

    seed: int
    base: Picture | None
    lora: Picture | None
    base_marks: str = ""
    lora_marks: str = ""


@dataclass(frozen=True)
class Sheet:
    pairs: tuple[Pair, ...]
    caption: Words


@dataclass(frozen=True)
class Figure:
    """Charts beside each other that are read together, with the numbers they are drawn from."""

    name: str  # of the files, where it becomes some
    charts: tuple[Chart, ...]
    caption: Words
    tables: tuple[Table, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()  # role of a line, and what it is


@dataclass(frozen=True)
class Standing:
    """One expectation, and how it stands. `p` is of McNemar's test; `said` is a person's verdict.

    `where` names the pictures; rows below each other with the same are one group.
    """

    badge: Badge
    expectation: Words
    where: Words
    lora: Rate
    base: Rate
    p: float
    why: Words
    said: Words = ""


@dataclass(frozen=True)
class Standings:
    rows: tuple[Standing, ...]
    caption: Words


@dataclass(frozen=True)
class Commands:
    """Lines to paste into a terminal."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A note of the notebook."""

    badge: Badge
    title: Words
    about: Words
    text: str  # from outside, with its line ends
    plates: tuple[Plate, ...] = ()
    struck: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    words: Words
    level: int = 3


@dataclass(frozen=True)
class Details:
    """What is there for whoever wants to look closer."""

    summary: Words
    blocks: tuple[Block, ...]


Block = Paragraph | Bullets | Table | Facts | Plates | Sheet | Figure | Standings | Commands | Entry | Heading | Details


@dataclass(frozen=True)
class Section:
    id: str  # of plain letters
    title: Words
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Article:
    """`title` is the question; the first section is the answer."""

    name: str  # of the project, from outside
    title: Words
    byline: Words
    sections: tuple[Section, ...]
