"""project.toml as people write it and break it: what is read, and the line each message names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.project import load_project
from tests.projects import EXAMPLE, VARIANTS, changed, read, refusal


def test_the_example_of_the_design_is_read(home: Path) -> None:
    project = read(EXAMPLE)
    assert changed(project) == {
        "question": "Three grey shapes, one tag: what is learned first?",
        "dataset.repeats": 25,
        "lora.alpha": 8.0,
        "sample.inference_steps": [1, 25],
        "sample.prompt": [{"text": "myshape", "expect": {"colour": "gray", "shape": "circle", "background": "white"}}],
    }
    assert [variant.name for variant in project.variants] == ["monster"]
    assert project.name == home.name
    assert project.dataset_folder() == project.folder / "dataset"


def test_a_folder_stands_for_the_project_in_it(home: Path) -> None:
    read(EXAMPLE)
    assert load_project(home).settings == load_project(Path("project.toml")).settings
    assert load_project(Path()).name == home.name


def test_base_and_dataset_alone_make_a_project(home: Path) -> None:
    assert read('[base]\nmodel = "tinyworld"\n[dataset]\npath = "pictures"\n').settings.dataset.path == "pictures"


def test_a_file_of_another_name_names_its_project(home: Path) -> None:
    Path("grey.toml").write_text(EXAMPLE)
    assert load_project(Path("grey.toml")).name == "grey"


def test_windows_line_ends_and_a_byte_order_mark_are_read(home: Path) -> None:
    expected = read(EXAMPLE).settings
    assert read(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode()).settings == expected


def test_a_missing_file_and_a_folder_without_a_project_are_said(home: Path) -> None:
    with pytest.raises(LabError, match=r"^nowhere/project\.toml: there is no such file"):
        load_project(Path("nowhere/project.toml"))
    Path("empty").mkdir()
    with pytest.raises(LabError, match=r"^empty: there is no project\.toml in this folder"):
        load_project(Path("empty"))
    with pytest.raises(LabError, match="cannot be read"):
        load_project(Path("a\x00b"))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file_is_said_to_be_empty(home: Path, text: str) -> None:
    assert refusal(text) == [
        'project.toml: nothing is written in it; the least is [dataset] with path = "a folder of images"'
    ]


def test_text_that_is_not_utf8_is_refused_with_its_line(home: Path) -> None:
    assert refusal('[base]\nmodel = "größe"\n'.encode("latin-1")) == [
        "project.toml:2: byte 0xf6 is not UTF-8; save the file with UTF-8 encoding"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nepochs 3\n", "project.toml:2: not valid TOML at column 8: Expected '=' after a key"),
        ('[train]\nx = "open\n', "project.toml:2: not valid TOML at column 10"),
        ("[train]\nepochs = ", "project.toml:2: not valid TOML at the end of the file: Invalid value"),
        ("[train]\nseed = 1\n\n[train]\nseed = 2\n", "project.toml:4: not valid TOML at column"),
        ("a = " + "[" * 5000, "project.toml: the brackets are nested too deeply"),
        ("[train]\nseed = " + "9" * 5000, "project.toml: not valid TOML: Exceeds the limit"),
    ],
)
def test_broken_toml_is_refused_with_its_line(home: Path, text: str, message: str) -> None:
    (said,) = refusal(text)
    assert said.startswith(message)


def test_every_problem_is_reported_with_its_line_in_the_order_of_the_file(home: Path) -> None:
    text = EXAMPLE.replace("learning_rate", "lerning_rate").replace("rank = 8", 'rank = "8"')
    text = text.replace('"monster"\nreplace_tags', '"a/b"\nreplace_tag').replace("colour", "color")
    assert refusal(text.replace("\n", "\r\n")) == [
        'project.toml:11: lora.rank: expected a whole number from 1 to 4096, got "8"; write it without the quotes',
        "project.toml:17: train.lerning_rate: unknown key; did you mean learning_rate?",
        "project.toml:26: sample.prompt.expect.color: unknown expectation; did you mean colour?",
        'project.toml:29: variant.name: expected up to 64 letters, digits, dots, dashes and underscores, got "a/b"',
        "project.toml:30: variant.replace_tag: unknown key; did you mean replace_tags?",
    ]


def test_the_second_of_two_prompts_is_named_by_its_own_line(home: Path) -> None:
    text = '[[sample.prompt]]\ntext = "a"\n\n[[sample.prompt]]\ntext = "b"\nseeds = [\n  1,\n  -1,\n]\n'
    assert refusal(text) == ["project.toml:8: sample.prompt.seeds item 2: expected a whole number 0 or more, got -1"]
    assert refusal('[sample]\nprompts = [\n  "a",\n  "b --q 1",\n]\n')[0].startswith(
        'project.toml:4: sample.prompts item 2: unknown option "--q"'
    )


def test_dotted_and_inline_keys_have_lines_too(home: Path) -> None:
    assert refusal("\ntrain.epochs = 0\nlora = { rnk = 8 }\n") == [
        "project.toml:2: train.epochs: expected a whole number from 1 to 1000000, got 0",
        "project.toml:3: lora.rnk: unknown key; did you mean rank?",
    ]


def test_no_project_however_broken_ends_in_a_traceback(home: Path) -> None:
    """Each value of a full project is put in the place of each other one."""
    odd = ["true", "-1", "nan", "1e999", '""', "[]", "[[]]", "{}", "[{}]", "1979-05-27", '"\\u0000"', "0x" + "f" * 99]
    lines = (EXAMPLE + VARIANTS.partition("\n\n")[2] + "[[claim]]\ntext = 'a'\n[matrix]\nlora.rank = [1]\n").split("\n")
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        for value in odd if equals else ():
            text = "\n".join([*lines[:number], f"{key} = {value}", *lines[number + 1 :]])
            try:
                read(text)
            except LabError as refused:
                assert all(said.startswith(f"project.toml:{number + 1}: ") for said in str(refused).splitlines()[:1])


@pytest.mark.parametrize("depth", range(5, 500, 45))
@pytest.mark.parametrize(
    ("before", "opening", "closing"),
    [("sample.seeds = ", "[", "]"), ("train.seed = ", "[{a = ", "}]"), ("[matrix]\na", ".a", "")],
)
def test_no_depth_of_nesting_ends_in_a_traceback(
    home: Path, before: str, opening: str, closing: str, depth: int
) -> None:
    inner = "1" if closing else " = 1"
    (said,) = refusal(before + opening * depth + inner + closing * depth)
    assert said.startswith("project.toml:")


def test_messages_reach_the_command_line_as_plain_text(home: Path) -> None:
    """A name chosen to clear the screen stays visible as the characters it is made of."""
    (said,) = refusal('[train]\n"\\u001b[2J\\u202e" = 1\n')
    assert said.isprintable()
    code = "import sys; from loratui.lab.project.project import load_project; load_project(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, "."], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == f"loratui.lab.errors.LabError: {said}"
