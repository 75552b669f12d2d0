"""project.toml as people write it, break it and override it: what is read, and the line each message names."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from loratui.lab.errors import LabError
from loratui.lab.places import line_at, lines_of
from loratui.lab.project import Project, load_project, settings_with, variant_caption, variant_settings
from loratui.lab.settings import Prompt, Settings, changed_keys

EXAMPLE = """\
question = "Three grey shapes, one tag: what is learned first?"

[base]
model = "tinyworld"                # or a diffusers folder, a .safetensors checkpoint, a hub id

[dataset]
path = "dataset"
repeats = 25

[lora]
rank = 8
alpha = 8

[train]
epochs = 10                        # 3 images x 25 repeats x 10 epochs / batch 1 = 750 steps
batch_size = 1
learning_rate = 1e-4
seed = 0

[sample]
every = "epoch"
seeds = [1, 2, 3, 4]
inference_steps = [1, 25]          # the first denoising step is worth looking at
[[sample.prompt]]
text = "myshape"
expect = { colour = "gray", shape = "circle", background = "white" }

[[variant]]
name = "monster"
replace_tags = { myshape = "monster" }
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, so that messages begin with `project.toml`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str | bytes, *overrides: str) -> Project:
    Path("project.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    return load_project(Path("project.toml"), overrides)


def refusal(text: str | bytes, *overrides: str) -> list[str]:
    with pytest.raises(LabError) as refused:
        read(text, *overrides)
    return str(refused.value).splitlines()


def changed(project: Project) -> dict[str, Any]:
    return {key: new for key, (_, new) in changed_keys(Settings(), project.settings).items()}


# --- reading ------------------------------------------------------------------------------------------------------


def test_the_example_of_the_design_is_read(home: Path) -> None:
    project = read(EXAMPLE)
    assert changed(project) == {
        "question": "Three grey shapes, one tag: what is learned first?",
        "dataset.repeats": 25,
        "lora.alpha": 8.0,
        "sample.inference_steps": [1, 25],
        "sample.prompt": [
            {"text": "myshape", "expect": {"colour": "gray", "shape": "circle", "background": "white"}}
        ],
    }
    assert [variant.name for variant in project.variants] == ["monster"]
    assert project.name == home.name
    assert project.dataset_folder() == project.folder / "dataset"


def test_a_folder_stands_for_the_project_in_it(home: Path) -> None:
    read(EXAMPLE)
    assert load_project(home).settings == load_project(Path("project.toml")).settings
    assert load_project(Path(".")).name == home.name


def test_base_and_dataset_alone_make_a_project(home: Path) -> None:
    assert read('[base]\nmodel = "tinyworld"\n[dataset]\npath = "pictures"\n').settings.dataset.path == "pictures"


def test_a_file_of_another_name_names_its_project(home: Path) -> None:
    Path("grey.toml").write_text(EXAMPLE)
    assert load_project(Path("grey.toml")).name == "grey"


def test_windows_line_ends_and_a_byte_order_mark_are_read(home: Path) -> None:
    expected = read(EXAMPLE).settings
    assert read(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode()).settings == expected


# --- files that cannot be read ------------------------------------------------------------------------------------


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


# --- lines --------------------------------------------------------------------------------------------------------

LINES = """\
# a comment with [brackets] and = signs
first = 1 # and one behind
"quoted.key".'second' = \"\"\"
[not a table]
not_a_key = 1 \\\""" \"\"\"\"\"
dotted.one.two = 3

[table] # comment ]
list = [ 1, # one
  "]", # two
  { a = 2, b.c = [3,
    4] }, ''' "
'''', 1979-05-27 07:32:00 ]
literal = 'C:\\'
empty = []
nothing = {}

[[outer.array]]
key = "first"
[outer.array.below]
deep = 1
[[outer.array.inner]]
x = 1
[[outer.array]]
key = "second"
[[outer.array.inner]]
x = 2
[[outer.array.inner]]
x = 3
[ outer . "other" ]
last = 9"""


@pytest.mark.parametrize("text", [LINES, LINES.replace("\n", "\r\n")])
def test_the_line_of_every_key_is_known(text: str) -> None:
    tomllib.loads(text)
    lines = lines_of(text)
    assert {path: line for path, line in lines.items() if path[-1] not in ("outer",)} == {
        ("first",): 2,
        ("quoted.key",): 3,
        ("quoted.key", "second"): 3,
        ("dotted",): 6,
        ("dotted", "one"): 6,
        ("dotted", "one", "two"): 6,
        ("table",): 8,
        ("table", "list"): 9,
        ("table", "list", 0): 9,
        ("table", "list", 1): 10,
        ("table", "list", 2): 11,
        ("table", "list", 2, "a"): 11,
        ("table", "list", 2, "b"): 11,
        ("table", "list", 2, "b", "c"): 11,
        ("table", "list", 2, "b", "c", 0): 11,
        ("table", "list", 2, "b", "c", 1): 12,
        ("table", "list", 3): 12,
        ("table", "list", 4): 13,
        ("table", "literal"): 14,
        ("table", "empty"): 15,
        ("table", "nothing"): 16,
        ("outer", "array"): 18,
        ("outer", "array", 0): 18,
        ("outer", "array", 0, "key"): 19,
        ("outer", "array", 0, "below"): 20,
        ("outer", "array", 0, "below", "deep"): 21,
        ("outer", "array", 0, "inner"): 22,
        ("outer", "array", 0, "inner", 0): 22,
        ("outer", "array", 0, "inner", 0, "x"): 23,
        ("outer", "array", 1): 24,
        ("outer", "array", 1, "key"): 25,
        ("outer", "array", 1, "inner"): 26,
        ("outer", "array", 1, "inner", 0): 26,
        ("outer", "array", 1, "inner", 0, "x"): 27,
        ("outer", "array", 1, "inner", 1): 28,
        ("outer", "array", 1, "inner", 1, "x"): 29,
        ("outer", "other"): 30,
        ("outer", "other", "last"): 31,
    }


def test_what_is_not_written_is_placed_with_what_holds_it() -> None:
    lines = lines_of("[[variant]]\nname = 'a'\n")
    assert line_at(lines, ("variant", 0, "train", "epochs")) == 1
    assert line_at(lines, ("lora", "rank")) is None


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [leaf for key, item in inner for leaf in leaves(item, (*path, key))]


@pytest.mark.parametrize("text", [EXAMPLE, LINES])
def test_no_key_that_tomllib_reads_is_without_a_line(text: str) -> None:
    assert set(leaves(tomllib.loads(text))) == set(lines_of(text))


def test_every_problem_is_reported_with_its_line_in_the_order_of_the_file(home: Path) -> None:
    text = EXAMPLE.replace("learning_rate", "lerning_rate").replace("rank = 8", 'rank = "8"')
    text = text.replace('"monster"\nreplace_tags', '"mon/ster"\nreplace_tag').replace("colour", "color")
    assert refusal(text.replace("\n", "\r\n")) == [
        'project.toml:11: lora.rank: expected a whole number from 1 to 4096, got "8"; write it without the quotes',
        "project.toml:17: train.lerning_rate: unknown key; did you mean learning_rate?",
        "project.toml:26: sample.prompt.expect.color: unknown expectation; did you mean colour?",
        "project.toml:29: variant.name: expected a name of at most 64 letters, digits, dots, dashes and underscores, "
        'got "mon/ster"',
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


# --- settings that contradict each other --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "keys"),
    [
        ("[train]\nepochs = 3\nsteps = 50\n", 3, "train.steps and train.epochs"),
        (
            "[train]\ntext_encoder_learning_rate = 1e-5\n",
            2,
            "train.text_encoder_learning_rate and lora.text_encoder",
        ),
        ("[dataset]\nkeep_tags = 1\n", 2, "dataset.keep_tags and dataset.shuffle_tags"),
        ("[dataset]\nbuckets = false\nbucket_step = 64\n", 3, "dataset.bucket_step and dataset.buckets"),
        ('[train]\noptimizer = "prodigy"\n', 2, "train.optimizer and train.learning_rate"),
    ],
)
def test_a_contradiction_names_both_settings(home: Path, text: str, line: int, keys: str) -> None:
    (said,) = refusal(text)
    assert said.startswith(f"project.toml:{line}: {keys}: ")


@pytest.mark.parametrize(
    "text",
    [
        "[train]\nepochs = 3\nsteps = 0\n",
        "[train]\nsteps = 50\n",
        "[train]\ntext_encoder_learning_rate = 1e-5\n[lora]\ntext_encoder = true\n",
        "[dataset]\nkeep_tags = 1\nshuffle_tags = true\n",
        "[dataset]\nkeep_tags = 0\nshuffle_tags = false\n",
        '[train]\noptimizer = "prodigy"\nlearning_rate = 1\n',
    ],
)
def test_settings_that_agree_are_left_alone(home: Path, text: str) -> None:
    read(text)


def test_prodigy_asks_for_the_text_encoders_rate_only_when_it_is_trained(home: Path) -> None:
    text = '[train]\noptimizer = "prodigy"\nlearning_rate = 1\n[lora]\ntext_encoder = true\n'
    assert "train.optimizer and train.text_encoder_learning_rate" in refusal(text)[0]


def test_no_contradiction_is_concluded_from_a_value_that_was_refused(home: Path) -> None:
    assert refusal('[dataset]\nkeep_tags = 1\nshuffle_tags = "yes"\n') == [
        'project.toml:3: dataset.shuffle_tags: expected true or false, got "yes"'
    ]


# --- overrides ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("train.epochs=2", "train.epochs", 2),
        (" train.epochs = 2 ", "train.epochs", 2),
        ("train.learning_rate=1e-3", "train.learning_rate", 0.001),
        ("sample.seeds=[1,2]", "sample.seeds", [1, 2]),
        ("base.model=foo", "base.model", "foo"),
        ("base.model='foo bar'", "base.model", "foo bar"),
        ("base.model=1.5", "base.model", "1.5"),
        ("base.model=org/name", "base.model", "org/name"),
        ("dataset.path=../other=x", "dataset.path", "../other=x"),
        ("dataset.trigger=", "dataset.trigger", ""),
        ("dataset.trigger=a\nb = 1", "dataset.trigger", "a\nb = 1"),
        ("sample.every=never", "sample.every", "never"),
        ("sample.every=25", "sample.every", 25),
        ("dataset.flip=true", "dataset.flip", True),
        ("question=What is learned?", "question", "What is learned?"),
        ('sample.prompt=[{text = "a"}]', "sample.prompt", [{"text": "a"}]),
    ],
)
def test_an_override_wins_over_the_file(home: Path, override: str, key: str, value: object) -> None:
    from loratui.lab.settings import flat

    assert flat(read(EXAMPLE, override).settings)[key] == value


