"""The one exception that is meant for a person.

Raised for bad input and for states that forbid a request; anything else that escapes is a bug. Nothing is printed
here: the command line and the interface show `str(error)` as it is.
"""

from __future__ import annotations


class LabError(Exception):
    """Bad input, or a state that forbids the request. `str(error)` names file, place, value and remedy.

    One line a problem; several problems of one file are reported together, joined by newlines.
    """

    exit_code = 2
