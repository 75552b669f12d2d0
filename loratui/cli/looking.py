"""The verbs that look and change nothing: --check and --explain."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from loratui.cli.output import make_console, print_json


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    if args.check:
        return check(args.check, args.overrides, as_json=args.json)
    return explain(args.explain)


def check(path: Path, overrides: Sequence[str], as_json: bool = False) -> int:
    """--check: findings and arithmetic on one screen. 0 clean, 1 warnings, 2 errors."""
    from loratui.lab.check.checkscreen import print_report, report_json
    from loratui.lab.project.project import load_project
    from loratui.lab.run.starting import examined

    project = load_project(path, overrides)
    _, report = examined(project)
    if as_json:
        print_json(report_json(report))
    else:
        print_report(make_console(), report, project)
    return report.exit_code


def explain(key: str) -> int:
    """--explain: the documentation of one setting, or of all."""
    from loratui.lab.project import explain as documentation

    print(documentation.explain(key) if key else documentation.explain_all())
    return 0
