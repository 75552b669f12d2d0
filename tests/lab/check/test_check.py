"""Everything that can be known before training is said before training, under ids that stay."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loratui.lab.check import check as check_module
from loratui.lab.check.check import Finding, Report, check
from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError
from loratui.lab.project.project import load_project

TOKENIZER = Path(__file__).parents[3] / "loratui" / "tinyworld" / "model" / "tokenizer"
RESOLUTION, MULTIPLE = 64, 8


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(TOKENIZER)


class Bench:
    """A project folder under construction."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.folder, self.tokenizer, self.made = folder, tokenizer, 0

    def image(
        self, name: str, caption: str | None = "red", size: tuple[int, int] = (64, 64), colour: int | None = None
    ) -> Path:
        path = self.folder / "dataset" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.made += 1
        Image.new("RGB", size, (self.made if colour is None else colour, 80, 90)).save(path)
        if caption is not None:
            path.with_suffix(".txt").write_text(caption, encoding="utf-8")
        return path

    def check(self, toml: str = "", resolution: int = RESOLUTION, multiple: int = MULTIPLE) -> Report:
        (self.folder / "project.toml").write_text(toml or "[train]\nepochs = 10\n", encoding="utf-8")
        return check(load_project(self.folder), self.tokenizer, resolution, multiple)


@pytest.fixture
def bench(tmp_path: Path, tokenizer: Tokenizer) -> Bench:
    return Bench(tmp_path, tokenizer)


def only(report: Report, rule: str) -> Finding:
    assert [finding.rule for finding in report.findings] == [rule], report.findings
    return report.findings[0]


def rules(report: Report) -> list[str]:
    return [finding.rule for finding in report.findings]


def test_a_clean_project_has_no_findings_and_a_plan(bench: Bench) -> None:
    for name in ("circle.png", "square.png", "triangle.png"):
        bench.image(name, "monster, white background")
    report = bench.check("[dataset]\nrepeats = 25\n")
    assert (report.findings, report.exit_code) == ((), 0)
    assert report.plan is not None
    assert report.plan.arithmetic == "3 images × 25 repeats × 10 epochs ÷ batch 1 = 750 steps"
    assert [image.name for image in report.images] == ["circle.png", "square.png", "triangle.png"]
    assert report.sizes == ((64, 64),) * 3
    assert [token.piece for token in report.base.checked[0].tokens] == ["monster·", ",·", "white·", "background·"]
    assert (report.decoded, report.images_found, report.token_limit) == (3, 3, 75)


def test_warnings_leave_with_1_and_errors_with_2_and_errors_come_first(bench: Bench) -> None:
    bench.image("a.png", caption=None)
    assert bench.check().exit_code == 1
    (bench.folder / "dataset" / "b.png").write_bytes(b"no")
    report = bench.check()
    assert report.exit_code == 2
    assert rules(report) == ["image-unreadable", "caption-missing"]
    assert [finding.rule for finding in report.errors] == ["image-unreadable"]
    assert [finding.rule for finding in report.warnings] == ["caption-missing"]


@pytest.mark.parametrize("folder_exists", [True, False])
def test_a_dataset_that_is_empty_or_missing_is_an_error_without_a_plan(bench: Bench, folder_exists: bool) -> None:
    if folder_exists:
        (bench.folder / "dataset").mkdir()
    report = bench.check()
    only(report, "dataset-empty" if folder_exists else "dataset-missing")
    assert (report.exit_code, report.plan, report.images) == (2, None, ())


def test_checking_writes_nothing(bench: Bench) -> None:
    bench.image("a.png", "myshape")
    bench.check('[dataset]\ntrigger = "myshape"\n')
    before = {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}
    check(load_project(bench.folder), bench.tokenizer, RESOLUTION, MULTIPLE)
    assert {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()} == before


# --- images -------------------------------------------------------------------------------------------------------


