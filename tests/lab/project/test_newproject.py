"""A new project is whole or not there at all, can be trained on as it is, and leaves what it is made from alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import loratui
from loratui.lab.dataset.dataset import scan_dataset
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from loratui.lab.project import newproject
from loratui.lab.project.newproject import copy_project, examples, from_example, from_images, from_nothing
from loratui.lab.project.project import load_project
from loratui.lab.project.projectnames import free_name, name_fault
from loratui.lab.project.projects import list_projects, summarise
from loratui.lab.project.settings import Settings
from loratui.lab.run.starting import examined
from tests.processes import write_project

ODD = 'what is "[red]learned[/]" ü \\ \x1b\x7f?'


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "projects"


def pictures(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (sum(name.encode()) % 256, len(name), 90)).save(file)
        file.with_suffix(".txt").write_text(f"myshape, {file.stem}\n", encoding="utf-8")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def names_on(shelf: Path) -> list[str]:
    return sorted(path.name for path in shelf.iterdir()) if shelf.is_dir() else []


# -- from nothing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["", "Three shapes: what is learned first?", ODD])
def test_a_project_from_nothing_is_in_order_and_asks_the_question(shelf: Path, question: str) -> None:
    made = from_nothing(shelf, "grey-shapes", question)
    project = load_project(made.folder)
    assert (made.folder, project.settings.question) == (shelf / "grey-shapes", question)
    assert project.settings.base.model == "tinyworld"
    assert scan_dataset(project.dataset_folder(), project.settings.dataset).images == ()
    assert "one.png" in (made.folder / "dataset" / "README.md").read_text(encoding="utf-8")
    assert names_on(shelf) == ["grey-shapes"]


def test_a_project_from_nothing_can_be_trained_on_once_images_are_in_it(shelf: Path) -> None:
    made = from_nothing(shelf, "p")
    pictures(made.folder / "dataset", "a.png", "b.png", "c.png")
    _, report = examined(load_project(made.folder))
    assert report.errors == ()
    assert report.plan is not None and report.plan.total_steps == 750
    assert "= 750 steps" in (made.folder / "project.toml").read_text(encoding="utf-8")


def test_every_setting_a_new_project_writes_down_is_explained_beside_it(shelf: Path) -> None:
    text = (from_nothing(shelf, "p").folder / "project.toml").read_text(encoding="utf-8")
    assert text.count("#") >= 10
    unlike = load_project(shelf / "p").settings
    assert unlike.lora == Settings().lora.__class__(rank=8, alpha=8)


# -- from a folder of images ------------------------------------------------------------------------------------------


def test_images_and_captions_are_copied_and_the_folder_is_left_alone(shelf: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", "a.png", "b.jpg", "c.webp")
    before = content(source)
    told: list[tuple[int, int]] = []
    made = from_images(shelf, "mine", source, copy=True, progress=lambda *at: told.append(at))
    assert content(made.folder / "dataset") == before == content(source)
    assert load_project(made.folder).settings.dataset.repeats == 25
    assert examined(load_project(made.folder))[1].errors == ()
    assert told[-1] == (3, 3)
    assert made.notes[0] == "3 images copied"


def test_many_images_get_few_repeats(shelf: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", *(f"{n}.png" for n in range(30)))
    made = from_images(shelf, "mine", source, copy=False)
    assert load_project(made.folder).settings.dataset.repeats == 2


def test_a_kohya_folder_keeps_its_repeats(shelf: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path / "kohya", "10_circle/a.png", "3_square/b.png", "3_square/c.png", "0_off/d.png")
    before = scan_dataset(source, Settings().dataset).images
    for copy in (True, False):
        made = from_images(shelf, f"copy-{copy}", source, copy=copy)
        project = load_project(made.folder)
        images = scan_dataset(project.dataset_folder(), project.settings.dataset).images
        assert [(i.name, i.repeats, i.caption) for i in images] == [(i.name, i.repeats, i.caption) for i in before]


@pytest.mark.parametrize("copy", [True, False])
def test_captions_with_another_ending_come_along(shelf: Path, tmp_path: Path, copy: bool) -> None:
    source = pictures(tmp_path / "photos", "a.png", "b.png")
    for file in source.glob("*.txt"):
        file.rename(file.with_suffix(".caption"))
    project = load_project(from_images(shelf, "mine", source, copy=copy).folder)
    images = scan_dataset(project.dataset_folder(), project.settings.dataset).images
    assert [image.caption for image in images] == ["myshape, a", "myshape, b"]


def test_pictures_that_cannot_be_copied_are_named(shelf: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", "a.png")
    (source / "broken.png").write_bytes(b"no picture")
    made = from_images(shelf, "mine", source, copy=True)
    assert made.notes[0] == "1 image copied"
    assert any("broken.png" in note for note in made.notes)
    (source / "a.png").unlink()
    with pytest.raises(LabError, match=r"none of its images could be copied\n.*broken\.png"):
        from_images(shelf, "none", source, copy=True)
    assert names_on(shelf) == ["mine"]


def test_images_can_stay_where_they_are(shelf: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path / 'odd "name" [x] ü', "a.png")
    made = from_images(shelf, "mine", source, copy=False)
    project = load_project(made.folder)
    assert project.dataset_folder() == source
    assert names_on(made.folder) == ["project.toml"]
    assert summarise(made.folder).images == 1
    assert "stay where they are" in made.notes[0]


def test_a_relative_folder_means_the_one_seen_from_here(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "photos", "a.png")
    monkeypatch.chdir(tmp_path)
    made = from_images(shelf, "mine", Path("photos"), copy=False)
    assert load_project(made.folder).dataset_folder() == tmp_path / "photos"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("missing", "there is no such folder"),
        ("photos/a.png", "give the folder it is in"),
        ("empty", "holds no images itself; put .png"),
        ("outer", 'its folder "photos" does: give that one'),
    ],
)
def test_a_folder_without_images_makes_no_project(shelf: Path, tmp_path: Path, given: str, words: str) -> None:
    pictures(tmp_path / "photos", "a.png")
    pictures(tmp_path / "outer" / "photos", "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match=words):
        from_images(shelf, "mine", tmp_path / given, copy=True)
    assert names_on(shelf) == []


def test_an_import_that_is_given_up_leaves_nothing_behind(shelf: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path / "photos", "a.png", "b.png", "c.png")

    def give_up(done: int, total: int) -> None:
        if done >= 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        from_images(shelf, "mine", source, copy=True, progress=give_up)
    assert names_on(shelf) == []


# -- from an example --------------------------------------------------------------------------------------------------


def test_examples_can_be_trained_on_without_anything_else(shelf: Path) -> None:
    found = examples()
    assert "basic-grey" in [example.name for example in found]
    for example in found:
        made = from_example(shelf, f"my-{example.name}", example.name)
        project = load_project(made.folder)
        assert project.settings.question == example.question != ""
        assert examined(project)[1].errors == ()
        assert set(content(made.folder)) <= set(content(example.folder))


def test_examples_are_found_where_a_wheel_puts_them(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(examples()[0].folder, tmp_path / "site-packages/loratui/examples/shapes",
                    ignore=shutil.ignore_patterns("runs"))  # fmt: skip
    monkeypatch.setattr(newproject, "_PACKAGE", tmp_path / "site-packages/loratui")
    assert [example.name for example in examples()] == ["shapes"]
    assert load_project(from_example(shelf, "mine", "shapes").folder)
    monkeypatch.setattr(newproject, "_PACKAGE", tmp_path / "elsewhere/loratui")
    assert examples() == []


def test_the_wheel_holds_every_example_that_the_repository_has() -> None:
    import tomllib

    root = Path(loratui.__file__).parent.parent
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    included = tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for example in examples():
        for part in ("project.toml", "dataset"):
            assert included[f"projects/{example.name}/{part}"] == f"loratui/examples/{example.name}/{part}"


def test_an_example_that_is_not_there_is_told_with_those_that_are(shelf: Path) -> None:
    with pytest.raises(LabError, match="basic-grey"):
        from_example(shelf, "mine", "basic-gray")
    assert names_on(shelf) == []


# -- as a copy --------------------------------------------------------------------------------------------------------


def test_a_copy_has_settings_comments_and_images_but_no_runs(shelf: Path) -> None:
    text = "# mine\r\nrepeats = 3 # three\n"
    source = write_project(shelf / "one", "tinyworld")
    (source / "project.toml").write_bytes(("# mine\r\n[dataset]\r\n" + text.partition("\n")[2]).encode())
    (source / "runs" / "x").mkdir(parents=True)
    (source / "runs" / "x" / "run.toml").touch()
    (source / ".loratui").mkdir()
    before = content(source)
    made = copy_project(source, shelf, "two")
    expected = {name: data for name, data in before.items() if not name.startswith(("runs", ".loratui"))}
    assert content(made.folder) == expected
    assert content(source) == before
    assert sorted(p.name for p in list_projects(shelf)) == ["one", "two"]


def test_a_copy_made_elsewhere_still_finds_what_lies_around_the_original(shelf: Path, tmp_path: Path) -> None:
    pictures(tmp_path / "photos", "a.png")
    (shelf / "one" / "model").mkdir(parents=True)
    text = '# why\n[dataset]\npath = "../../photos" # shared\n[base]\nmodel = "model"\n'
    (shelf / "one" / "project.toml").write_text(text, encoding="utf-8")
    near = copy_project(shelf / "one", shelf, "two")
    far = copy_project(shelf / "one", tmp_path / "a" / "b" / "c", "three")
    for made in (near, far):
        assert load_project(made.folder).dataset_folder().resolve() == tmp_path / "photos"
    assert load_project(near.folder).settings.dataset.path == "../../photos"
    assert load_project(far.folder).settings.base.model == str(shelf / "one" / "model")
    written = (far.folder / "project.toml").read_text(encoding="utf-8")
    assert written.startswith("# why\n") and "# shared" in written
    assert any("photos" in note for note in far.notes)


def test_the_datasets_of_variants_are_copied_too(shelf: Path) -> None:
    source = write_project(shelf / "one", "tinyworld", '[[variant]]\nname = "x"\ndataset = "other"\n')
    pictures(source / "other", "b.png")
    made = copy_project(source, shelf, "two")
    assert (made.folder / "other" / "b.png").is_file()


def test_a_broken_project_can_be_copied_to_be_mended(shelf: Path) -> None:
    source = write_project(shelf / "one", "tinyworld")
    (source / "project.toml").write_text("lora = = 1\n")
    made = copy_project(source, shelf, "two")
    assert (made.folder / "project.toml").read_text() == "lora = = 1\n"
    assert (made.folder / "dataset" / "circle.png").is_file()


def test_a_folder_without_a_project_is_not_copied(shelf: Path) -> None:
    (shelf / "runs-only" / "runs").mkdir(parents=True)
    with pytest.raises(LabError, match=r"project\.toml: cannot be copied: No such file"):
        copy_project(shelf / "runs-only", shelf, "two")
    assert names_on(shelf) == ["runs-only"]


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_what_is_no_settings_file_is_not_copied_and_said_at_once(shelf: Path, put: Callable[[Path], object]) -> None:
    (shelf / "odd").mkdir(parents=True)
    put(shelf / "odd" / "project.toml")
    with pytest.raises(LabError, match=r"project\.toml: cannot be copied: (a FIFO|a device|a folder) and no regular"):
        copy_project(shelf / "odd", shelf, "two")
    assert names_on(shelf) == ["odd"]


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grey-shapes", "Grey shapes 2", "übung", "a", "x" * 64, "形", "v1.5 (b)", "[red]"])
def test_a_name_that_is_one_folder_everywhere_will_do(shelf: Path, name: str) -> None:
    assert name_fault(name, shelf) is None
    assert from_nothing(shelf, name).folder.is_dir()
    assert "is there already" in str(name_fault(name, shelf))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "needs a name"),
        ("  ", "needs a name"),
        (" a", "begins nor ends with a space"),
        ("a.", "ends with a dot"),
        (".a", "hidden"),
        ("..", "ends with a dot"),
        ("-rf", "option"),
        ("a/b", "cannot hold /"),
        ("a\\b:c", r"cannot hold : \\"),
        ("a\x1b[31m", "nobody sees: a␛"),
        ("a\u202eb", "nobody sees"),
        ("a\u00a0b", "nobody sees"),
        ("caf\udce9", "nobody sees"),
        ("x" * 65, "at most 64"),
        ("𝓍" * 60, "at most 64"),
        ("con", "something else"),
        ("NUL.txt", "something else"),
        ("runs", "something else"),
    ],
)
def test_a_name_that_would_make_trouble_is_refused_with_what_to_do(shelf: Path, name: str, words: str) -> None:
    fault = name_fault(name, shelf)
    assert fault is not None
    assert words.replace("\\\\", "\\") in fault
    with pytest.raises(LabError):
        from_nothing(shelf, name)
    assert names_on(shelf) == []


def test_a_name_is_never_taken_twice(shelf: Path) -> None:
    from_nothing(shelf, "p", "first")
    (shelf / "dangling").symlink_to("nowhere")
    for name in ("p", "dangling"):
        with pytest.raises(LabError, match="is there already"):
            from_nothing(shelf, name, "second")
    assert load_project(shelf / "p").settings.question == "first"


@pytest.mark.parametrize(
    ("wished", "given"),
    [
        ("photos", "photos"),
        ("p", "p-2"),
        ("a/b:c", "a-b-c"),
        ("...", "project"),
        ("x" * 200, "x" * 60),
        ("con", "con-2"),
    ],
)
def test_a_free_name_is_as_near_to_the_wish_as_can_be(shelf: Path, wished: str, given: str) -> None:
    from_nothing(shelf, "p")
    assert free_name(wished, shelf) == given


def test_a_shelf_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LabError, match=r"cannot be made: Not a directory"):
        from_nothing(tmp_path / "file", "p")
