"""A project as a lab article, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.lab.run.runs import list_runs
from tests.commands import Bench
from tests.hollow import build_hollow_model
from tests.lab.report.drawnprojects import gray_project, gray_run
from tests.lab.report.reading import picture_links, read_page


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reporting")


@pytest.fixture(scope="module")
def bench(home: Path) -> Bench:
    project = gray_project(home / "shapes", build_hollow_model(home / "hollow"))
    gray_run(project)
    return Bench(home)


def test_a_report_is_written_and_its_files_are_named(bench: Bench) -> None:
    outcome = bench("--report", "shapes")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.split() == ["shapes/report/report.html", "shapes/report/report.md"]
    told = read_page((bench.home / "shapes/report/report.html").read_text(encoding="utf-8"))
    assert told.faults == []
    assert "8 of 8 pictures (68–100 %)" in told.text
    [run] = list_runs(bench.home / "shapes")
    assert (run.path / "scores.json").is_file()  # what was measured for it is there for others


def test_output_says_where_it_goes(bench: Bench) -> None:
    outcome = bench("--report", "shapes/project.toml", "--output", "articles/first")
    assert outcome.returncode == 0, outcome.stderr
    folder = bench.home / "articles/first"
    links = picture_links((folder / "report.md").read_text(encoding="utf-8"))
    assert links and all((folder / link).is_file() for link in links)


def test_what_is_no_project_or_is_somebodys_is_refused(bench: Bench) -> None:
    (bench.home / "empty").mkdir()
    assert "empty: not a project; give the folder of a project.toml" in bench.refuses("--report", "empty")
    theirs = bench.home / "theirs"
    theirs.mkdir()
    (theirs / "report.html").write_text("mine", encoding="utf-8")
    assert "is not loratui's, and is not replaced" in bench.refuses("--report", "shapes", "--output", "theirs")
    assert [path.name for path in theirs.iterdir()] == ["report.html"]