def test_a_picture_whose_header_is_whole_but_not_its_pixels_is_an_error(bench: Bench) -> None:
    import zlib

    bench.image("good.png")
    path = bench.image("bad.png")
    data = path.read_bytes()
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    body = b"IDAT" + zlib.compress(b"too short")
    spoiled = len(body[4:]).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    path.write_bytes(data[: at - 4] + spoiled + data[at + 4 + length + 4 :])
    report = bench.check()
    finding = only(report, "image-unreadable")
    assert (finding.severity, finding.where) == ("error", "dataset/bad.png")
    assert [image.name for image in report.images] == ["good.png"]
    assert report.plan is not None
    assert report.plan.images == 1


def test_the_same_bytes_twice_are_one_picture(bench: Bench) -> None:
    first = bench.image("a.png", "red")
    (bench.folder / "dataset" / "b.png").write_bytes(first.read_bytes())
    (bench.folder / "dataset" / "b.txt").write_text("blue")
    finding = only(bench.check(), "image-duplicate")
    assert "byte for byte, with different captions" in finding.message
    assert (finding.where, "b.png" in finding.message) == ("dataset/a.png", True)


def test_the_same_pixels_in_two_formats_are_one_picture(bench: Bench) -> None:
    bench.image("a.png", colour=7)
    bench.image("b.bmp", colour=7)
    bench.image("c.png", colour=8)
    assert "pixel for pixel, with one caption" in only(bench.check(), "image-duplicate").message


def test_the_same_pixels_in_another_shape_are_another_picture(bench: Bench) -> None:
    bench.image("a.png", size=(64, 32), colour=7)
    bench.image("b.png", size=(32, 64), colour=7)
    assert bench.check().findings == ()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((64, 64), None),
        ((32, 32), None),
        ((31, 31), "enlarged 2.1 times"),
        ((512, 512), None),
        ((520, 520), "shrunk 8.1 times"),
        ((1, 1), "enlarged 64.0 times"),
    ],
)
def test_a_size_far_from_the_training_size_is_said(bench: Bench, size: tuple[int, int], words: str | None) -> None:
    bench.image("a.png", size=size)
    report = bench.check()
    if words is None:
        assert report.findings == ()
    else:
        assert words in only(report, "image-size").message


def test_large_images_are_decoded_by_one_thread_however_many_there_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[bool, set[int]] = {True: set(), False: set()}
    together = threading.Barrier(3)

    def read(path: Path) -> Image.Image:
        large = path.name.startswith("large")
        threads[large].add(threading.get_ident())
        if not large:
            together.wait(20)  # three at once
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr(check_module, "read_rgb", read)
    monkeypatch.setattr(check_module, "LARGE", 64 * 64)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    for number in range(3):
        bench.image(f"large{number}.png", size=(128, 128))
        bench.image(f"small{number}.png")
    assert bench.check().decoded == 6
    assert [len(threads[large]) for large in (True, False)] == [1, 3]


def test_only_part_of_a_huge_dataset_is_decoded_and_that_is_known(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        bench.image(f"{number}.png")
    monkeypatch.setattr(check_module, "DECODED", 3 * 64 * 64)
    report = bench.check()
    assert (report.decoded, report.images_found) == (3, 5)


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("[dataset]\nbuckets = false\nresolution = 72\n", "dataset.resolution"),
        ("[dataset]\nbucket_step = 8\n", "dataset.bucket_step"),
        ("[dataset]\nresolution = 72\n", None),
        ("[dataset]\nbuckets = false\nresolution = 64\n", None),
    ],
)
def test_sizes_the_model_cannot_take_are_errors(bench: Bench, toml: str, key: str | None) -> None:
    bench.image("a.png")
    report = bench.check(toml, multiple=16)
    if key is None:
        assert report.findings == ()
        assert all(side % 16 == 0 for size in report.sizes for side in size)
    else:
        finding = only(report, "size-multiple")
        assert (finding.severity, finding.where) == ("error", key)