def test_of_two_overrides_the_later_wins(home: Path) -> None:
    assert read(EXAMPLE, "train.epochs=2", "train.epochs=3").settings.train.epochs == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.lerning_rate=1", "train.lerning_rate: unknown key; did you mean learning_rate?"),
        ("train.epochs=x", 'train.epochs: expected a whole number from 1 to 1000000, got "x"'),
        ("train.epochs=1\nx = 2", "train.epochs: expected a whole number from 1 to 1000000"),
        ("sample.seeds=1", "sample.seeds: expected a list of whole numbers 0 or more, got 1; write [1]"),
        ("rank=4", "rank: unknown key; rank belongs to [lora]"),
        ("train=4", "train: this is a table; name one of its keys, such as train.epochs"),
        ("variant.name=a", "variant.name: only settings can be overridden; change variant in the file"),
        ("train.epochs", "expected KEY=VALUE, such as train.epochs=2"),
        ("=2", "expected KEY=VALUE, such as train.epochs=2"),
        ("base.model=\udcff", 'base.model: expected a name or path, got "\\udcff"'),
    ],
)
def test_an_override_that_does_not_fit_is_refused_in_its_own_words(home: Path, override: str, message: str) -> None:
    (said,) = refusal(EXAMPLE, override)
    shown = override.replace("\n", "\\n").replace("\udcff", "\\udcff")
    assert said.startswith(f"--set {shown}: {message}")


