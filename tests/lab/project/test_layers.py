"""Settings that contradict each other, and --set laid over the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import EXAMPLE, changed, read, refusal


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
    from loratui.lab.project.settings import flat

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
        ("base.model=\udcff", 'base.model: expected text in UTF-8, got "\\udcff"'),
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
