"""An article tells what a project's files hold, with every number as it was drawn, and whatever is broken as well."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from loratui.lab.notes.observations import observe, strike
from loratui.lab.report import markdownpage, page
from loratui.lab.report.album import Album
from loratui.lab.report.composing import compose
from loratui.lab.run.lock import RunLock
from loratui.lab.run.runs import list_runs
from loratui.lab.scores.scoring import refresh
from tests.frozen import freeze_run, log
from tests.hollow import build_hollow_model
from tests.lab.report.drawnprojects import SEEDS, draw, gray_project, gray_run, told_run
from tests.lab.report.reading import Told, read_page
from tests.lab.scores.drawnruns import GRAY, RED, noise, put, shape

CLAIMS = """
[[claim]]
text = "Gray is learned."
expectation = "colour"
[[claim]]
text = "It is a *good* likeness."
"""


@dataclass(frozen=True)
class Both:
    """The two renderings of one article."""

    html: str
    page: Told
    markdown: str

    def say(self, *texts: str) -> None:
        for text in texts:
            assert text in self.page.text, text
            assert text in self.markdown.replace("\\", ""), text

    def are_silent_on(self, *texts: str) -> None:
        for text in texts:
            assert text not in self.page.text, text
            assert text not in self.markdown, text


def report(project: Path) -> Both:
    """The article of a project, sound in both renderings."""
    article = compose(project)
    html = page.render(article)
    told = read_page(html)
    assert told.faults == []
    return Both(html, told, markdownpage.render(article, "pictures")[0])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_hollow_model(tmp_path_factory.mktemp("models") / "hollow")


@pytest.fixture(scope="module")
def drawn(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with claims and a run whose pictures were measured. Read only."""
    project = gray_project(tmp_path_factory.mktemp("drawn") / "shapes", model, CLAIMS)
    file = project / "project.toml"
    file.write_text('question = "Is gray learned?"\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    refresh(gray_run(project))
    return project


@pytest.fixture
def project(drawn: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn, tmp_path / "shapes")


@pytest.fixture
def bare(tmp_path: Path, model: Path) -> Path:
    return gray_project(tmp_path / "bare", model)


# -- what was learned -----------------------------------------------------------------------------------------------


def test_the_answer_comes_first_with_counts_intervals_and_the_base(drawn: Path) -> None:
    both = report(drawn)
    both.say("Is gray learned?", "What did it learn, and how sure are we?",
             "Learned:", "colour gray", "8 of 8 pictures (68–100 %); the base model 0 of 8 (0–32 %)")  # fmt: skip
    first = both.page.text.index("How sure is that?")
    assert both.page.text.index("8 of 8 pictures (68–100 %)") < first
    assert "not learned" not in both.page.text.replace("never “not learned”", "")


def test_it_says_how_sure_that_is(drawn: Path) -> None:
    report(drawn).say("Each rate rests on 8 pairs of pictures", "It is one training",
                      "loratui --run shapes --repeats 3", "by chance alone about")  # fmt: skip


def test_claims_are_answered_and_what_no_measure_can_tell_is_left_to_a_person(drawn: Path) -> None:
    report(drawn).say("Gray is learned.", "✓ agrees", "It is a *good* likeness.", "· for a person")


def test_the_training_set_is_shown_with_captions_and_tokens(drawn: Path) -> None:
    both = report(drawn)
    both.say("myshape, circle", "The text encoder does not read letters")
    assert "<code>my</code> <code>shape·</code>" in both.html
    assert sum(alt.startswith("training image") for _, alt in both.page.pictures) == 3


def test_curves_have_their_numbers_in_a_table(drawn: Path) -> None:
    both = report(drawn)
    assert both.page.tags.count("svg") > 10
    assert "4/8 (22–78 %)" in both.page.text  # at the first checkpoint
    assert re.search(r"<details><summary>The numbers</summary>.*?4/8", both.html, re.DOTALL)


def test_every_picture_stands_beside_its_twin_with_what_was_seen(drawn: Path) -> None:
    both = report(drawn)
    both.say("Left the base model, right the LoRA, from the same noise.")
    assert both.html.count('<div class="of-base"><img') == both.html.count('<div class="of-lora"><img') > len(SEEDS)
    assert '<span class="marks">✗✓✓</span>' in both.html
    assert '<span class="marks">✓✓✓</span>' in both.html


def test_how_to_repeat_it_names_commands_versions_seeds_and_hashes(drawn: Path) -> None:
    [run] = list_runs(drawn)
    both = report(drawn)
    both.say("loratui --run shapes", f"loratui --measure shapes/runs/{run.id}", "python 3.", "1 to 8 (8)", "1:03")
    both.say(run.read_captions()[0]["sha256"])
    assert str(drawn) not in both.html
    assert str(drawn) not in both.markdown


def test_settings_are_told_where_they_differ_and_the_rest_can_be_opened(drawn: Path) -> None:
    both = report(drawn)
    both.say("train.steps", "All settings", "train.min_snr_gamma")
    assert both.html.index("All settings") < both.html.index("train.min_snr_gamma")


def test_what_was_not_looked_for_is_named_with_its_command(drawn: Path) -> None:
    [run] = list_runs(drawn)
    report(drawn).say(*(f"loratui {verb} shapes/runs/{run.id}" for verb in ("--attribute", "--drift", "--weights")))


def test_pictures_that_no_measure_can_tell_are_uncertain(bare: Path) -> None:
    run = told_run(bare)
    draw(run, 0, lambda _: shape(RED), noise)
    both = report(bare)
    both.say("Too few pictures to tell:", "8 uncertain", "no picture that could be measured")
    assert '<span class="marks">???</span>' in both.html


def test_what_was_expected_only_afterwards_is_said(project: Path) -> None:
    file = project / "project.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('background = "white" }', 'background = "white", count = 1 }'), encoding="utf-8")
    report(project).say("Expected only after the run.", "came only when the pictures were there")


def test_a_first_denoising_step_has_its_pull_towards_the_centre_with_an_interval(bare: Path) -> None:
    run = told_run(bare)
    draw(run, 0, lambda _: shape(RED), lambda _: shape(GRAY))
    draw(run, 0, lambda seed: shape(RED, at=2 * seed), lambda seed: shape(RED, at=seed % 3), steps=1)
    both = report(bare)
    both.say("At the first denoising step", "it converges on the centre more than the base model")
    assert re.search(r"pull [\d.]+ with the LoRA, [\d.]+ without \(8 pairs\); change \+[\d.]+ \(\+", both.page.text)


def test_prompts_that_were_asked_for_later_can_be_opened(project: Path) -> None:
    [run] = list_runs(project)
    for step, colour in ((None, RED), (4, GRAY)):
        name = "base" if step is None else "step-000004"
        path = put(run, 0, 99, shape(colour), step)
        path.rename(run.samples / name / path.name.replace("p00", "p02"))
    both = report(project)
    both.say("1 prompt asked for later")
    assert both.page.text.index("1 prompt asked for later") < both.page.text.index("seed 99")


def test_a_photocopier_is_called_one(bare: Path) -> None:
    run = told_run(bare)
    image = Image.open(bare / "dataset" / "circle.png").convert("RGB").resize((64, 64))
    draw(run, 0, lambda seed: shape(RED, "rectangle", at=2 * seed - 8), lambda _: image)
    report(bare).say("It has become a photocopier")


# -- several runs ----------------------------------------------------------------------------------------------------


def test_repeats_make_a_noise_band_and_are_told_with_their_rates(project: Path) -> None:
    other = told_run(project, "train.seed=5")
    draw(other, 0, lambda _: shape(RED), lambda seed: shape(GRAY if seed > 7 else RED), step=2)
    draw(other, 0, lambda _: shape(RED), lambda seed: shape(GRAY if seed > 2 else RED))
    both = report(project)
    both.say("The same was trained with 2 training seeds", "8/8, 6/8", "Two are too few for a band",
             "Only train.seed differs: a repeat")  # fmt: skip
    assert 'class="band noise"' in both.html
    assert "from the lowest to the highest of its repeats" in both.page.text


def test_runs_are_told_with_what_each_changed(project: Path) -> None:
    told_run(project, "train.learning_rate=1e-3")
    both = report(project)
    both.say("One factor differs: train.learning_rate", "train.learning_rate: 0.0001 → 0.001", "the first of these")
    assert "run A (shapes-" in both.page.text  # the one with pictures is the one that is spoken of


def test_captions_that_are_the_same_tokens_are_refused_as_a_comparison(project: Path) -> None:
    for caption in (project / "dataset").glob("*.txt"):
        caption.write_text(caption.read_text(encoding="utf-8").replace("myshape, ", "myshape ,"), encoding="utf-8")
    told_run(project)
    both = report(project)
    both.say("are the same tokens to the text encoder", "cannot show anything")
    assert 'class="refusal"' in both.html
    assert "**✗ Refused.**" in both.markdown


def test_of_200_runs_the_newest_are_told_in_full_and_the_others_in_a_table(project: Path) -> None:
    [sound] = list_runs(project)
    for number in range(200):
        copy = sound.path.with_name(f"20200101-{number:06d}-shapes-{number:04x}")
        copy.mkdir()
        for name in ("run.toml", "captions.toml", "events.jsonl", "lock"):
            shutil.copy(sound.path / name, copy / name)
    both = report(project)
    both.say("shapes, 201 runs", "195 other runs, newest first: not told in full", "run F (shapes-", "shapes-0000")
    assert len(both.html) < 3_000_000
    assert "run G (" not in both.page.text


# -- what people saw -------------------------------------------------------------------------------------------------


def test_observations_stand_in_their_order_with_who_and_pictures(project: Path) -> None:
    [run] = list_runs(project)
    observe(run, "It is grey.\n\nAll of it.", feature="colour gray · myshape", verdict="partly", step=4,
            pictures=["samples/step-000004/p00-seed1-steps25-scale1.png"])  # fmt: skip
    gone = observe(run, "A cup?", verdict="uncertain", by="count")
    strike(run, gone.id)
    both = report(project)
    both.say("What was written down", "It is grey.", "All of it.", "by person", "written down: ~ partly",
             "not what is suggested", "struck out")  # fmt: skip
    assert both.page.text.rindex("It is grey.") < both.page.text.rindex("A cup?")
    assert any("picture of an observation" in alt for _, alt in both.page.pictures)


def test_a_notebook_that_cannot_be_read_is_told(project: Path) -> None:
    [run] = list_runs(project)
    run.observations_file.write_text("[[observation]\n", encoding="utf-8")
    report(project).say(f"shapes/runs/{run.id}/observations.toml")


# -- projects that are not whole -------------------------------------------------------------------------------------


def test_a_project_without_runs_shows_its_images_and_the_command_that_trains_it(bare: Path) -> None:
    both = report(bare)
    both.say(
        "Nothing yet: the project has no runs.", "loratui --run bare", "myshape, circle", "No run has frozen them yet"
    )
    assert len(both.page.pictures) == 3


def test_a_run_without_pictures_says_how_to_draw_some(bare: Path) -> None:
    run = told_run(bare)
    both = report(bare)
    both.say("Nothing can be told yet.", f"loratui --sample bare/runs/{run.id} --seeds 1-20", "probe loss")
    assert both.page.tags.count("svg") > 2


def test_pictures_of_which_nothing_was_expected_are_shown_and_the_remedy_is_said(bare: Path) -> None:
    file = bare / "project.toml"
    file.write_text(re.sub(r"expect = .*", "", file.read_text(encoding="utf-8")), encoding="utf-8")
    draw(told_run(bare), 0, lambda _: shape(RED), lambda _: shape(GRAY))
    both = report(bare)
    both.say("Nobody said what to look for.", "under [[sample.prompt]]", "share of the picture that stands out")
    assert '<div class="of-lora"><img' in both.html


@pytest.mark.parametrize(
    ("state", "words"), [("stopped", "was stopped at step 4 of 4"), ("failed", "failed at step 4")]
)
def test_a_run_that_did_not_end_well_is_told_so(project: Path, state: str, words: str) -> None:
    [run] = list_runs(project)
    log(run, "state", state=state, step=4, total=4, reason="no <space> left")
    both = report(project)
    both.say(words)
    assert "<space>" not in both.html


def test_a_live_run_is_told_as_it_stands(project: Path) -> None:
    [run] = list_runs(project)
    log(run, "state", state="running", step=2, total=4)
    log(run, "step", step=3, epoch=1, loss="nan", smoothed=0.03, lr=1e-4, it_s=2.0)
    with RunLock(run.lock_file):
        both = report(project)
    both.say("is still being trained (step 3 of 4)", "The loss was no number at step 3")


def test_broken_runs_are_told_and_the_others_stay_whole(project: Path) -> None:
    damaged = freeze_run(project, minute=10**7)  # its record lacks what a worker would need
    (told_run(project).path / "captions.toml").write_text("image = 3\n", encoding="utf-8")
    (list_runs(project)[0].path / "drift.json").write_text("{", encoding="utf-8")
    both = report(project)
    both.say("8 of 8 pictures", "cannot be read", damaged.id.rpartition("-")[2], "drift.json")


def test_only_broken_runs_make_a_sound_report_too(tmp_path: Path) -> None:
    (tmp_path / "lost").mkdir()
    freeze_run(tmp_path / "lost")
    report(tmp_path / "lost").say("Nothing can be told: 1 run cannot be read")


def test_a_project_file_that_cannot_be_read_does_not_hide_the_runs(project: Path) -> None:
    (project / "project.toml").write_text("[train\n", encoding="utf-8")
    report(project).say("8 of 8 pictures", "What could not be read", "shapes/project.toml:1")


def test_broken_pictures_and_images_that_are_gone_are_named(project: Path, drawn: Path) -> None:
    [run] = list_runs(project)
    for path in (run.samples / "step-000004").glob("p00-seed1-*"):
        path.write_bytes(b"not a picture")
    captions = run.captions_file.read_text(encoding="utf-8")
    run.captions_file.write_text(captions.replace(str(drawn), str(project)), encoding="utf-8")
    (project / "dataset" / "circle.png").unlink()
    Image.new("RGB", (96, 96), "blue").save(project / "dataset" / "square.png")
    both = report(project)
    both.say("not there any more", "changed since it was trained", "1 picture could not be read")


def test_hostile_words_everywhere_stay_words(tmp_path: Path, model: Path) -> None:
    evil = '<img src=x onerror=alert(1)>|`\u202e"\\u001b[31m'
    project = gray_project(tmp_path / "evil <b>", model)
    file = project / "project.toml"
    text = file.read_text(encoding="utf-8").replace('text = "myshape"', f"text = {json.dumps(evil)}")
    file.write_text(f"question = {json.dumps(evil)}\n{text}", encoding="utf-8")
    for caption in (project / "dataset").glob("*.txt"):
        caption.write_text(f"{evil}\x07 שלום\n", encoding="utf-8")
    run = told_run(project)
    put(run, 0, 1, shape(RED))
    put(run, 0, 1, shape(GRAY), 4)
    observe(run, f"{evil}\n# heading\n", feature=evil, verdict="learned", by=evil)
    both = report(project)
    assert "onerror" in both.page.text
    assert "\u202e" not in both.markdown


def test_the_same_files_make_the_same_article(drawn: Path) -> None:
    assert report(drawn).html == report(drawn).html


# -- pictures --------------------------------------------------------------------------------------------------------


def test_small_pictures_keep_every_pixel_and_large_ones_become_small(tmp_path: Path) -> None:
    album = Album()
    noise(3).save(tmp_path / "small.png")
    noise(3).resize((1024, 512)).save(tmp_path / "large.png")
    small, large = (album.take(tmp_path / f"{name}.png", name, "a picture") for name in ("small", "large"))
    assert small is not None and large is not None
    assert (small.width, small.height, large.width, large.height) == (64, 64, 192, 96)
    assert len(large.data) < 30_000
    import io

    assert Image.open(io.BytesIO(small.data)).tobytes() == noise(3).tobytes()
    assert "loratui" not in Image.open(io.BytesIO(small.data)).info


def test_pictures_beyond_the_budget_are_left_out_and_counted(tmp_path: Path) -> None:
    album = Album(budget=15_000)
    for seed in range(3):
        noise(seed).save(tmp_path / f"{seed}.png")
    taken = [album.take(tmp_path / f"{seed}.png", f"{seed}", "a picture") for seed in range(3)]
    assert [picture is not None for picture in taken] == [True, False, False]
    assert album.left_out == 2


def test_transparent_rotated_and_strange_pictures_are_shown(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    turned = Image.new("RGB", (8, 4), "red")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "none.png").write_bytes(b"")
    album = Album()
    one, other = album.take(tmp_path / "clear.png", "clear", ""), album.take(tmp_path / "turned.jpg", "turned", "")
    assert one is not None and other is not None
    assert (other.width, other.height) == (4, 8)
    assert album.take(tmp_path / "none.png", "none", "") is None
    assert album.take(tmp_path / "missing.png", "missing", "") is None
    assert len(album.unread) == 2