def test_problems_of_file_and_overrides_come_together(home: Path) -> None:
    assert [line.split(": ")[0] for line in refusal("[lora]\nrank = 0\n", "train.epochs=0", "x=1")] == [
        "project.toml:2",
        "--set train.epochs=0",
        "--set x=1",
    ]


def test_an_override_wins_over_what_contradicts_it_in_the_file(home: Path) -> None:
    by_epochs, by_steps = "[train]\nepochs = 3\n", "[train]\nsteps = 50\n"
    assert changed(read(by_epochs, "train.steps=20")) == {"train.steps": 20}
    assert changed(read(by_steps, "train.epochs=2")) == {"train.epochs": 2}
    assert changed(read(by_epochs, "train.steps=0")) == {"train.epochs": 3}
    assert changed(read("[train]\nepochs = 3\nsteps = 50\n", "train.steps=20")) == {"train.steps": 20}
    encoder = "[lora]\ntext_encoder = true\n[train]\ntext_encoder_learning_rate = 1e-5\n"
    assert changed(read(encoder, "lora.text_encoder=false")) == {}


def test_overrides_that_contradict_each_other_or_cannot_win_are_refused(home: Path) -> None:
    (said,) = refusal(EXAMPLE, "train.steps=20", "train.epochs=3")
    assert said.startswith("--set train.steps=20: train.steps and train.epochs: ")
    (said,) = refusal("[dataset]\nshuffle_tags = false\n", "dataset.keep_tags=1")
    assert said.startswith("--set dataset.keep_tags=1: dataset.keep_tags and dataset.shuffle_tags: ")


