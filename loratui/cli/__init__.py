"""Arguments in, one function per verb; each imports what it needs only then.

Verbs are flags, one a call; without one the bench opens. Standard output carries what was asked for (a table, JSON),
standard error what went wrong. Exit codes: 0 done, 1 failed (or warnings, for --check), 2 bad input, 128 + signal when
stopped.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from loratui.cli.arguments import MODULES, parser
from loratui.cli.output import tell
from loratui.lab.errors import LabError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """The entry point: runs a verb and exits with its code."""
    os.umask(os.umask(0o077) | 0o002)  # whatever a login says: nobody outside one's group writes into runs or the cache
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter shows a question mark
    try:
        try:
            sys.exit(_verb(parser().understood(argv)))
        except LabError as error:
            tell(error)
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(130)
        except OSError as error:
            if error.filename is None:
                raise
            tell(f"{error.filename}: {error.strerror}")
            sys.exit(1)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a reader that went away is still nothing to worry about
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(141)


def _verb(args: argparse.Namespace) -> int:
    for verb, module in MODULES.items():
        if getattr(args, verb) is not None:
            return int(importlib.import_module(f"loratui.cli.{module}").verb(args))
    from loratui.cli import bench

    return bench.verb(args)
