"""Editing a hand-written project.toml: what was not meant keeps its bytes, and nothing is overwritten unseen."""

from __future__ import annotations

import os
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.fieldtext import entered, toml_text
from loratui.lab.project.project import load_project
from loratui.lab.project.projectfile import FileConflict, ProjectFile, shown_text
from loratui.lab.project.settings import RULES
from tests.projects import EXAMPLE


def opened(folder: Path, text: str | bytes = EXAMPLE) -> ProjectFile:
    file = folder / "project.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return ProjectFile.open(folder)


def on_disk(folder: Path) -> str:
    return (folder / "project.toml").read_bytes().decode()


def differing(before: str, after: str) -> list[tuple[str, str]]:
    """The lines that are not alike, of two texts with as many lines."""
    pairs = zip(before.split("\n"), after.split("\n"), strict=True)
    return [(one, other) for one, other in pairs if one != other]


# --- one key ---------------------------------------------------------------------------------------------------------


def test_a_changed_value_keeps_its_comment_its_column_and_all_other_lines(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.set("train.epochs", 100)
    file.save()
    assert differing(EXAMPLE, on_disk(tmp_path)) == [
        (
            "epochs = 10                        # 3 images x 25 repeats x 10 epochs / batch 1 = 750 steps",
            "epochs = 100                       # 3 images x 25 repeats x 10 epochs / batch 1 = 750 steps",
        )
    ]
    assert load_project(tmp_path).settings.train.epochs == 100


def test_a_value_is_written_as_it_was_typed(tmp_path: Path) -> None:
    file = opened(tmp_path)
    typed = entered(RULES["train.learning_rate"], "2e-4")
    file.set("train.learning_rate", typed.value, typed.written)
    assert "learning_rate = 2e-4\n" in file.text
    assert file.get("train.learning_rate") == 2e-4


def test_a_new_key_stands_behind_the_one_before_it_in_the_schema(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.set("train.optimizer", "adamw8bit")
    assert 'learning_rate = 1e-4\noptimizer = "adamw8bit"\nseed = 0\n' in file.text


def test_unset_takes_the_line_out_and_leaves_its_comment(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.unset("train.seed")
    file.unset("train.epochs")
    assert file.text == EXAMPLE.replace("seed = 0\n", "").replace("epochs = 10                        #", "#")
    assert file.get("train.epochs") is None
    file.unset("train.epochs")  # twice is once
    assert "train" in file.document  # type: ignore[operator]


FORMS = {
    "no table": "question = 'x'\n",
    "nothing": "",
    "only a remark": "# my project\n",
    "no newline at the end": "[train]\nseed = 1",
    "dotted": "train.seed = 1\ntrain.batch_size = 2 # two\n",
    "dotted in a table": "[sample]\nevery = 'end'\n[dataset]\npath = 'd'\n",
    "inline": "train = { seed = 1, batch_size = 2 } # in one line\n",
    "empty inline": "train = {}\n",
    "indented": "[train]\n    seed = 1   \n\n    # about the batch\n    batch_size = 2\n",
    "quoted": "[\"train\"]\n'seed' = 1\n",
    "header with spaces": "[ train ] # how long\nseed=1\n",
    "sub-table only": "[[sample.prompt]]\ntext = 'a'\n",
    "before variants": "[base]\nmodel = 'm'\n\n# try this too\n[[variant]]\nname = 'v'\n[variant.train]\nepochs = 3\n",
    "table said later": "[[variant]]\nname = 'v'\n\n[train]\nseed = 1\n",
}


@pytest.mark.parametrize("key", ["train.steps", "train.seed", "question", "sample.seeds", "dataset.path"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_key_can_be_set_and_unset_whatever_form_its_table_has(
    tmp_path: Path, form: str, key: str, newline: str
) -> None:
    text = FORMS[form].replace("\n", newline)
    value: Any = {"question": "q", "sample.seeds": [7, 8], "dataset.path": "here"}.get(key, 7)
    file = opened(tmp_path, text)
    before = file.get(key)
    file.set(key, value)
    assert file.get(key) == value
    kept = [line for line in text.split(newline) if line.strip() and not line.startswith(("train = {", "train={"))]
    own = key.rpartition(".")[2]
    assert all(line in file.text.split(newline) for line in kept if own not in line)
    assert file.text.count("\r\n") == (file.text.count("\n") if newline == "\r\n" else 0) or not text
    file.unset(key)
    assert file.get(key) is None
    file.undo()
    file.undo()
    assert file.text == text and file.get(key) == before


def test_a_list_over_several_lines_keeps_the_comments_beside_its_items(tmp_path: Path) -> None:
    text = "[sample]\nseeds = [\n  1, # the circle\n  2, # the square\n]\n"
    file = opened(tmp_path, text)
    file.set("sample.seeds", [1, 5, 6])
    assert file.text == "[sample]\nseeds = [\n  1, # the circle\n  5, # the square\n  6,\n]\n"
    file.set("sample.seeds", [1])
    assert file.text == "[sample]\nseeds = [\n  1, # the circle\n]\n"


def test_what_cannot_be_seen_is_written_so_that_it_can(tmp_path: Path) -> None:
    file = opened(tmp_path)
    nasty = 'a\x1b]52;c;x\x07 "q" \\ \u202e\u200b\n\x7f'
    file.set("question", nasty)
    file.save()
    first = on_disk(tmp_path).split("\n")[0]
    assert first.isprintable()
    assert load_project(tmp_path).settings.question == nasty


def test_a_text_that_is_not_toml_takes_no_keys_and_says_so(tmp_path: Path) -> None:
    file = opened(tmp_path, "[train\nepochs = 3\n")
    with pytest.raises(LabError, match="not valid TOML"):
        file.set("train.epochs", 4)
    assert file.document is None
    assert [(fault.line, fault.text.split(":")[0]) for fault in file.problems()] == [(1, "not valid TOML at column 7")]


def test_problems_are_those_of_load_project_with_their_lines(tmp_path: Path) -> None:
    file = opened(tmp_path, "[train]\nepochs = 0\nlerning_rate = 1\n")
    assert [fault.line for fault in file.problems()] == [2, 3]
    assert "did you mean learning_rate?" in file.problems()[1].text
    assert file.problems("[train]\nepochs = 1\n") == ()


# --- the bytes of everything else ------------------------------------------------------------------------------------


def _scrawl(random_: random.Random) -> str:
    """A valid project.toml as an untidy person would write it."""
    newline = random_.choice(["\n", "\r\n"])
    text = random_.choice(["", "\ufeff"]) + random_.choice(["", "# top   ", "#\ttabs\t"]) + newline
    text += random_.choice(["", "question = 'why'   "]) + newline
    for table in random_.sample(["base", "dataset", "lora", "train", "sample"], random_.randint(1, 5)):
        text += random_.choice(["", "\t", "  "]) + f"[{table}]" + random_.choice(["", "  # about it  "]) + newline
        names = [rule.name for rule in RULES.values() if rule.table == table and not rule.read and rule.kind != "bool"]
        for name in random_.sample(names, min(len(names), random_.randint(0, 5))):
            value = toml_text(RULES[f"{table}.{name}"].default)
            gap = random_.choice(["", " ", "    "])
            text += random_.choice(["", " ", "\t"]) + f"{name}{gap}={gap}{value}"
            text += random_.choice(["", "   ", " # so", "\t# or so  "]) + newline
            text += random_.choice(["", newline, f"   {newline}", f"  # a remark{newline}"])
    return text


@pytest.mark.parametrize("seed", range(60))
def test_lines_that_an_edit_does_not_touch_keep_their_bytes(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    text = _scrawl(random_)
    file = opened(tmp_path, text)
    keys = [key for key, rule in RULES.items() if not rule.read]
    for _ in range(6):
        key = random_.choice(keys)
        before = (tmp_path / "project.toml").read_bytes().split(b"\n")
        had = file.get(key) is not None
        if had and random_.random() < 0.4:
            file.unset(key)
        else:
            file.set(key, _another(RULES[key], random_))
        file.save()
        after = (tmp_path / "project.toml").read_bytes().split(b"\n")
        name = key.rpartition(".")[2].encode()
        lost = [line for line in before if line not in after]
        assert len(lost) <= 1 and all(name in line for line in lost)
        rest = iter(after)
        assert all(line in rest for line in before if line not in lost)  # all of them, in their order
    assert (tmp_path / "project.toml").read_bytes().startswith(b"\xef\xbb\xbf") == text.startswith("\ufeff")
    while file.can_undo:
        file.undo()
    file.save()
    assert (tmp_path / "project.toml").read_bytes() == text.encode()


def _another(rule: Any, random_: random.Random) -> Any:
    if rule.kind == "bool":
        return not rule.default
    if rule.choices:
        return random_.choice(rule.choices)
    if rule.item_kind:
        return [random_.randint(0, 9), 10]
    if rule.kind == "str":
        return random_.choice(["x", 'with "quotes" # and a hash', "ünïcode"])
    return random_.randint(1, 9) if rule.kind == "int" else random_.random()


# --- prompts ---------------------------------------------------------------------------------------------------------

PROMPTS = """\
[sample]
every = "end"  # once

# the tag alone
[[sample.prompt]]
text = "myshape"
[sample.prompt.expect]
colour = "gray"

# and among others
[[sample.prompt]]
text = "myshape, red"   # a colour it never saw
seeds = [9]

[[claim]]
text = "grey is learned"
"""


def test_prompts_are_added_changed_moved_and_removed_with_their_comments(tmp_path: Path) -> None:
    file = opened(tmp_path, PROMPTS)
    file.add_prompt({"text": "circle", "seeds": [1, 2]})
    assert [prompt["text"] for prompt in file.prompts()] == ["myshape", "myshape, red", "circle"]
    assert file.text.index('text = "circle"') < file.text.index("[[claim]]")
    file.set_prompt(1, "width", 64)
    file.unset_prompt(1, "seeds")
    assert file.prompts()[1] == {"text": "myshape, red", "width": 64}
    file.move_prompt(0, 1)
    assert file.prompts()[1] == {"text": "myshape", "expect": {"colour": "gray"}}
    assert file.text.index("# and among others") < file.text.index("# the tag alone")
    file.remove_prompt(0)
    assert "among others" not in file.text and "# the tag alone" in file.text and "# once" in file.text
    for _ in range(5):
        file.undo()
    assert file.text == PROMPTS


def test_a_moved_prompt_moves_back_to_the_same_bytes(tmp_path: Path) -> None:
    file = opened(tmp_path, PROMPTS + "\n[[sample.prompt]]\ntext = 'last'")
    text = file.text
    file.move_prompt(2, 0)
    assert [prompt["text"] for prompt in file.prompts()] == ["last", "myshape", "myshape, red"]
    file.move_prompt(0, 2)
    assert file.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[sample]\n",
        "sample.every = 'end'\n",
        "sample = { every = 'end' }\n",
        "[sample]\nprompt = []\n",
        "[sample]\nprompt = [{ text = 'a' }] # one\n",
        "[sample]\nprompt = [\n  { text = 'a' }, # one\n  { text = 'b' }\n]\n",
        "[base]\nmodel = 'm'\n[[variant]]\nname = 'v'\n[[variant.sample.prompt]]\ntext = 'of the variant'\n",
    ],
)
def test_prompts_can_be_added_and_removed_in_whatever_form_they_are_written(tmp_path: Path, text: str) -> None:
    file = opened(tmp_path, text)
    before = file.prompts()
    file.add_prompt({"text": "new", "expect": {"shape": "circle"}})
    assert file.prompts() == [*before, {"text": "new", "expect": {"shape": "circle"}}]
    file.set_prompt(len(before), "seeds", [3])
    file.remove_prompt(0)
    assert [prompt["text"] for prompt in file.prompts()] == [p["text"] for p in before][1:] + ["new"] * bool(before)
    assert all(remark in file.text for remark in ("# one",) if remark in text and len(before) != 2)


# --- undo, drafts of the whole text ----------------------------------------------------------------------------------


def test_undo_and_redo_go_through_all_edits(tmp_path: Path) -> None:
    file = opened(tmp_path)
    texts = [file.text]
    for epochs in range(20, 140):
        file.set("train.epochs", epochs)
        texts.append(file.text)
    for text in reversed(texts[:-1]):
        assert file.undo() != ""
        assert file.text == text
    assert file.undo() == "" and not file.can_undo
    for text in texts[1:]:
        file.redo()
        assert file.text == text
    file.undo()
    file.set("train.seed", 5)
    assert not file.can_redo


def test_an_editor_gives_back_untouched_lines_with_their_line_ends_and_hidden_characters(tmp_path: Path) -> None:
    text = "\ufeff[train]\r\nepochs = 3 # \u202ehidden\u200b\r\n\tseed = 1  \nbatch_size = 2"
    file = opened(tmp_path, text)
    shown = shown_text(file.text)
    assert all(part.isprintable() for line in shown.split("\n") for part in line.split("\t"))
    file.replace_text(shown)
    assert not file.is_dirty
    file.replace_text(shown.replace("batch_size = 2", "batch_size = 3\nrank = 4"))
    file.save()
    kept = text.removesuffix("batch_size = 2")
    assert (tmp_path / "project.toml").read_bytes().decode() == kept + "batch_size = 3\r\nrank = 4"


def test_what_is_not_toml_is_saved_only_as_the_persons_own_text(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.replace_text("[train\n")
    with pytest.raises(LabError, match=r"project\.toml:1: not valid TOML"):
        file.save()
    assert on_disk(tmp_path) == EXAMPLE
    assert "not valid TOML" in file.save(anyway=True)
    assert on_disk(tmp_path) == "[train\n"
    file.undo()
    file.save()
    assert on_disk(tmp_path) == EXAMPLE


def test_text_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    file = opened(tmp_path)
    with pytest.raises(LabError, match="U\\+DC80"):
        file.replace_text("# \udc80\n")
    assert not file.is_dirty


# --- other programs --------------------------------------------------------------------------------------------------


def elsewhere(folder: Path, text: str) -> None:
    """Another program writes the file."""
    (folder / "project.toml").write_text(text, encoding="utf-8", newline="")


def test_changes_of_other_keys_are_merged(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.set("train.epochs", 20)
    elsewhere(tmp_path, EXAMPLE.replace("batch_size = 1", "batch_size = 3 # they").replace("rank = 8\n", ""))
    assert file.changed_outside()
    assert "merged" in file.save()
    text = on_disk(tmp_path)
    assert "epochs = 20" in text and "batch_size = 3 # they" in text and "rank" not in text
    assert not file.changed_outside()


def test_a_change_of_the_same_line_but_another_thing_is_merged_by_key(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.set("train.epochs", 20)
    file.add_prompt({"text": "ours"})
    elsewhere(tmp_path, EXAMPLE.replace("epochs = 10                        #", "epochs = 10 # they say:"))
    file.save()
    assert "epochs = 20 # they say: 3 images" in on_disk(tmp_path)
    assert [prompt["text"] for prompt in file.prompts()] == ["myshape", "ours"]


def test_a_change_of_the_same_key_is_asked_about_and_nothing_is_written(tmp_path: Path) -> None:
    theirs = EXAMPLE.replace("epochs = 10 ", "epochs = 30 ").replace("rank = 8", "rank = 2")
    for whose, epochs in (("ours", 20), ("theirs", 30)):
        file = opened(tmp_path)
        file.set("train.epochs", 20)
        elsewhere(tmp_path, theirs)
        with pytest.raises(FileConflict) as conflict:
            file.save()
        assert conflict.value.keys == ("train.epochs",)
        assert on_disk(tmp_path) == theirs
        file.resolve(whose)  # type: ignore[arg-type]
        file.save()
        assert tomllib.loads(on_disk(tmp_path))["train"]["epochs"] == epochs
        assert tomllib.loads(on_disk(tmp_path))["lora"]["rank"] == 2
    file.undo()
    assert file.get("train.epochs") == 20  # the version that gave way can be had back


def test_undo_takes_back_ones_own_edit_and_not_the_others(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.set("train.epochs", 20)
    file.save()
    elsewhere(tmp_path, file.text.replace("rank = 8", "rank = 2"))
    assert file.reload()
    file.undo()
    file.save()
    assert on_disk(tmp_path) == EXAMPLE.replace("rank = 8", "rank = 2")


def test_a_file_written_again_with_the_same_content_is_no_change(tmp_path: Path) -> None:
    file = opened(tmp_path)
    elsewhere(tmp_path, EXAMPLE)
    os.utime(tmp_path / "project.toml", ns=(1, 1))
    assert not file.changed_outside()


def test_a_file_that_is_gone_is_told_and_written_again_only_when_asked(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.set("train.epochs", 20)
    (tmp_path / "project.toml").unlink()
    with pytest.raises(LabError, match="removed or renamed"):
        file.save()
    file.save(anyway=True)
    assert tomllib.loads(on_disk(tmp_path))["train"]["epochs"] == 20


def test_what_is_not_utf8_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"project\.toml:2: byte 0xe9 is not UTF-8"):
        opened(tmp_path, b"[train]\n# caf\xe9\n")
