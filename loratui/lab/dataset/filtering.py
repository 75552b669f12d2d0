"""The language in which images are filtered: `tag:monster -tokens:>75 (name:cat OR problem:any)`.

A bare or quoted word is looked for in name and caption; `tag:` asks for a whole tag, `name:` and `caption:` look
inside those, `problem:` asks for a rule of the check and `tokens:` for a number. Letter case never matters, and `*`
stands for any characters (`\\*` for a star). Side by side means AND; NOT is also written `-` or `!`; the words AND, OR
and NOT are capitals, so that captions which hold "and" can be searched. Pure: nothing is read here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from loratui.lab.errors import LabError
from loratui.lab.plain import plain

FIELDS = ("tag", "name", "caption", "problem", "tokens")
_LONGEST = 2000  # characters
_DEEPEST = 50  # parentheses within parentheses
_FIELD = re.compile(r"([A-Za-z]+):")
_ESCAPED = '*\\"()'
_COMPARISON = re.compile(r"(>=|<=|>|<|=)?\s*([0-9]{1,9})")
_SPAN = re.compile(r"([0-9]{0,9})\.\.([0-9]{0,9})")


@dataclass(frozen=True)
class Subject:
    """What a filter is asked about: an image with its caption. `tokens` is None while it is not known."""

    name: str
    caption: str
    tags: tuple[str, ...]
    tokens: int | None = None
    problems: tuple[str, ...] = ()


Test = Callable[[Subject], bool]


@dataclass(frozen=True)
class Query:
    """A filter that was understood."""

    text: str
    test: Test

    def matches(self, subject: Subject) -> bool:
        return self.test(subject)


def parse(text: str) -> Query:
    """Understand a filter; an empty one matches everything. LabError with the column, from 1, and what to write."""
    if len(text) > _LONGEST:
        raise _wrong(_LONGEST, "the filter is too long", f"use at most {_LONGEST} characters")
    if not text.strip():
        return Query(text, lambda subject: True)
    return Query(text, _Parser(text).whole())


def term(field: str, value: str) -> str:
    """A filter for exactly this value, such as `tag:"white background"`."""
    escaped = "".join(f"\\{c}" if c in '*\\"' else c for c in value)
    return f'{field}:"{escaped}"'


@dataclass(frozen=True)
class _Token:
    """`word` is (, ), AND, OR, NOT or the text of a term, which begins at `start`; `test` only terms have."""

    word: str
    start: int
    test: Test | None = None


class _Parser:
    """or := and (OR and)* · and := not (AND? not)* · not := (NOT | - | !)* (term | "(" or ")")"""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.end = len(text.rstrip())
        self.at = 0
        self.depth = 0

    def whole(self) -> Test:
        test = self.either()
        if self.at < len(self.tokens):  # only a parenthesis ends what `either` reads
            raise _wrong(self.tokens[self.at].start, "this ) closes nothing", "delete it, or put a ( before")
        return test

    def either(self) -> Test:
        tests = [self.both()]
        while self.next() == "OR":
            self.at += 1
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda subject: any(test(subject) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.next() not in ("", "OR", ")"):
            if self.next() == "AND":
                self.at += 1
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda subject: all(test(subject) for test in tests)

    def one(self) -> Test:
        wanted = True
        while self.next() == "NOT":
            wanted = not wanted
            self.at += 1
        test = self.single()
        return test if wanted else lambda subject: not test(subject)

    def single(self) -> Test:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or (token.test is None and token.word != "("):
            self.missing(token)
        self.at += 1
        if token.test is not None:
            return token.test
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _wrong(token.start, f"more than {_DEEPEST} parentheses within each other", "use fewer")
        test = self.either()
        if self.next() != ")":
            raise _wrong(token.start, "this ( is never closed", "put a ) after what belongs together")
        self.at += 1
        self.depth -= 1
        return test

    def next(self) -> str:
        """The word of the next token when it is no term; a term is "term", the end ""."""
        if self.at == len(self.tokens):
            return ""
        token = self.tokens[self.at]
        return "term" if token.test is not None else token.word

    def missing(self, token: _Token | None) -> NoReturn:
        before = self.tokens[self.at - 1] if self.at else None
        if before is None:
            assert token is not None
            if token.word == ")":
                raise _wrong(token.start, "this ) closes nothing", "delete it, or put a ( before")
            raise _wrong(
                token.start, f"nothing stands before {token.word}", f"write what it joins, as in a {token.word} b"
            )
        if before.word == "(" and token is not None and token.word == ")":
            raise _wrong(before.start, "nothing stands between ( and )", "write a filter there, or delete them")
        where = self.end if token is None else token.start
        if before.word == "(":
            raise _wrong(before.start, "nothing stands after this (", "write a filter and a )")
        raise _wrong(
            where, f"{before.word} needs something after it", f'write a word, or "{before.word.lower()}" to look for it'
        )


# --- words and terms ----------------------------------------------------------------------------------------------


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] in "()":
            tokens.append(_Token(text[at], at))
            at += 1
        elif text[at] in "-!" and at + 1 < len(text) and not text[at + 1].isspace() and text[at + 1] != ")":
            tokens.append(_Token("NOT", at))
            at += 1
        else:
            end = _end(text, at)
            word = text[at:end]
            tokens.append(_Token(word, at, None if word in ("AND", "OR", "NOT") else _term(word, at)))
            at = end
    return tokens


def _end(text: str, start: int) -> int:
    """Where the word that begins here ends: at a space or a parenthesis, unless quoted or opened within the word."""
    at, depth, quote = start, 0, -1
    while at < len(text):
        character = text[at]
        if character == "\\" and text[at + 1 : at + 2] in tuple(_ESCAPED):
            at += 1
        elif character == '"':
            quote = at if quote < 0 else -1
        elif quote < 0:
            if character.isspace() or (character == ")" and not depth):
                break
            depth += (character == "(") - (character == ")")  # as in tag:monster_(creature)
        at += 1
    if quote >= 0:
        raise _wrong(quote, "this quote is never closed", 'put a " at its end, or \\" for one to look for')
    return at


def _term(word: str, start: int) -> Test:
    match = _FIELD.match(word)
    if match is None:
        wanted = _Wanted(word)
        return lambda subject: wanted.within(subject.name) or wanted.within(subject.caption)
    field, value, place = match[1].lower(), word[match.end() :], start + match.end()
    if field not in FIELDS:
        near = get_close_matches(field, FIELDS, n=1)
        remedy = f"write {near[0]}:" if near else f"use {', '.join(f'{name}:' for name in FIELDS)}"
        raise _wrong(
            start, f"there is no {plain(match[1])}:", f'{remedy}, or "{plain(word, 40)}" in quotes to look for it'
        )
    if field == "tokens":
        return _number(value, place)
    if not value.replace('"', ""):
        raise _wrong(place, f"{field}: needs something after it", _EXAMPLES[field])
    wanted = _Wanted(value)
    if field == "tag":
        return lambda subject: any(wanted.is_all_of(tag) for tag in subject.tags)
    if field == "name":
        return lambda subject: wanted.within(subject.name)
    if field == "caption":
        return lambda subject: wanted.within(subject.caption)
    if value.lower() == "any":
        return lambda subject: bool(subject.problems)
    return lambda subject: any(wanted.is_all_of(problem) for problem in subject.problems)


def _number(value: str, place: int) -> Test:
    value = value.strip('"')
    if span := _SPAN.fullmatch(value):
        low, high = (int(end) if end else None for end in span.groups())
        if low is None and high is None:
            raise _wrong(place, "tokens:.. has no number", "write tokens:10..20, tokens:10.. or tokens:..20")
        if low is not None and high is not None and low > high:
            raise _wrong(place, f"{low}..{high} is empty", f"write tokens:{high}..{low}")
        return lambda subject: (
            subject.tokens is not None
            and (low is None or low <= subject.tokens)
            and (high is None or subject.tokens <= high)
        )
    match = _COMPARISON.fullmatch(value)
    if match is None:
        shown = f"“{plain(value, 40)}” is no number" if value else "tokens: needs a number after it"
        raise _wrong(place, shown, "write tokens:75, tokens:>75, tokens:<=75 or tokens:10..20, without spaces")
    compare, number = _COMPARE[match[1] or "="], int(match[2])
    return lambda subject: subject.tokens is not None and compare(subject.tokens, number)


class _Wanted:
    """A text with `*` for any characters, without regard to letter case. It takes no more than one look at a text."""

    def __init__(self, written: str) -> None:
        pieces, at = [""], 0
        while at < len(written):
            character = written[at]
            if character == "\\" and written[at + 1 : at + 2] in tuple(_ESCAPED):
                at += 1
                pieces[-1] += written[at]
            elif character == "*":
                pieces.append("")
            elif character != '"':
                pieces[-1] += character
            at += 1
        self.first, *self.rest = (piece.casefold() for piece in pieces)

    def within(self, text: str) -> bool:
        """Whether it stands somewhere in the text."""
        folded, at = text.casefold(), 0
        for piece in (self.first, *self.rest):
            place = folded.find(piece, at)
            if place < 0:
                return False
            at = place + len(piece)
        return True

    def is_all_of(self, text: str) -> bool:
        """Whether it is the whole text."""
        folded = text.casefold()
        if not self.rest:
            return folded == self.first
        *middle, last = self.rest
        end = len(folded) - len(last)
        if not folded.startswith(self.first) or not folded.endswith(last) or end < len(self.first):
            return False
        at = len(self.first)
        for piece in middle:
            place = folded.find(piece, at, end)
            if place < 0:
                return False
            at = place + len(piece)
        return True


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
_EXAMPLES = {
    "tag": 'write tag:red, tag:"white background" or tag:*',
    "name": "write name:cat",
    "caption": 'write caption:red or caption:"a red"',
    "problem": "write problem:any or problem:caption-*",
}


def _wrong(at: int, what: str, remedy: str) -> LabError:
    return LabError(f"filter, column {at + 1}: {what}; {remedy}")
