"""The check in a process of its own finds what the check finds, tells how far it is, and ends when it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.check.checkapart import by_image, check_apart
from loratui.lab.check.findings import Finding
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.project.project import load_project
from loratui.lab.run.starting import examined


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    (folder / "dataset").mkdir(parents=True)
    for name, grey in (("a", 10), ("b", 200), ("copy of b", 200)):
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(folder / "dataset" / f"{name}.png")
    (folder / "dataset/a.txt").write_text("myshape, \x1b[31mred")
    (folder / "dataset/b.txt").write_text("red " * 80)
    (folder / "dataset/broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "project.toml").write_text('[base]\nmodel = "tinyworld"\n')
    return folder


def test_it_finds_what_the_check_finds_and_counts_every_image(project: Path) -> None:
    told: list[tuple[int, int]] = []

    checked = check_apart(project / "project.toml", lambda done, total: told.append((done, total)))

    assert checked.findings == examined(load_project(project))[1].findings
    assert {finding.rule for finding in checked.findings} > {"caption-control", "image-unreadable", "image-duplicate"}
    assert checked.notes == ()
    assert (4, 4) in told  # read
    assert told[-1] == (2, 2)  # decoded: of two files that are alike only one


def test_it_ends_when_nobody_wants_it_any_more(project: Path) -> None:
    def enough(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        check_apart(project / "project.toml", enough)


def test_without_the_base_model_images_and_captions_are_looked_at(project: Path) -> None:
    (project / "project.toml").write_text('[base]\nmodel = "somebody/not-here"\n')

    checked = check_apart(project / "project.toml")

    assert {finding.rule for finding in checked.findings} == {"caption-control", "image-unreadable", "caption-missing"}
    assert "somebody/not-here" in checked.notes[0]


def test_a_project_that_is_not_in_order_is_told_in_its_own_words(project: Path) -> None:
    (project / "project.toml").write_text("[train]\nepoch = 3\n")

    with pytest.raises(LabError, match=r"project\.toml:2: .*epoch"):
        check_apart(project / "project.toml")


def test_findings_are_given_to_the_image_they_are_about() -> None:
    def finding(where: str) -> Finding:
        return Finding("rule", "warning", where, "message", "remedy")

    names = [("a.png", "a.txt"), ("2_x/b.png", "2_x/b.txt"), ("bad\udcff.png", "bad\udcff.txt")]
    found = by_image(
        [finding(w) for w in ("set/a.png", "set/2_x/b.txt", "captions", "other: set/a.png", "set/bad\\udcff.png")],
        Path("/somewhere/set"),
        names,
    )

    assert {name: [f.where for f in findings] for name, findings in found.items()} == {
        "a.png": ["set/a.png"],
        "2_x/b.png": ["set/2_x/b.txt"],
        "bad\udcff.png": ["set/bad\\udcff.png"],
    }