# --- captions and tokens ------------------------------------------------------------------------------------------


def test_a_caption_longer_than_the_text_encoder_sees_is_said(bench: Bench) -> None:
    bench.image("a.png", "red " * 75)
    assert bench.check().findings == ()
    bench.image("b.png", "red " * 76)
    finding = only(bench.check(), "caption-too-long")
    assert (finding.where, "76 tokens" in finding.message) == ("dataset/b.txt", True)


def test_a_long_sample_prompt_is_said_and_a_caption_not_twice(bench: Bench) -> None:
    bench.image("a.png", "red " * 76)
    only(bench.check(), "caption-too-long")
    bench.image("a.png", "red")
    report = bench.check(f'[sample]\nprompts = ["red", "{"blue " * 80}"]\nnegative_prompt = "{"bad " * 90}"\n')
    assert rules(report) == ["sample-prompt-too-long"] * 3
    assert [finding.where for finding in report.findings] == [
        "sample.prompt 1 (negative prompt)",
        "sample.prompt 2",
        "sample.prompt 2 (negative prompt)",
    ]


def test_two_spellings_of_one_tag_are_said(bench: Bench) -> None:
    bench.image("a.png", "2x2, apple")
    bench.image("b.png", "2 x 2, Apple")
    bench.image("c.png", "3x3, apple")
    report = bench.check()
    assert rules(report) == ["tags-identical-tokens"] * 2
    assert '"2x2", "2 x 2" are the same tokens (273 343 273)' in report.findings[0].message


def test_a_trigger_that_captions_lack_is_said(bench: Bench) -> None:
    bench.image("a.png", "sks, red")
    bench.image("b.png", "a SKS thing")
    assert bench.check('[dataset]\ntrigger = "sks"\n').findings == ()
    for number in range(5):
        bench.image(f"x{number}.png", "sksy")
    finding = only(bench.check('[dataset]\ntrigger = "sks"\n'), "trigger-missing")
    assert "5 of 7 images: x0.png, x1.png, x2.png and 2 more" in finding.message


@pytest.mark.parametrize(
    ("trigger", "word"),
    [
        ("myshape", "shape"),
        ("sksdog", "dog"),
        ("a myshape", "shape"),
        ("monster", None),
        ("red monster", None),
        ("sks", None),
        ("2x2", None),
        ("zxq", None),
        ("grid layout", None),
    ],
)
def test_a_trigger_that_ends_in_the_token_of_a_word_is_said(bench: Bench, trigger: str, word: str | None) -> None:
    bench.image("a.png", trigger)
    report = bench.check(f'[dataset]\ntrigger = "{trigger}"\n')
    if word is None:
        assert report.findings == ()
    else:
        assert f'the word "{word}"' in only(report, "trigger-shares-tokens").message


def test_without_a_trigger_nothing_is_said_about_it(bench: Bench) -> None:
    bench.image("a.png", "myshape")
    assert bench.check().findings == ()


def test_a_warm_up_longer_than_the_run_is_an_error(bench: Bench) -> None:
    bench.image("a.png")
    assert bench.check("[train]\nepochs = 10\nwarmup_steps = 10\n").findings == ()
    finding = only(bench.check("[train]\nepochs = 10\nwarmup_steps = 11\n"), "warmup-too-long")
    assert (finding.severity, finding.where) == ("error", "train.warmup_steps")


# --- variants -----------------------------------------------------------------------------------------------------


def variant(name: str, body: str) -> str:
    return f'[[variant]]\nname = "{name}"\n{body}\n'


