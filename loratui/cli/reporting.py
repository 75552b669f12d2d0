"""The verb that tells a project as a lab article: --report writes it as HTML and as Markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

from loratui.cli.output import make_console, say


def verb(args: argparse.Namespace) -> int:
    """--report: measure what is new, write the article, and say where it is."""
    from loratui.lab.report import write_report
    from loratui.lab.run.story import near

    console = make_console()
    project = args.report.expanduser()
    if console.is_terminal:
        with console.status("reading the project") as status:
            files = write_report(
                project,
                args.output,
                lambda done, total: status.update(f"measuring pictures: {100 * done // max(1, total)} %"),
            )
    else:
        files = write_report(project, args.output)
    say(console, [f"{near(file.absolute(), Path.cwd())}" for file in files])
    return 0
