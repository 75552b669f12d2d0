"""Fixtures of the tests of lab."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, so that messages begin with `project.toml`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
