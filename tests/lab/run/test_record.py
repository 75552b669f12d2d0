"""The frozen record holds everything a run depends on, and comes back from disk as it went in."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.models import model_hash
from loratui.lab.project.project import load_project
from loratui.lab.run.record import Record, output_name, read_record, readable_runs
from loratui.lab.run.runs import RunFolder, create_run
from loratui.lab.run.starting import examined
from loratui.lab.run.starting import new_run as started
from tests.hollow import build_hollow_model, hollow_weights
from tests.processes import new_run, write_project

SETTINGS = """
[dataset]
repeats = 2
[train]
learning_rate = 2.5e-5
checkpoint_every = 5
max_minutes = 1.5
[lora]
alpha = 3.5
[sample]
seeds = [7, 8]
width = 72
[[sample.prompt]]
text = "a [bold] shape"
expect = { colour = "gray", count = 2, background = "white" }
[[sample.prompt]]
text = "wide"
seeds = [1]
height = 248
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORATUI_CACHE", str(tmp_path / "cache"))
    return write_project(tmp_path / "shapes", build_hollow_model(tmp_path / "hollow"), SETTINGS)


@pytest.fixture
def record(project: Path) -> Record:
    return read_record(new_run(project))


def test_the_settings_come_back_as_they_were(project: Path, record: Record) -> None:
    assert record.settings == load_project(project).settings
    assert (record.project, record.question) == ("shapes", "")


def test_every_setting_is_in_the_record_whether_it_was_written_down_or_not(project: Path) -> None:
    run = new_run(project, "train.seed=3")
    settings = run.read_record()["settings"]
    assert settings["train"]["seed"] == 3
    assert settings["train"]["optimizer"] == "adamw"
    assert settings["sample"]["prompt"][0]["expect"] == {"colour": "gray", "count": 2, "background": "white"}
    assert run.read_record()["run"]["overrides"] == ["train.seed=3"]


def test_images_are_told_by_their_hashes_captions_and_sizes(project: Path, record: Record) -> None:
    assert [(i.name, i.caption, i.repeats) for i in record.images] == [
        ("circle.png", "myshape, circle", 2),
        ("square.png", "myshape, square", 2),
        ("wide.png", "myshape, wide", 2),
    ]
    for image in record.images:
        assert image.sha256 == hashlib.sha256((project / "dataset" / image.name).read_bytes()).hexdigest()
        assert Path(image.path) == project / "dataset" / image.name
        assert image.bucket == (64, 64)


def test_the_plan_is_that_of_the_check(project: Path, record: Record) -> None:
    _, report = examined(load_project(project))
    assert report.plan is not None
    assert record.plan.arithmetic == report.plan.arithmetic
    assert record.plan.total_steps == 3 * 2 * 10


def test_a_run_of_an_examined_project_has_the_same_record(project: Path) -> None:
    loaded = load_project(project)
    run = started(loaded, *examined(loaded), ())
    other = new_run(project)
    assert run.read_record() == other.read_record()
    assert run.read_captions() == other.read_captions()
    assert run.path.is_absolute()


def test_the_base_model_is_told_by_the_hashes_of_its_parts(project: Path, record: Record) -> None:
    assert record.hashes == model_hash(record.model)
    assert (record.model.family, record.resolution, record.align) == ("sd1", 64, 16)
    hollow = record.model.path
    before = (record.base_hash, record.vae_hash, record.encoder_hash)
    (hollow / "unet/diffusion_pytorch_model.safetensors").write_bytes(hollow_weights("other weights"))
    unet = read_record(new_run(project))
    assert unet.base_hash != before[0]
    assert (unet.vae_hash, unet.encoder_hash) == before[1:]  # cached latents and captions stay good
    (hollow / "text_encoder/model.safetensors").write_bytes(hollow_weights("other encoder"))
    encoder = read_record(new_run(project))
    assert encoder.encoder_hash != before[2]
    assert encoder.vae_hash == before[1]


def test_versions_and_the_machine_are_in_it(project: Path) -> None:
    content = new_run(project).read_record()
    assert {"loratui", "python", "torch", "diffusers", "peft"} <= set(content["versions"])
    assert "" not in content["versions"].values()
    assert content["machine"]["cores"] > 0


def test_prompts_are_drawn_in_sizes_that_the_model_can_draw(record: Record) -> None:
    first, second = record.prompts
    assert (first.width, first.height) == (64, 64)  # 72 asked for; no height: the training resolution
    assert (second.width, second.height) == (64, 256)
    assert (first.seeds, second.seeds) == ((7, 8), (1,))


