"""The verbs that look and change nothing: --check and --explain."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loratui.cli.output import make_console, print_json
from loratui.lab.errors import LabError

if TYPE_CHECKING:
    from loratui.lab.project.project import Project


def verb(args: argparse.Namespace) -> int:
    """Whichever of them was asked for."""
    if args.check:
        return check(args.check, args.overrides, as_json=args.json)
    return explain(args.explain)


def check(path: Path, overrides: Sequence[str], as_json: bool = False) -> int:
    """--check: findings and arithmetic on one screen. 0 clean, 1 warnings, 2 errors."""
    from loratui.lab.check.checkscreen import print_report, report_json
    from loratui.lab.models import ModelAbsent
    from loratui.lab.project.project import load_project
    from loratui.lab.run.starting import examined

    project = load_project(path, overrides)
    try:
        _, report = examined(project)
    except ModelAbsent as absent:
        return _without_model(project, absent, as_json)
    if as_json:
        print_json(report_json(report))
    else:
        print_report(make_console(), report, project)
    return report.exit_code


def _without_model(project: Project, absent: LabError, as_json: bool) -> int:
    """A look downloads nothing: what can be known of the images and caption files, and what was not looked at."""
    from loratui.lab.check.checkscreen import findings_json, print_findings
    from loratui.lab.check.findings import Finding
    from loratui.lab.dataset.dataset import scan_dataset

    message = f"only images and caption files were looked at: {absent}"
    remedy = "loratui --run downloads it, and checks the rest before it trains"
    scan = scan_dataset(project.dataset_folder(), project.settings.dataset)
    findings = (*scan.findings, Finding("model-absent", "warning", "base.model", message, remedy))
    exit_code = 2 if any(finding.severity == "error" for finding in findings) else 1
    if as_json:
        print_json(findings_json(findings, exit_code))
    else:
        print_findings(make_console(), findings)
    return exit_code


def explain(key: str) -> int:
    """--explain: the documentation of one setting, or of all."""
    from loratui.lab.project import explain as documentation

    print(documentation.explain(key) if key else documentation.explain_all())
    return 0
