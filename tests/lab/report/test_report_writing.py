"""A report replaces what a report wrote, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.report import write_report
from loratui.lab.report.writing import LIST
from loratui.lab.run.runs import list_runs
from loratui.lab.scores.scoring import refresh
from tests.hollow import build_hollow_model
from tests.lab.report.drawnprojects import gray_project, gray_run, told_run
from tests.lab.report.reading import picture_links, read_page


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_hollow_model(tmp_path_factory.mktemp("models") / "hollow")


@pytest.fixture(scope="module")
def drawn(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run whose pictures were measured."""
    project = gray_project(tmp_path_factory.mktemp("drawn") / "shapes", model)
    refresh(gray_run(project))
    return project


@pytest.fixture
def project(drawn: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn, tmp_path / "shapes")


@pytest.fixture
def bare(tmp_path: Path, model: Path) -> Path:
    """One without runs."""
    return gray_project(tmp_path / "bare", model)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_lies_in_its_project_and_needs_nothing_else(project: Path) -> None:
    html, markdown = write_report(project)
    assert (html, markdown) == (project / "report/report.html", project / "report/report.md")
    told = read_page(html.read_text(encoding="utf-8"))
    assert told.faults == []
    links = picture_links(markdown.read_text(encoding="utf-8"))
    assert links and all((project / "report" / link).is_file() for link in links)
    pictures = {f"pictures/{path.name}" for path in (project / "report/pictures").iterdir()}
    assert pictures == set(links)


def test_the_same_project_makes_the_same_bytes(project: Path, tmp_path: Path) -> None:
    write_report(project)
    before = content(project / "report")
    write_report(project)
    write_report(project / "project.toml", tmp_path / "elsewhere" / "again")
    assert content(project / "report") == before
    assert content(tmp_path / "elsewhere" / "again") == before


def test_files_of_other_people_in_the_folder_stay(bare: Path) -> None:
    home = bare / "report"
    (home / "pictures").mkdir(parents=True)
    theirs = {home / "notes.md": "mine", home / "pictures" / "mine.png": "mine too"}
    for path, text in theirs.items():
        path.write_text(text, encoding="utf-8")
    write_report(bare)
    write_report(bare)
    assert {path: path.read_text(encoding="utf-8") for path in theirs} == theirs


def test_a_file_that_no_report_wrote_is_not_replaced_and_nothing_is_written(bare: Path) -> None:
    home = bare / "report"
    home.mkdir()
    (home / "report.md").write_text("my own report\n", encoding="utf-8")
    with pytest.raises(LabError, match=r"report\.md: is not loratui's.*--output"):
        write_report(bare)
    assert content(home) == {"report.md": b"my own report\n"}


def test_a_report_that_somebody_wrote_into_is_not_replaced(bare: Path) -> None:
    _, markdown = write_report(bare)
    markdown.write_text(markdown.read_text(encoding="utf-8") + "And I saw a cup.\n", encoding="utf-8")
    before = content(bare / "report")
    told_run(bare)
    with pytest.raises(LabError, match="was changed since loratui wrote it"):
        write_report(bare)
    assert content(bare / "report") == before


def test_pictures_of_an_earlier_report_go_when_they_are_not_shown_any_more(project: Path) -> None:
    [run] = list_runs(project)
    write_report(project)
    pictures = project / "report" / "pictures"
    before = {path.name for path in pictures.iterdir()}
    kept = next(path for path in sorted(pictures.iterdir()) if "seed2" in path.name)
    kept.write_bytes(b"changed by hand")
    for path in run.samples.rglob("*-seed2-*.png"):
        path.unlink()
    write_report(project)
    after = {path.name for path in pictures.iterdir()}
    assert before - after and all("seed2" in name for name in before - after)
    assert kept.read_bytes() == b"changed by hand"


def test_a_report_that_was_cut_off_does_not_stand_in_the_way_of_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loratui.lab.report import writing

    whole, calls = writing.write_atomic, []

    def fails(path: Path, data: bytes | str) -> None:
        calls.append(path)
        if len(calls) == 5:
            raise OSError(28, "No space left on device", str(path))
        whole(path, data)

    monkeypatch.setattr(writing, "write_atomic", fails)
    with pytest.raises(OSError, match="No space"):
        write_report(project)
    monkeypatch.setattr(writing, "write_atomic", whole)
    html, _ = write_report(project)
    assert read_page(html.read_text(encoding="utf-8")).faults == []


def test_a_list_that_names_files_outside_deletes_nothing(bare: Path, tmp_path: Path) -> None:
    import hashlib

    write_report(bare)
    precious = tmp_path / "precious.txt"
    precious.write_text("mine", encoding="utf-8")
    listed = bare / "report" / LIST
    document = json.loads(listed.read_text(encoding="utf-8"))
    mine = [hashlib.sha256(b"mine").hexdigest()]
    document["files"] |= {"../../precious.txt": mine, "pictures/../../../precious.txt": mine, str(precious): mine}
    listed.write_text(json.dumps(document), encoding="utf-8")
    write_report(bare)
    assert precious.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("damage", ["", '{"files": {"report.md": 7}}'])
def test_with_a_damaged_list_nothing_is_taken_for_ours(bare: Path, damage: str) -> None:
    write_report(bare)
    (bare / "report" / LIST).write_text(damage, encoding="utf-8")
    write_report(bare)  # the very same bytes are in nobody's way
    told_run(bare)
    (bare / "report" / LIST).write_text(damage, encoding="utf-8")
    with pytest.raises(LabError, match="is not loratui's"):
        write_report(bare)


def test_a_file_where_the_folder_should_be_is_said(bare: Path) -> None:
    (bare / "report").write_text("a note", encoding="utf-8")
    with pytest.raises(LabError, match="this is a file; give another --output"):
        write_report(bare)


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(LabError, match=r"not a project; give the folder of a project\.toml"):
        write_report(tmp_path / "nothing")
    assert list((tmp_path / "nothing").iterdir()) == []
