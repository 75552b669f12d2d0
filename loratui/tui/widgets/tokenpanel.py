"""The caption under the cursor as the text encoder reads it: pieces above their ids, and what others share with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from loratui.lab.dataset.tokenview import Piece, TokenView
from loratui.lab.plain import plain
from loratui.tui.text import safe_title
from loratui.tui.widgets.pad import Cells, Pad, folded

EVERY, ONLY = "≡", "○"  # the signs of a token in every caption, and of one in this alone
LEGEND = f"{EVERY} in every caption  +n in n others  {ONLY} only here"
MOST_PIECES = 400  # of a caption; nobody reads on, and the text encoder sees a fifth of it
_MOST_NAMED = 3


class TokenPanel(Pad):
    """`show(view)`, or `show(None, words)` while there is nothing to show."""

    help_text = (
        "The pieces that CLIP cuts this caption into, each above its id; a dot ends a word. "
        f"{EVERY} is in every caption, so it is all that the images have in common to the model; +2 is in two others; "
        f"{ONLY} is in this caption only. What stands behind the mark of the limit is cut off: the text encoder never "
        "sees it. Captions and tags that are written differently but are the same tokens are named, because no "
        "training can tell them apart."
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "token-panel--dim",
        "token-panel--only",
        "token-panel--cut",
        "token-panel--warning",
        "token-panel--error",
    }
    DEFAULT_CSS = """
    TokenPanel {
        & > .token-panel--dim { text-style: dim; }
        & > .token-panel--only { color: $text-accent; text-style: bold; }
        & > .token-panel--cut { color: $text-error; text-style: strike; }
        & > .token-panel--warning { color: $text-warning; }
        & > .token-panel--error { color: $text-error; text-style: bold; }
    }
    """

    def __init__(self, caption_of: Callable[[str], str], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._caption_of = caption_of
        self.view: TokenView | None = None
        self.words = ""
        self._image: str | None = None

    def on_mount(self) -> None:
        self.show(None, self.words or "reading the vocabulary…")

    def show(self, view: TokenView | None, words: str = "", image: str | None = None) -> None:
        """Show a caption's tokens, or words in their place. Of another image the page begins at its top."""
        if view == self.view and words == self.words:
            return
        self.view, self.words = view, words
        title = "Tokens"
        if view is not None:
            title += f" {view.tokens.count}/{view.tokens.limit}"
            if view.tokens.cut:
                title += f", {view.tokens.cut} cut"
        safe_title(self, title, 4)
        legend = LEGEND if view is not None and view.others and view.tokens.count else ""
        if self.border_subtitle != legend:
            self.border_subtitle = legend
        self.remake(top=image != self._image)
        self._image = image

    def look(self, name: str) -> Style:
        return self.get_component_rich_style(f"token-panel--{name}", partial=True)

    def lines_for(self, width: int) -> Sequence[Cells]:
        if self.view is None:
            return [[Segment(line, self.look("dim"))] for line in folded(plain(self.words), width)]
        told = list(notes(self.view, self._caption_of))
        warnings = [note for note in told if note[1] != "dim"]
        return [
            *self._said(warnings, width),
            *self._gloss(self.view, width),
            *self._said([note for note in told if note[1] == "dim"], width),
        ]

    def _said(self, said: Sequence[tuple[str, str, str]], width: int) -> Iterator[Cells]:
        for sign, style, words in said:
            for number, line in enumerate(folded(words, width - 2)):
                below = self.look("dim") if style == "dim" else None
                yield [Segment(sign + " " if number == 0 else "  ", self.look(style)), Segment(line, below)]

    def _gloss(self, view: TokenView, width: int) -> Iterator[Cells]:
        """Pairs of lines: pieces, and under each its id with the sign of how it is shared."""
        upper: Cells = []
        lower: Cells = []
        room = width
        for piece in view.tokens.pieces:
            columns = [self._column(view, piece)]
            if piece.cut and self._is_first_cut(view, piece):
                columns.insert(0, (("┃", self.look("warning")), (f"┃{view.tokens.limit}", self.look("warning"))))
            for (text, style), (under, below) in columns:
                cells = max(cell_len(text), cell_len(under)) + 2
                if cells > room and upper:
                    yield upper
                    yield lower
                    upper, lower, room = [], [], width
                upper.append(Segment(text + " " * (cells - cell_len(text)), style))
                lower.append(Segment(under + " " * (cells - cell_len(under)), below))
                room -= cells
        if upper:
            yield upper
            yield lower
        hidden = view.tokens.count - len(view.tokens.pieces)
        if hidden > 0:
            yield [Segment(f"… and {hidden:,} more", self.look("dim"))]

    @staticmethod
    def _is_first_cut(view: TokenView, piece: Piece) -> bool:
        return view.tokens.pieces[view.tokens.limit] is piece

    def _column(self, view: TokenView, piece: Piece) -> tuple[tuple[str, Style], tuple[str, Style]]:
        text = plain(piece.text, 60)
        dim = self.look("dim")
        sign, style = "", Style.null()
        if view.in_every(piece):
            sign, style = EVERY, dim
        elif view.only_here(piece):
            sign, style = ONLY, self.look("only")
        elif view.others:
            sign = f"+{view.holding[piece.id]}"
        if piece.cut:
            style = self.look("cut")
        elif piece.broken or piece.mark:
            style = self.look("warning")
        elif piece.tag < 0:
            style = dim
        return (text, style), (f"{piece.id} {sign}".rstrip(), dim)


def notes(view: TokenView, caption_of: Callable[[str], str]) -> Iterator[tuple[str, str, str]]:
    """What is worth saying about a caption's tokens: (sign, style, plain words), the gravest first."""
    tokens = view.tokens
    if tokens.cut:
        yield "✂", "error", f"the last {_count(tokens.cut, 'token')} are cut: the text encoder sees {tokens.limit}"
    if view.identical:
        other = plain(caption_of(view.identical[0]), 60)
        words = f"the same tokens as {_named(view.identical)}, though written differently there: “{other}”; "
        yield "!", "warning", f"{words}to the model it is one caption"
    for tag, others in view.respelled:
        quoted = ", ".join(f"“{plain(other, 40)}”" for other in others[:_MOST_NAMED])
        yield "!", "warning", f"“{plain(tag, 40)}” is also written {quoted}: one tag to the model"
    if tokens.broken:
        shown = " ".join(plain(character) for character in tokens.broken[:8])
        yield "!", "warning", f"{shown} is not in the vocabulary: it is read as single bytes"
    if any(piece.mark for piece in tokens.pieces):
        yield "!", "warning", "holds the mark of a beginning or an end, which is no word to the model"
    if view.repeated:
        yield "=", "dim", f"the very same caption as {_named(view.repeated)}"
    if not tokens.count:
        yield "·", "dim", "no tokens: the image is trained without words"
    several = [f"{plain(tag, 20)} {count}" for tag, count in tokens.tags_of_several]
    if several:
        more = f" and {len(several) - 6} more" if len(several) > 6 else ""
        yield "·", "dim", f"tags of several tokens: {', '.join(several[:6])}{more}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(plain(name, 40) for name in names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
