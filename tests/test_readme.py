"""The README says what the code says."""

from __future__ import annotations

from pathlib import Path

from loratui.lab.project.explain import markdown_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_are_the_schema() -> None:
    assert markdown_table().strip() in README


def test_what_it_shows_and_links_is_there() -> None:
    import re

    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
