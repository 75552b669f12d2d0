"""The table of findings: what a person said, beside it what the measures suggest, and never one for the other."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.notes.findings import (
    COLUMNS,
    Cell,
    findings,
    footnotes,
    said_words,
    suggested_words,
    to_csv,
    to_json,
    to_markdown,
)
from loratui.lab.notes.observations import observe, strike
from loratui.lab.run.runs import RunFolder
from loratui.lab.scores.features import feature_of
from loratui.lab.scores.scores import Place, RunScores, Score, write_scores
from loratui.lab.scores.statistics import Rate, mcnemar, suggest
from tests.frozen import freeze_run, write_bare_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_bare_project(tmp_path / "shapes")


def score(shown: int, of: int = 24, base: int = 1, name: str = "colour", wanted: object = "gray", step: int = 750,
          text: str = "myshape", later: bool = False) -> Score:  # fmt: skip
    """The first pictures show it."""
    lora_seen, base_seen = ([i < k for i in range(of)] for k in (shown, base))
    rates = Rate(base, of), Rate(shown, of)
    paired = mcnemar(base_seen, lora_seen)
    return Score(Place(0, text, 25, 1.0, step), name, wanted, *rates, paired, suggest(*rates, paired),
                 tuple(range(of)), tuple(base_seen), tuple(lora_seen), later)  # fmt: skip


def measured(run: RunFolder, *scores: Score) -> None:
    write_scores(run, RunScores(run.id, "", scores=scores))


def only(project: Path) -> Cell:
    (cell,) = findings(project).cells
    return cell


def test_a_suggestion_is_marked_and_comes_with_both_rates(project: Path) -> None:
    measured(freeze_run(project), score(23))
    cell = only(project)
    assert (cell.feature, cell.said, said_words(cell)) == ("colour gray · myshape", None, "")
    assert suggested_words(cell) == "suggested: ✓ learned"
    (line,) = [line for line in to_markdown(findings(project)).splitlines() if "colour gray" in line]
    for words in ("suggested: ✓ learned", "23/24 (80–99 %)", "1/24 (1–20 %)"):
        assert words in line
    assert to_json(findings(project))["findings"][0]["observed"] is None


def test_the_newest_verdict_that_is_not_struck_out_stands_beside_it(project: Path) -> None:
    run = freeze_run(project)
    measured(run, score(23))
    feature = feature_of(score(23))
    observe(run, "first", feature=feature.upper(), verdict="learned")
    observe(run, "then", feature=feature, verdict="partly")
    struck = observe(run, "wrong", feature=feature, verdict="not shown")
    strike(run, struck.id)
    observe(run, "no verdict", feature=feature)
    cell = only(project)
    assert cell.said is not None
    assert (cell.said.note, cell.verdict, cell.earlier, cell.n, cell.agrees) == ("then", "partly", 1, 24, False)
    assert any("do not say the same in 1" in note for note in footnotes(findings(project)))


def test_the_last_checkpoint_counts(project: Path) -> None:
    measured(freeze_run(project), score(2, step=300), score(20, step=750), score(9, step=600))
    found = only(project).suggested
    assert found is not None
    assert (found.place.step, found.lora.k) == (750, 20)


def test_too_few_pictures_say_how_many_would_do_and_hindsight_is_told(project: Path) -> None:
    measured(freeze_run(project), score(3, of=4, base=0, later=True))
    words = suggested_words(only(project))
    assert words.startswith("suggested: … too few pictures, about ")
    assert words.endswith("would do (expected only after the run)")
    assert only(project).agrees is None


def test_a_persons_own_feature_needs_no_measure(project: Path) -> None:
    run = freeze_run(project)
    observe(run, "they cuddle", feature="mood", verdict="uncertain", pictures=["samples/a.png", "samples/b.png"])
    cell = only(project)
    assert (cell.feature, cell.suggested, cell.n) == ("mood", None, 2)


def test_what_another_program_said_is_told_as_its_own(project: Path) -> None:
    observe(freeze_run(project), "", feature="mood", verdict="learned", by="judge")
    assert said_words(only(project)) == "✓ learned (by judge)"


@pytest.mark.parametrize("column", COLUMNS)
def test_the_table_sorts_by_each_column(project: Path, column: str) -> None:
    a, b = freeze_run(project, 0), freeze_run(project, 1)
    measured(a, score(1, name="shape", wanted="circle"), score(23))
    measured(b, score(40, of=50))
    observe(a, "", feature="Zebra", verdict="partly")
    cells = findings(project).sorted(column).cells
    keys = {
        "feature": [cell.feature.casefold() for cell in cells],
        "verdict": [("learned", "partly", "not shown").index(cell.verdict) for cell in cells],
        "n": [-cell.n for cell in cells],
        "run": [cell.run.id for cell in cells],
        "time": [-cell.time for cell in cells],
    }
    assert len(cells) == 4
    assert keys[column] == sorted(keys[column])
    assert [c.feature for c in findings(project).sorted(column, reverse=True).cells] != [c.feature for c in cells]


def test_another_column_is_refused(project: Path) -> None:
    with pytest.raises(LabError, match="sort by feature, verdict, n, run, time"):
        findings(project).sorted("colour")


def test_csv_keeps_what_was_written_and_no_spreadsheet_runs_it(project: Path) -> None:
    run = freeze_run(project)
    for number, note in enumerate(('=HYPERLINK("http://x")', "+1", "-2", "@cmd", "\t=1", 'say "hi",\nthen', "＝1")):
        observe(run, note, feature=f"={number}", verdict="partly")
    rows = list(csv.DictReader(io.StringIO(to_csv(findings(project)))))
    notes = [row["note"] for row in rows]
    assert notes[:4] == ['\'=HYPERLINK("http://x")', "'+1", "'-2", "'@cmd"]
    assert notes[5:] == ['say "hi",\nthen', "'＝1"]
    for row in rows:
        assert not any(value.lstrip().startswith(("=", "+", "-", "@", "＝")) for value in row.values())


def test_markdown_is_broken_by_nothing(project: Path) -> None:
    run = freeze_run(project)
    observe(run, "a | b\n# <b>", feature="x|y\x1b[2J", verdict="learned")
    text = to_markdown(findings(project))
    (line,) = [line for line in text.splitlines() if "✓ learned" in line]
    assert line.replace("\\|", "").count("|") == 10
    assert "\x1b" not in text


def test_a_damaged_run_does_not_hide_the_others(project: Path) -> None:
    a, b = freeze_run(project, 0), freeze_run(project, 1)
    measured(a, score(23))
    (b.path / "scores.json").write_text("{", encoding="utf-8")
    problems: list[str] = []
    assert len(findings(project, problems).cells) == 1
    assert "scores.json" in problems[0]
    with pytest.raises(LabError, match=r"scores\.json"):
        findings(project)


def test_pictures_that_no_score_counts_are_told_of(project: Path) -> None:
    run = freeze_run(project)
    assert findings(project).unmeasured == ()
    (run.samples / "step-000003").mkdir()
    (run.samples / "step-000003" / "p00-seed1-steps1-scale1.png").touch()
    assert findings(project).unmeasured == (run,)


def test_the_interface_can_show_it_without_numpy(project: Path) -> None:
    measured(freeze_run(project), score(23))
    script = (
        "import sys; from pathlib import Path; from loratui.lab.notes.findings import findings, to_markdown\n"
        f"assert to_markdown(findings(Path({str(project)!r})))\n"
        "assert not {'numpy', 'scipy', 'torch', 'textual'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])


def test_no_runs_are_no_findings(project: Path) -> None:
    assert findings(project).cells == ()
    assert "Nothing yet" in to_markdown(findings(project))
