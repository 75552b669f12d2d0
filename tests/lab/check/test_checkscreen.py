"""What `--check` prints can be read in 80 columns, without colour, whatever the files contain."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from loratui.lab.check.check import Report, check
from loratui.lab.check.checkscreen import print_findings, print_report, report_json
from loratui.lab.check.findings import Finding
from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.project.project import Project, load_project

TOKENIZER = Path(__file__).parents[3] / "loratui" / "tinyworld" / "model" / "tokenizer"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(TOKENIZER)


def made(folder: Path, tokenizer: Tokenizer, captions: dict[str, str], toml: str = "") -> tuple[Report, Project]:
    (folder / "dataset").mkdir()
    for number, (name, caption) in enumerate(captions.items()):
        Image.new("RGB", (64, 64), (number % 256, number // 256, 9)).save(folder / "dataset" / name)
        (folder / "dataset" / name).with_suffix(".txt").write_text(caption, encoding="utf-8")
    (folder / "project.toml").write_text(toml or "[dataset]\nrepeats = 25\n", encoding="utf-8")
    project = load_project(folder)
    return check(project, tokenizer, 64, 8), project


def printed(report: Report, project: Project, width: int = 80) -> str:
    out = io.StringIO()
    print_report(Console(file=out, width=width, force_terminal=False, highlight=False), report, project)
    return out.getvalue()


def test_the_arithmetic_the_images_and_their_pieces_are_on_the_screen(tmp_path: Path, tokenizer: Tokenizer) -> None:
    captions = {"circle.png": "myshape", "square.png": "monster, white background"}
    screen = printed(*made(tmp_path, tokenizer, captions, '[dataset]\nrepeats = 25\ntrigger = "myshape"\n'))
    assert "2 images × 25 repeats × 10 epochs ÷ batch 1 = 500 steps" in screen
    lines = screen.splitlines()
    circle = next(line for line in lines if line.startswith("circle.png"))
    assert all(part in circle for part in ("64×64 → 64×64", "25", "2/75", "my shape·"))
    assert "warning trigger-missing" in lines
    assert "warning trigger-shares-tokens" in lines
    assert lines[-1] == "2 warnings"
    assert sum("→ put it into those captions" in line for line in lines) == 1


def test_a_clean_project_ends_with_a_clean_word(tmp_path: Path, tokenizer: Tokenizer) -> None:
    screen = printed(*made(tmp_path, tokenizer, {"a.png": "monster"}))
    assert "Nothing is odd about it." in screen
    assert len(screen.splitlines()) < 24


@pytest.mark.parametrize("width", [80, 100, 60])
def test_no_line_is_wider_than_the_terminal_and_nothing_of_the_findings_is_lost(
    tmp_path: Path, tokenizer: Tokenizer, width: int
) -> None:
    name = "a very long name of an image that says " + "everything " * 8 + ".png"
    captions = {name: "tag, " * 60, "b.png": "日本語のとても長いタグ" * 10}
    screen = printed(*made(tmp_path, tokenizer, captions), width=width)
    from rich.cells import cell_len

    assert max(cell_len(line) for line in screen.splitlines()) <= width
    assert "120 tokens" in " ".join(screen.split())


def test_thousands_of_images_are_summed_up_on_one_screen(tmp_path: Path, tokenizer: Tokenizer) -> None:
    captions = {f"{number}.png": f"tag {number % 7}" for number in range(700)}
    (report, project) = made(tmp_path, tokenizer, captions)
    for number in range(600):
        (tmp_path / "dataset" / f"{number}.txt").unlink()
    report = check(project, tokenizer, 64, 8)
    screen = printed(report, project)
    assert len(screen.splitlines()) < 45
    assert "… and 680 more: 700 images in all" in screen
    assert "(600 times)" in screen
    assert "… and 595 more" in screen
    assert len(report_json(report)["findings"]) == 600


def test_text_from_files_is_text_and_never_markup_or_control(tmp_path: Path, tokenizer: Tokenizer) -> None:
    captions = {
        "[red]a[/red].png".replace("/", "."): "[bold]x[/bold] [/nothing] \x1b[2J\x1b]0;title\x07 \u202eevil",
        "b\x1b[31m.png": "[link=http://x]y",
    }
    toml = 'question = "[blink]why[/blink] \\u001b[31m?"\n[[variant]]\nname = "v"\nadd_tags = ["[red]\\u001b[1m"]\n'
    report, project = made(tmp_path, tokenizer, captions, toml)
    out = io.StringIO()
    print_report(Console(file=out, width=100, force_terminal=True, highlight=False), report, project)
    screen = out.getvalue()
    assert "[blink]why[/blink]" in screen
    assert "[red]a[.red].png" in screen
    for harm in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e", "\x1b[31m?", "b\x1b[31m.png"):
        assert harm not in screen
    colourless = printed(report, project)
    assert "\x1b" not in colourless
    colourless.encode("utf-8")


def test_variants_are_shown_with_what_they_change(tmp_path: Path, tokenizer: Tokenizer) -> None:
    toml = (
        '[[variant]]\nname = "monster"\nreplace_tags = { myshape = "monster" }\n'
        '[[variant]]\nname = "rank"\nlora.rank = 16\n'
    )
    screen = printed(*made(tmp_path, tokenizer, {"a.png": "myshape"}, toml))
    assert "captions: myshape → monster" in screen
    assert "lora.rank 8 → 16" in screen


def test_a_project_without_images_still_has_a_screen(tmp_path: Path, tokenizer: Tokenizer) -> None:
    screen = printed(*made(tmp_path, tokenizer, {}))
    assert "error dataset-empty" in screen
    assert screen.splitlines()[-1] == "1 error"


def test_findings_of_one_rule_share_one_remedy_and_keep_their_own() -> None:
    findings = [
        Finding("caption-missing", "warning", "a.png", "has none", "write it"),
        Finding("image-unreadable", "error", "b.png", "broken", "mend it"),
        Finding("caption-missing", "warning", "c.png", "has none", "write it"),
        Finding("caption-missing", "warning", "d.png", "has none", "rename it"),
    ]
    out = io.StringIO()
    print_findings(Console(file=out, width=80, highlight=False), findings)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "error image-unreadable",
        "  b.png: broken",
        "    → mend it",
        "warning caption-missing",
        "  a.png: has none",
        "  c.png: has none",
        "    → write it",
        "  d.png: has none",
        "    → rename it",
        "1 error, 3 warnings",
    ]


def test_json_is_complete_and_plain(tmp_path: Path, tokenizer: Tokenizer) -> None:
    toml = '[dataset]\nrepeats = 25\n[[variant]]\nname = "monster"\nreplace_tags = { myshape = "monster" }\n'
    report, _ = made(tmp_path, tokenizer, {"a.png": "myshape", "b.png": ""}, toml)
    document = json.loads(json.dumps(report_json(report)))
    assert document == report_json(report)
    assert (document["exit_code"], document["errors"], document["warnings"]) == (1, 0, 1)
    assert document["findings"][0]["rule"] == "caption-empty"
    assert document["plan"]["total_steps"] == 500
    assert document["images"][0]["tokens"] == [{"id": 1152, "piece": "my"}, {"id": 6448, "piece": "shape·"}]
    assert document["images"][0]["sha256"] == report.images[0].sha256
    assert [variant["name"] for variant in document["variants"]] == ["monster"]
    assert document["variants"][0]["images"][0]["caption"] == "monster"
