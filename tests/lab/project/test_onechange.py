"""One change, as it is typed: found by any name people know, checked before it costs a run."""

from __future__ import annotations

from loratui.lab.project.onechange import about, current, keys_like, read_change
from loratui.lab.project.settings import RULES, Settings

NOW = current(Settings())


def test_a_change_is_read_checked_and_written_as_an_override() -> None:
    assert read_change("lora.rank = 4", NOW).override == "lora.rank=4"
    assert read_change("train.learning_rate=1e-3", NOW).override.startswith("train.learning_rate=")
    assert read_change("sample.seeds=1, 2", NOW).override == "sample.seeds=[1, 2]"
    assert read_change('dataset.trigger=my "word"', NOW).override == r'dataset.trigger="my \"word\""'


def test_what_is_wrong_is_said_and_what_is_not_finished_is_not_wrong() -> None:
    assert "whole number" in read_change("lora.rank=wide", NOW).error
    assert "lora.rank" in read_change("lora.rnk=4", NOW).error
    assert read_change("lora.ra", NOW).error == ""
    assert "already" in read_change(f"lora.rank={NOW['lora.rank']}", NOW).error
    assert "already" in read_change("sample.seeds=" + ", ".join(map(str, NOW["sample.seeds"])), NOW).error
    for text in ("", "=", "=4", "lora.rank=", "lora.rank=" + "9" * 5000, "lora.rank=\x1b[31m", "\udcff=1"):
        assert not read_change(text, NOW).override


def test_a_key_is_found_by_its_name_by_that_of_other_trainers_and_by_what_it_is_for() -> None:
    assert keys_like("train.ep")[0].key == "train.epochs"
    assert keys_like("rank")[0].key == "lora.rank"
    assert keys_like("network_alpha")[0].key == "lora.alpha"
    assert "train.learning_rate" in [rule.key for rule in keys_like("lr")]
    assert {rule.key for rule in keys_like("")} == set(RULES) - {"question"}
    assert keys_like("no such thing") == []
    assert about(RULES["lora.rank"]).endswith(".")
