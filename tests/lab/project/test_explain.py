"""The words of --explain and of the README's tables, made from the fields themselves."""

from __future__ import annotations

import pytest

from loratui.lab.errors import LabError
from loratui.lab.project.explain import explain, explain_all, markdown_table
from loratui.lab.project.settings import ALL_RULES


def test_a_key_is_explained_with_its_values_and_default() -> None:
    text = explain("train.min_snr_gamma")
    assert text.splitlines()[0] == "train.min_snr_gamma"
    assert "min(SNR, gamma) / SNR" in text
    assert "A number more than 0, at most 1000, or 0 (off); default 0.0" in text


@pytest.mark.parametrize("asked", ["rank", "lora.rank", " lora.rank ", "network_dim"])
def test_a_key_is_found_by_its_name_alone_and_by_what_others_call_it(asked: str) -> None:
    assert explain(asked).startswith("lora.rank\n")


def test_a_name_of_several_tables_is_explained_for_each() -> None:
    assert [line for line in explain("batch_size").splitlines() if line[:1] not in ("", " ")] == [
        "train.batch_size",
        "sample.batch_size",
    ]


@pytest.mark.parametrize("asked", ["lora", "[lora]"])
def test_a_table_is_explained_with_all_its_keys(asked: str) -> None:
    text = explain(asked)
    assert text.startswith("[lora]  The size of the low-rank update")
    assert all(key in text for key in ("lora.rank", "lora.alpha", "lora.dropout", "lora.targets", "lora.text_encoder"))


def test_the_array_tables_are_explained_too() -> None:
    assert "variant.replace_tags" in explain("variant")
    assert "A string; required" in explain("claim.text")
    assert "as in [sample]" in explain("sample.prompt.seeds")
    assert "[[sample.prompt]]  One prompt" in explain("sample.prompt")
    assert explain("matrix").startswith("[matrix]  ")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("train.lerning_rate", "--explain train.lerning_rate: unknown key; did you mean train.learning_rate?"),
        ("rnk", "--explain rnk: unknown key; did you mean lora.rank?"),
        ("xyzzy", "--explain xyzzy: unknown key; the tables are base, dataset, lora, train, sample"),
        ("", "unknown key; the tables are base"),
        ("\x1b[2J", "--explain \\x1b[2J: unknown key"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(asked: str, message: str) -> None:
    with pytest.raises(LabError) as refused:
        explain(asked)
    assert message in str(refused.value)


def test_no_key_is_left_out_or_left_unexplained() -> None:
    everything, table = explain_all(), markdown_table()
    for key, rule in ALL_RULES.items():
        assert f"\n{key}\n" in everything
        assert f"| `{rule.name}` | " in table
        assert rule.help.endswith(".")
        assert explain(key).startswith(f"{key}\n  ")


def test_every_row_of_the_markdown_tables_has_four_cells() -> None:
    rows = [line for line in markdown_table().splitlines() if line.startswith("|")]
    assert len(rows) > len(ALL_RULES)
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)
    assert '| `targets` | `"attention"` | "attention", "linear" or "conv" |' in markdown_table()


def test_no_other_trainers_name_is_promised_for_two_keys() -> None:
    others = [name for rule in ALL_RULES.values() for name in rule.also]
    assert len(others) == len(set(others))
    assert not {rule.name for rule in ALL_RULES.values()}.intersection(others)