# --- variants, claims, matrix -------------------------------------------------------------------------------------

VARIANTS = """\
[train]
epochs = 10

[[variant]]
name = "plain"

[[variant]]
name = "short"
train.steps = 30
dataset = "other"
[variant.lora]
rank = 2
[[variant.sample.prompt]]
text = "monster"

[[variant]]
name = "tags"
replace_tags = { myshape = "monster", red = "dark red, warm" }
drop_tags = ["white background"]
add_tags = ["shape"]
dataset = { caption_extension = ".caption" }
"""


def test_a_variant_is_the_project_with_its_own_settings_over_it(home: Path) -> None:
    project = read(VARIANTS)
    plain, short, tags = project.variants
    assert variant_settings(project, plain) == project.settings
    assert {key: new for key, (_, new) in changed_keys(Settings(), variant_settings(project, short)).items()} == {
        "train.steps": 30,
        "dataset.path": "other",
        "lora.rank": 2,
        "sample.prompt": [{"text": "monster"}],
    }
    assert variant_settings(project, short).sample.prompt == (Prompt("monster"),)
    assert variant_settings(project, tags).dataset.caption_extension == ".caption"
    assert project.dataset_folder(variant_settings(project, short)) == project.folder / "other"


def test_overrides_win_over_variants_too(home: Path) -> None:
    project = read(VARIANTS, "train.epochs=2", "lora.rank=64")
    settings = variant_settings(project, project.variants[1])
    assert (settings.train.steps, settings.train.epochs, settings.lora.rank) == (0, 2, 64)
    assert settings.dataset.path == "other"


