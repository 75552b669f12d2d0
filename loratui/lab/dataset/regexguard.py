"""Regular expressions as people type them, which must neither stop the program nor fail without a word.

Python's engine cannot be interrupted, and some patterns take longer than the universe on forty letters. A pattern
that might be one of those runs in a process of its own, which is ended after a few seconds.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence

from loratui.lab.dataset import regexwork
from loratui.lab.dataset.regexwork import substitute_all
from loratui.lab.errors import LabError
from loratui.lab.plain import plain

LONGEST = 1000  # characters of a pattern or a replacement
MOST_MATCHES = 10_000  # in one text
_SECONDS = 3.0
_MOST_TRIES = 10_000_000  # with a single choice there may be as many as the square of a text's length
_CHOICE = re.compile(r"[*+?{|]")  # what the engine has to try out; a single one is soon done


def substitute(
    pattern: str, by: str, texts: Sequence[str], *, whole: bool = False, seconds: float = _SECONDS
) -> list[tuple[str, int]]:
    """Each text with every find replaced, and the number of finds; with `whole`, only where all of a text fits.

    LabError where pattern or replacement is wrong, with the place; and when it takes longer than `seconds`.
    """
    compiled = _compiled(pattern, by)
    choices = len(_CHOICE.findall(pattern))
    harmless = not choices or (choices == 1 and sum(len(text) ** 2 for text in texts) <= _MOST_TRIES)
    made = (
        substitute_all(compiled, by, texts, whole, MOST_MATCHES)
        if harmless
        else _apart(pattern, by, texts, whole, seconds)
    )
    if any(count >= MOST_MATCHES for _, count in made):
        raise LabError(
            f"“{plain(pattern)}” is found more than {MOST_MATCHES} times in one caption; make it more definite"
        )
    return made


def _compiled(pattern: str, by: str) -> re.Pattern[str]:
    for what, text in (("pattern", pattern), ("replacement", by)):
        if len(text) > LONGEST:
            raise LabError(f"the {what} has {len(text)} characters; {LONGEST} are the most, so make it shorter")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern)
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        raise LabError(
            f"pattern “{plain(pattern)}”: {error.msg}{place}; correct it, or search for plain text"
        ) from error
    except (OverflowError, RecursionError) as error:
        raise LabError(f"pattern “{plain(pattern, 80)}”: too large to be tried; make it simpler") from error
    try:
        compiled.sub(by, "")
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        raise LabError(
            f"replacement “{plain(by)}”: {error.msg}{place}; "
            "\\1 is the first group, \\g<name> a named one, \\\\ a backslash"
        ) from error
    except IndexError as error:
        raise LabError(f"replacement “{plain(by)}”: {error}; name a group that the pattern has") from error
    return compiled


def _apart(pattern: str, by: str, texts: Sequence[str], whole: bool, seconds: float) -> list[tuple[str, int]]:
    question = json.dumps([pattern, by, list(texts), whole, MOST_MATCHES])
    try:
        answer = subprocess.run(
            [sys.executable, "-I", "-S", regexwork.__file__],
            input=question.encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=True,
        )
        return [(after, count) for after, count in json.loads(answer.stdout)]
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"pattern “{plain(pattern)}”: takes longer than {seconds:g} seconds; write it without repeats "
            "inside or beside repeats, such as (a+)+ or .*.*"
        ) from error
    except (subprocess.CalledProcessError, OSError, ValueError) as error:
        raise LabError(f"pattern “{plain(pattern)}”: cannot be tried ({error}); make it simpler") from error