def test_variants_that_change_one_thing_are_clean(bench: Bench) -> None:
    bench.image("a.png", "myshape, red")
    bench.image("b.png", "myshape, blue")
    report = bench.check(
        variant("monster", 'replace_tags = { myshape = "monster" }')
        + variant("short", 'drop_tags = ["red", "blue"]')
        + variant("long", "train.epochs = 20")
        + variant("steps", "train.steps = 7")
        + variant("seed", "train.seed = 1")
    )
    assert report.findings == ()
    assert [(setup.name, report.changes(setup)) for setup in report.setups] == [
        ("", ()),
        ("monster", ("captions",)),
        ("short", ("captions",)),
        ("long", ("train.epochs",)),
        ("steps", ("train.steps",)),
        ("seed", ("train.seed",)),
    ]
    assert [image.caption for image in report.setup("monster").images] == ["monster, red", "monster, blue"]
    assert [setup.plan.total_steps for setup in report.setups if setup.plan] == [20, 20, 20, 40, 7, 20]


def test_captions_that_differ_and_tokenise_alike_cannot_show_anything(bench: Bench) -> None:
    bench.image("a.png", "2x2 apple, white background")
    bench.image("b.png", "3x3 apple, white background")
    report = bench.check(
        variant("phrase", 'replace_tags = { "2x2 apple" = "2 x 2 apple", "3x3 apple" = "3 x 3 apple" }')
        + variant("words", 'replace_tags = { "2x2 apple" = "two by two apple" }')
    )
    finding = only(report, "variants-identical")
    assert (finding.where, finding.severity) == ("phrase", "warning")
    assert "this comparison cannot show anything" in finding.message
    assert "the project itself" in finding.message


def test_two_variants_that_tokenise_alike_are_found_too(bench: Bench) -> None:
    bench.image("a.png", "apple")
    report = bench.check(
        variant("one", 'replace_tags = { apple = "2x2" }') + variant("two", 'replace_tags = { apple = "2 X 2" }')
    )
    finding = only(report, "variants-identical")
    assert (finding.where, 'variant "one"' in finding.message) == ("two", True)


def test_captions_that_tokenise_alike_beside_another_change_are_a_comparison(bench: Bench) -> None:
    bench.image("a.png", "2x2")
    report = bench.check(variant("both", 'replace_tags = { 2x2 = "2 x 2" }\ntrain.seed = 3'))
    assert rules(report) == ["variant-many-changes"]


def test_one_tag_split_in_two_is_other_tokens(bench: Bench) -> None:
    bench.image("a.png", "red circle")
    assert bench.check(variant("split", 'replace_tags = { "red circle" = "red, circle" }')).findings == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "train.epochs = 10",
        "lora.alpha = 8",
        "dataset.resolution = 64",
        "train.steps = 10",
        'question = "Another remark?"',
        "train.log_every = 3",
        'add_tags = ["red"]',
    ],
)
def test_a_variant_that_changes_nothing_is_said(bench: Bench, body: str) -> None:
    bench.image("a.png", "red")
    assert only(bench.check(variant("same", body)), "variant-changes-nothing").where == "same"


def test_a_copy_of_the_dataset_under_another_path_is_no_change(bench: Bench) -> None:
    path = bench.image("a.png", "red")
    (bench.folder / "copy").mkdir()
    for file in (path, path.with_suffix(".txt")):
        (bench.folder / "copy" / f"renamed{file.suffix}").write_bytes(file.read_bytes())
    report = bench.check(variant("copy", 'dataset = "copy"'))
    assert only(report, "variant-changes-nothing").where == "copy"


def test_a_variant_with_other_pictures_is_one_change_and_its_folder_is_checked(bench: Bench) -> None:
    bench.image("a.png", "red")
    blurred = bench.folder / "blurred"
    blurred.mkdir()
    noise = np.random.Generator(np.random.Philox(key=4)).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(blurred / "a.png")
    (blurred / "b.png").write_bytes(b"no")
    report = bench.check(variant("blur", 'dataset = "blurred"'))
    assert report.changes(report.setup("blur")) == ("images",)
    assert [(finding.rule, finding.where) for finding in report.findings] == [
        ("image-unreadable", "blur: blurred/b.png"),
        ("caption-missing", "blur: blurred/a.png"),
    ]