def test_a_variant_changes_whole_tags_of_captions(home: Path) -> None:
    plain, _, tags = read(VARIANTS).variants
    assert variant_caption("myshape,red ,  white background", tags) == "monster, dark red, warm, shape"
    assert variant_caption("myshapes, MYSHAPE, shape", tags) == "myshapes, MYSHAPE, shape"
    assert variant_caption(" odd ,, spacing", plain) == " odd ,, spacing"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[[variant]]\nadd_tags = []\n", 1, 'variant item 1: a variant needs a name, such as name = "monster"'),
        ("[[variant]]\nname = ''\n", 2, "variant.name: expected a name of at most 64 letters"),
        ("[[variant]]\nname = '..'\n", 2, "variant.name: expected a name"),
        ("[[variant]]\nname = '-a'\n", 2, "variant.name: expected a name"),
        ("[[variant]]\nname = 'a'\n[[variant]]\nname = 'A'\n", 4, 'variant.name: "A" names an earlier variant already'),
        ("[variant]\nname = 'a'\n", 1, "variant: expected [[variant]] tables, with double brackets, got a single"),
        ("variant = ['a']\n", 1, "variant item 1: expected a table"),
        ("[[variant]]\nname = 'a'\ntrain.epoch = 1\n", 3, "variant.train.epoch: unknown key; did you mean epochs?"),
        ("[[variant]]\nname = 'a'\nrank = 1\n", 3, "variant.rank: unknown key; rank belongs to [lora]"),
        ("[[variant]]\nname = 'a'\n[variant.lora]\nrank = 0\n", 4, "variant.lora.rank: expected a whole number"),
        ("[[variant]]\nname = 'a'\nreplace_tags = 'b'\n", 3, "variant.replace_tags: expected a table"),
        ("[[variant]]\nname = 'a'\nreplace_tags = { b = 1 }\n", 3, "variant.replace_tags.b: expected the new tag"),
        ("[[variant]]\nname = 'a'\nreplace_tags.b = ' '\n", 3, "variant.replace_tags.b: the new tag is empty"),
        ("[[variant]]\nname = 'a'\nreplace_tags = {'b, c' = 'd'}\n", 3, '"b, c" holds a comma'),
        ("[[variant]]\nname = 'a'\ndrop_tags = 'b'\n", 3, "variant.drop_tags: expected a list of strings, got"),
        ("[[variant]]\nname = 'a'\ndrop_tags = [\n'b',\n'']\n", 5, "variant.drop_tags item 2: the tag is empty"),
        (
            "[[variant]]\nname = 'a'\ndrop_tags = ['b']\nreplace_tags.b = 'c'\n",
            4,
            'variant.replace_tags: "b" is in drop_tags too; keep it in one',
        ),
        (
            "[[variant]]\nname = 'a'\ntrain.steps = 5\ntrain.epochs = 5\n",
            3,
            "train.steps and train.epochs: both say how long the run is",
        ),
        ("[[variant]]\nname = 'a'\ndataset.keep_tags = 5\n", 3, "dataset.keep_tags and dataset.shuffle_tags"),
        ("[[claim]]\nexpectation = 'a'\n", 1, "claim item 1: a claim needs a text"),
        ("[[claim]]\ntext = 3\n", 2, "claim.text: expected a string, got 3; write it in quotes"),
        ("[[claim]]\ntext = 'a'\nexpect = 'b'\n", 3, "claim.expect: unknown key; did you mean expectation?"),
        ("[[claim]]\ntext = 'a'\nexpectation = 3\n", 3, "claim.expectation: expected a string or a table, got 3"),
        ("matrix = 3\n", 1, "matrix: expected a table"),
        ("[matrix]\ntrain.epoch = [1]\n", 2, "matrix.train.epoch: unknown key; did you mean epochs?"),
        ("[matrix]\ntrain.epochs = 3\n", 2, "matrix.train.epochs: expected a list of the values to try, got 3"),
        ("[matrix]\ntrain.epochs = []\n", 2, "expected a list of the values to try, got an empty list"),
        ("[matrix]\n'train.epochs' = [\n1,\n0]\n", 4, 'matrix."train.epochs" item 2: expected a whole number'),
        ("[matrix]\ntrain.epochs = [1, 1]\n", 2, "matrix.train.epochs item 2: 1 is in the list already"),
        ("[matrix]\nsample.seeds = [1]\n", 2, "expected a list of whole numbers 0 or more, got 1; write [1]"),
        ("[matrix]\ntrain.steps = [0, 9]\ntrain.epochs = [3]\n", 2, "train.steps and train.epochs: both"),
    ],
)
def test_what_is_wrong_around_the_settings_is_said_with_its_line(
    home: Path, text: str, line: int, message: str
) -> None:
    (said,) = refusal(text)
    assert said.startswith(f"project.toml:{line}: ")
    assert message in said


def test_a_contradiction_of_the_project_is_not_repeated_for_each_variant(home: Path) -> None:
    assert len(refusal(VARIANTS.replace("epochs = 10", "epochs = 10\nsteps = 3"))) == 1


def test_claims_and_matrix_are_kept(home: Path) -> None:
    project = read(
        "[[claim]]\ntext = 'grey is learned'\nexpectation = { colour = 'gray', rate = [0.5, 1] }\n"
        "[[claim]]\ntext = 'edges blur'\nexpectation = 'soft edges'\n[[claim]]\ntext = 'bare'\n"
        "[matrix]\n'train.steps' = [10, 100]\nlora.rank = [4, 8]\nsample.seeds = [[1], [1, 2]]\n"
    )
    assert [(claim.text, claim.expectation) for claim in project.claims] == [
        ("grey is learned", {"colour": "gray", "rate": [0.5, 1]}),
        ("edges blur", "soft edges"),
        ("bare", None),
    ]
    assert project.matrix == {
        "train.steps": (10, 100),
        "lora.rank": (4, 8),
        "sample.seeds": ((1,), (1, 2)),
    }
    cell = settings_with(project, {"train.steps": 100, "sample.seeds": (1, 2)})
    assert (cell.train.steps, cell.lora.rank, cell.sample.seeds) == (100, 8, (1, 2))


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


def test_messages_reach_the_command_line_as_plain_text(home: Path) -> None:
    """A name chosen to clear the screen stays visible as the characters it is made of."""
    (said,) = refusal('[train]\n"\\u001b[2J\\u202e" = 1\n')
    assert said.isprintable()
    code = "import sys; from loratui.lab.project import load_project; load_project(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, "."], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == f"loratui.lab.errors.LabError: {said}"
