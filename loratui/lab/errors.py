"""The one exception that is meant for a person.

Raised for bad input and for states that forbid a request; anything else that escapes is a bug. Nothing is printed
here: the command line and the interface show `str(error)` as it is.
"""

from __future__ import annotations

from loratui.lab.plain import plain


class LabError(Exception):
    """Bad input, or a state that forbids the request. `str(error)` names file, place, value and remedy.

    One line a problem; several problems of one file are reported together, joined by newlines.
    """

    exit_code = 2


def cause_of(error: BaseException) -> str:
    """Why a file cannot be read, in one line that is safe to show and does not name the file again."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8 text"
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return plain(said, 200) or type(error).__name__
