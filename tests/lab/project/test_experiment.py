"""Variants, claims and the matrix around the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.project import settings_with, variant_caption, variant_settings
from loratui.lab.project.settings import Prompt, Settings, changed_keys
from tests.projects import VARIANTS, read, refusal


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
        ("[[variant]]\nname = ''\n", 2, "variant.name: expected up to 64 letters"),
        ("[[variant]]\nname = '..'\n", 2, "variant.name: expected up to"),
        ("[[variant]]\nname = '-a'\n", 2, "variant.name: expected up to"),
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


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("prompt = 0.0, expect = 'colour'", "claim.expectation.prompt: expected a text or a list of them, got 0.0"),
        ("prompt = [], expect = 'colour'", "claim.expectation.prompt: expected a text or a list of them"),
        ("more_often_than = [1], shape = 'circle'", "claim.expectation.more_often_than: expected a text or a list"),
        ("expect = [{}]", "claim.expectation.expect: expected a text, got"),
        ("expect = {}", "claim.expectation.expect: expected a text, got"),
        ("variant = [1], shape = 'circle'", "claim.expectation.variant: expected a text, got"),
        ("inference_steps = inf, shape = 'circle'", "claim.expectation.inference_steps: expected a whole number"),
    ],
)
def test_a_claim_of_another_kind_is_refused_with_its_line(home: Path, said: str, words: str) -> None:
    with pytest.raises(LabError) as caught:
        read(f"[[claim]]\ntext = 'x'\nexpectation = {{ {said} }}\n")
    assert words in str(caught.value)
    assert ":3: claim.expectation" in str(caught.value)