def test_without_prompts_the_captions_are_drawn(tmp_path: Path, project: Path) -> None:
    bare = write_project(tmp_path / "bare", tmp_path / "hollow")
    assert [p.text for p in read_record(new_run(bare)).prompts] == [
        "myshape, circle",
        "myshape, square",
        "myshape, wide",
    ]


def test_a_lora_is_named_after_its_project_and_step(record: Record) -> None:
    assert output_name(record, 750) == "shapes-000750"


def test_text_of_any_kind_is_recorded_as_it_is(project: Path) -> None:
    caption = 'a "quote", \\ back\x1b[31m, \u202e灰色 \U0001f600\ttab'
    (project / "dataset/circle.txt").write_text(caption, encoding="utf-8")
    assert read_record(new_run(project)).images[0].caption == caption


def test_text_that_is_no_unicode_is_refused_and_leaves_no_run(tmp_path: Path, project: Path) -> None:
    folder = write_project(tmp_path / "odd\udcff", tmp_path / "hollow")
    loaded = load_project(folder)
    with pytest.raises(LabError, match="not Unicode"):
        started(loaded, *examined(loaded), ())
    assert list((folder / "runs").iterdir()) == []


def test_a_project_with_errors_gets_no_run(project: Path) -> None:
    (project / "dataset/circle.png").write_bytes(b"no picture")
    loaded = load_project(project)
    with pytest.raises(LabError, match="mend the errors"):
        started(loaded, *examined(loaded), ())
    assert not (project / "runs").exists()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("run.toml", "[model]", "[mode]"),
        ("run.toml", 'family = "sd1"', ""),
        ("run.toml", "[settings.train]", "[settings.trai]"),
        ("run.toml", "rank = 8", 'rank = "eight"'),
        ("run.toml", "[model.sha256]", "[model.sha]"),
        ("captions.toml", "sha256", "sha"),
        ("captions.toml", "64,", ""),
        ("captions.toml", "repeats = 2", 'repeats = "two"'),
        ("captions.toml", "[[image]]", "[image"),
    ],
)
def test_a_record_that_was_damaged_is_refused_and_named(project: Path, file: str, old: str, new: str) -> None:
    run = new_run(project)
    text = (run.path / file).read_text(encoding="utf-8")
    assert old in text
    (run.path / file).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(LabError, match=file.replace(".", r"\.")):
        read_record(run)


def test_a_folder_that_is_no_run_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="never frozen"):
        read_record(create_run(tmp_path, "x"))
    with pytest.raises(LabError, match="not the folder of a run"):
        read_record(RunFolder(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("key", "odd"),
    [("caption", 5), ("caption", []), ("name", 1), ("sha256", math.inf), ("sha256", "no hash"), ("path", []),
     ("path", "a\0b"), ("repeats", math.inf), ("repeats", 0), ("repeats", True), ("bucket", [64]), ("bucket", [0, 64])],
)  # fmt: skip
def test_an_image_that_no_run_could_have_is_told_with_its_number(tmp_path: Path, key: str, odd: object) -> None:
    run = create_run(tmp_path, "a")
    image = {"name": "1.png", "path": "/1.png", "sha256": "0" * 64, "caption": "a", "repeats": 1, "bucket": [64, 64]}
    run.freeze({}, [image, {**image, key: odd}])
    with pytest.raises(LabError) as refused:
        run.read_captions()
    assert str(refused.value).startswith(f"{run.captions_file}: damaged: image 2: {key}")
    assert str(refused.value).endswith("; start a new run")


@pytest.mark.parametrize(
    ("table", "key", "odd"),
    [("model", "align", []), ("model", "align", 0), ("model", "resolution", math.nan), ("model", "name", 5),
     ("model", "sha256", {"unet": 5}), ("run", "project", 7), ("run", "overrides", "x"), ("run", "project_file", []),
     ("settings", "question", 1)],
)  # fmt: skip
def test_a_record_that_no_run_could_have_is_told_with_its_key(
    tmp_path: Path, table: str, key: str, odd: object
) -> None:
    run = create_run(tmp_path, "a")
    run.freeze({table: {key: odd}}, [])
    with pytest.raises(LabError) as refused:
        run.read_record()
    assert str(refused.value).startswith(f"{run.record_file}: damaged: {table}.{key}")


def test_one_damaged_record_does_not_blind_the_others(project: Path) -> None:
    one, other = new_run(project), new_run(project)
    one.captions_file.write_text("image = 1\n", encoding="utf-8")
    problems: list[str] = []
    assert readable_runs([one, other], problems) == [other]
    assert problems == [
        f"{one.id} is left out: {one.captions_file}: damaged: image is no list of tables; start a new run"
    ]
