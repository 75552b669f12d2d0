"""The schema: defaults, exact round trips, what is refused and in which words."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.settings import (
    RULES,
    Dataset,
    Lora,
    Prompt,
    ResolvedPrompt,
    Sample,
    Settings,
    Train,
    changed_keys,
    flat,
    settings_from_dict,
    settings_to_dict,
)

FULL = Settings(
    question='What is "learned" first?',
    dataset=Dataset(path="Bilder/größe", repeats=25, caption_dropout=0.1, shuffle_tags=True, keep_tags=1),
    lora=Lora(rank=4, alpha=2.5, targets="conv"),
    train=Train(steps=750, learning_rate=1 / 3, checkpoint_every=100, seed=2**63 - 1),
    sample=Sample(
        every=50,
        seeds=(7,),
        scales=(0.0, 0.5, 1.0),
        prompts=("a circle --d 3",),
        prompt=(
            Prompt("myshape", seeds=(1, 2), width=64, expect={"colour": "gray", "edge": [0.1, 2], "count": 3}),
            Prompt("", negative_prompt="", guidance_scale=0.0, inference_steps=(1, 25)),
        ),
    ),
)


def refusal(document: dict[str, Any]) -> str:
    with pytest.raises(LabError) as refused:
        settings_from_dict(document)
    return str(refused.value)


@pytest.mark.parametrize("settings", [Settings(), FULL])
def test_settings_survive_being_written_as_toml_and_read_back(settings: Settings) -> None:
    import tomli_w

    written = tomli_w.dumps(settings_to_dict(settings))
    assert settings_from_dict(tomllib.loads(written)) == settings


def test_an_empty_document_gives_the_defaults() -> None:
    assert settings_from_dict({}) == Settings()
    assert Settings().lora.effective_alpha == Settings().lora.rank == 8


def test_every_default_is_a_value_that_the_schema_accepts() -> None:
    for key, value in flat(Settings()).items():
        rule = RULES[key]
        settings_from_dict({rule.table: {rule.name: value}} if rule.table else {key: value})


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().train.epochs = 3  # type: ignore[misc]


def test_whole_numbers_become_floats_where_floats_are_asked_for() -> None:
    settings = settings_from_dict({"lora": {"alpha": 16}, "sample": {"scales": [0, 1]}})
    assert isinstance(settings.lora.alpha, float)
    assert all(isinstance(scale, float) for scale in settings.sample.scales)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.epochs", "10", 'expected a whole number from 1 to 1000000, got "10"; write it without the quotes'),
        ("train.epochs", 0, "expected a whole number from 1 to 1000000, got 0"),
        ("train.epochs", True, "expected a whole number from 1 to 1000000, got true"),
        ("train.epochs", 3.0, "expected a whole number from 1 to 1000000, got 3.0; write 3"),
        ("train.epochs", {"a": 1}, "expected a whole number from 1 to 1000000, got a table"),
        ("train.seed", 2**63, f"expected a whole number 0 or more, got {2**63}; the largest is {2**63 - 1}"),
        ("train.steps", -1, "expected a whole number 1 or more, or 0 (as many as epochs makes), got -1"),
        ("train.learning_rate", 0, "expected a number more than 0, at most 10, got 0"),
        ("train.learning_rate", float("nan"), "expected a number more than 0, at most 10, got nan"),
        ("train.learning_rate", float("inf"), "expected a number more than 0, at most 10, got inf"),
        ("train.learning_rate", 10**400, "expected a number more than 0, at most 10, got an integer of 1329 bits"),
        ("train.optimizer", "adam", 'expected "adamw", "adamw8bit" or "prodigy", got "adam"; did you mean "adamw"?'),
        ("train.schedule", 3, 'expected "constant", "linear" or "cosine", got 3; write it in quotes'),
        ("train.device", "gpu", 'expected "auto", "cpu", "cuda", "cuda:N" or "mps", got "gpu"'),
        ("dataset.buckets", 1, "expected true or false, got 1"),
        ("dataset.buckets", "true", 'expected true or false, got "true"'),
        ("dataset.caption_dropout", 1.5, "expected a number from 0 to 1, got 1.5"),
        ("dataset.caption_extension", "txt", 'expected an ending with its dot, such as ".txt", got "txt"'),
        ("dataset.resolution", [512, 512], "in multiples of 8, or 0 (the model's own), got [512, 512]"),
        ("dataset.resolution", 500, "in multiples of 8, or 0 (the model's own), got 500"),
        ("dataset.path", "", 'expected a name or path, got ""'),
        ("base.model", "a\x00b", 'expected a name or path, got "a\\x00b"'),
        ("lora.dropout", 1, "expected a number 0 or more, less than 1, got 1"),
        ("sample.every", "epochs", 'a whole number 1 or more, got "epochs"; did you mean "epoch"?'),
        ("sample.every", "50", 'a whole number 1 or more, got "50"; write it without the quotes'),
        ("sample.every", 0, 'expected "epoch", "end", "never" or a whole number 1 or more, got 0'),
        ("sample.seeds", 3, "expected a list of whole numbers 0 or more, got 3; write [3]"),
        ("sample.seeds", [], "expected a list of whole numbers 0 or more, got an empty list; give at least one"),
        ("sample.scales", ["1"], 'expected a number from -100 to 100, got "1"; write it without the quotes'),
        ("sample.prompt", {"text": "a"}, "write [[sample.prompt]], with double brackets"),
        ("sample.prompt", "a", 'for plain prompts write prompts = ["a"]'),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(key: str, value: object, message: str) -> None:
    table, name = key.split(".")
    said = refusal({table: {name: value}})
    assert said.startswith(f"{key}")
    assert message in said
    assert "\n" not in said


def test_items_of_a_list_are_named_by_their_place() -> None:
    assert refusal({"sample": {"seeds": [1, -2, 1, "4"]}}).splitlines() == [
        "sample.seeds item 2: expected a whole number 0 or more, got -2",
        "sample.seeds item 3: 1 is in the list already; give each value once",
        'sample.seeds item 4: expected a whole number 0 or more, got "4"; write it without the quotes',
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"train": {"lerning_rate": 1}}, "train.lerning_rate: unknown key; did you mean learning_rate?"),
        ({"train": {"rank": 8}}, "train.rank: unknown key; rank belongs to [lora]"),
        ({"rank": 8}, "rank: unknown key; rank belongs to [lora]"),
        ({"train": {"question": "a"}}, "train.question: unknown key; question belongs to the top of the file"),
        ({"lora": {"batch_size": 8}}, "lora.batch_size: unknown key; batch_size belongs to [train] or [sample]"),
        ({"lora": {"network_dim": 8}}, "lora.network_dim: unknown key; here it is called lora.rank"),
        ({"train.epochs": 8}, '"train.epochs": unknown key; epochs belongs to [train]'),
        ({"train": {"train.epochs": 8}}, 'train."train.epochs": unknown key; epochs belongs to [train]'),
        ({"base": {"optimiser": "x"}}, "base.optimiser: unknown key; did you mean train.optimizer?"),
        ({"lora": {"xyz": 8}}, "lora.xyz: unknown key; known here: rank, alpha, dropout, targets, text_encoder"),
        ({"train": {"xyzzy": 8}}, "train.xyzzy: unknown key; loratui --explain train lists those of [train]"),
        ({"trian": {"epochs": 8}}, "trian: unknown table; did you mean [train]?"),
        ({"variants": [{"name": "a"}]}, "variants: unknown table; did you mean [[variant]]?"),
        ({"train": 8}, "train: expected a table, got 8"),
        ({"train": [{}]}, "write [train] once, with single brackets"),
        ({"train": {"a\x1b[2J": 1}}, 'train."a\\x1b[2J": unknown key'),
        ({"": 1}, '"": unknown key'),
    ],
)
def test_an_unknown_key_is_refused_with_what_was_probably_meant(document: dict[str, Any], message: str) -> None:
    said = refusal(document)
    assert message in said
    assert "\x1b" not in said


def test_all_problems_are_reported_at_once() -> None:
    assert len(refusal({"train": {"epochs": 0, "stpes": 1}, "lora": {"rank": "8"}}).splitlines()) == 3


def test_a_value_of_absurd_length_does_not_flood_the_message() -> None:
    assert len(refusal({"train": {"optimizer": "x" * 10_000, "epochs": list(range(10_000))}})) < 500


def test_prompt_tables_are_checked_like_the_rest() -> None:
    said = refusal({"sample": {"prompt": [{"txt": "a"}, {"text": "a", "seeds": [-1], "expect": {"color": "red"}}, 3]}})
    assert said.splitlines() == [
        "sample.prompt.txt: unknown key; did you mean text?",
        'sample.prompt item 1: a prompt needs a text, such as text = "a red circle"',
        "sample.prompt.seeds item 1: expected a whole number 0 or more, got -1",
        "sample.prompt.expect.color: unknown expectation; did you mean colour?",
        "sample.prompt item 3: expected a table with a text, got 3",
    ]


def test_expectations_are_kept_as_given() -> None:
    expect = {"colour": "gray", "grid": "2x2", "count": [2, 4], "sharpness": [0.25, 1], "drift": 0.5}
    (prompt,) = settings_from_dict({"sample": {"prompt": [{"text": "a", "expect": expect}]}}).sample.prompt
    assert prompt.expect == expect


@pytest.mark.parametrize("value", [{"low": 1}, True, float("nan"), [], [[1]]])
def test_an_expectation_nobody_could_measure_is_refused(value: object) -> None:
    said = refusal({"sample": {"prompt": [{"text": "a", "expect": {"sharpness": value}}]}})
    assert "sample.prompt.expect.sharpness: expected a string, a number or a list of them" in said


def test_resolved_prompts_take_from_sample_what_they_leave_open() -> None:
    sample = Sample(
        seeds=(5, 6),
        negative_prompt="blurry",
        width=64,
        prompts=("a circle --d 3 --w 128",),
        prompt=(Prompt("b", negative_prompt="", inference_steps=(1,), expect={"shape": "circle"}),),
    )
    assert sample.resolved(["never drawn"]) == (
        ResolvedPrompt("a circle", "blurry", (3,), 5.0, 128, 0, (25,)),
        ResolvedPrompt("b", "", (5, 6), 5.0, 64, 0, (1,), {"shape": "circle"}),
    )


def test_without_prompts_up_to_four_distinct_captions_are_drawn() -> None:
    texts = [prompt.text for prompt in Sample().resolved(["a", "b", " a", "", "c", "d", "e"])]
    assert texts == ["a", "b", "c", "d"]
    assert [prompt.text for prompt in Sample().resolved(["", ""])] == [""]
    assert Sample().resolved([]) == ()


def test_changed_keys_are_those_that_differ_with_both_values() -> None:
    before = Settings()
    after = replace(
        before,
        lora=replace(before.lora, rank=16),
        sample=replace(before.sample, seeds=(1,), prompt=(Prompt("a"),)),
    )
    assert changed_keys(before, before) == {}
    assert changed_keys(before, after) == {
        "lora.rank": (8, 16),
        "sample.seeds": ([1, 2, 3, 4], [1]),
        "sample.prompt": ([], [{"text": "a"}]),
    }


def test_reading_settings_loads_nothing_heavy() -> None:
    heavy = ["torch", "numpy", "PIL", "rich", "textual", "tomlkit", "tokenizers", "asyncio", "importlib.metadata"]
    modules = "loratui.lab.project.project, loratui.lab.project.explain"
    code = f"import sys, {modules}; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
