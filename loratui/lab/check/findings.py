"""A finding: one thing known about a project before training that its owner should know.

Its own small file so that the scan of a dataset and the check of a project can both speak in findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One rule that something broke.

    `rule` is a stable id ("caption-missing"). An error stops a run from starting, a warning does not. `where` names
    the file or setting, `message` what is the case there, `remedy` what to do about it.
    """

    rule: str
    severity: Severity
    where: str
    message: str
    remedy: str