def test_a_dataset_that_variants_share_is_not_reported_again(bench: Bench) -> None:
    bench.image("a.png", "myshape", size=(8, 8))
    bench.image("b.png", None)
    toml = '[dataset]\ntrigger = "myshape"\n'
    once = bench.check(toml).findings
    assert len(once) == 4
    assert bench.check(toml + variant("long", "train.epochs = 20")).findings == once


def test_a_variant_that_changes_several_things_is_said(bench: Bench) -> None:
    bench.image("a.png", "red")
    report = bench.check(variant("much", 'train.epochs = 20\nlora.rank = 4\nreplace_tags = { red = "blue" }'))
    finding = only(report, "variant-many-changes")
    assert "3 things at once: lora.rank, train.epochs, captions" in finding.message


def test_a_trigger_and_prompts_may_follow_the_captions(bench: Bench) -> None:
    bench.image("a.png", "sks")
    report = bench.check(
        '[dataset]\ntrigger = "sks"\n[sample]\nprompts = ["sks"]\n'
        + variant(
            "m",
            'replace_tags = { sks = "monster" }\ndataset.trigger = "monster"\nsample.prompts = ["monster"]',
        )
    )
    assert report.findings == ()


def test_an_optimizer_comes_with_its_learning_rate(bench: Bench) -> None:
    bench.image("a.png")
    report = bench.check(variant("prodigy", 'train.optimizer = "prodigy"\ntrain.learning_rate = 1.0'))
    assert report.findings == ()


def test_a_tag_that_no_caption_has_is_said_with_the_nearest(bench: Bench) -> None:
    bench.image("a.png", "myshape, red")
    report = bench.check(variant("m", 'replace_tags = { myshpe = "monster" }\ndrop_tags = ["red"]'))
    assert only(report, "variant-tag-unknown").remedy == 'write "myshape"'


def test_errors_of_a_variants_settings_name_the_variant(bench: Bench) -> None:
    bench.image("a.png")
    report = bench.check(variant("short", "train.steps = 5\ntrain.warmup_steps = 6"))
    warmup = next(finding for finding in report.findings if finding.rule == "warmup-too-long")
    assert warmup.where == "short: train.warmup_steps"


def test_asking_for_a_variant_that_is_not_there_names_those_that_are(bench: Bench) -> None:
    bench.image("a.png")
    report = bench.check(variant("monster", "train.seed = 1"))
    with pytest.raises(LabError, match="variants: monster"):
        report.setup("munster")


# --- speed --------------------------------------------------------------------------------------------------------


def test_importing_the_check_loads_nothing_heavy() -> None:
    heavy = ("numpy", "PIL", "tokenizers", "rich", "torch", "transformers", "diffusers", "textual")
    code = f"import sys, loratui.lab.check.check; print([m for m in {heavy!r} if m in sys.modules])"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


def test_a_dataset_outside_of_its_project_is_said_before_its_pictures_are_in_a_report(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    own = Bench(tmp_path / "mine", tokenizer)
    own.image("private.png")
    project = Bench(tmp_path / "strangers", tokenizer)
    project.image("a.png")
    assert rules(project.check()) == []
    for path in ("../mine/dataset", str(tmp_path / "mine" / "dataset")):
        finding = only(project.check(f'[dataset]\npath = "{path}"\n'), "dataset-outside")
        assert (finding.severity, finding.where) == ("warning", "dataset.path")
        assert finding.message.startswith(f"{tmp_path / 'mine' / 'dataset'} lies outside of the project")
    (tmp_path / "strangers" / "linked").symlink_to(tmp_path / "mine" / "dataset")
    only(project.check('[dataset]\npath = "linked"\n'), "dataset-outside")
    variant = project.check('[[variant]]\nname = "theirs"\ndataset = "../mine/dataset"\n')
    assert "theirs: dataset.path" in [finding.where for finding in variant.findings]
