"""Two runs can be told apart, exactly and in words, and an experiment with more than one factor shows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from loratui.lab.run.records import Frozen, compare_records, factors
from loratui.lab.run.runs import create_run

RECORD: dict[str, Any] = {
    "run": {"id": "one"},
    "settings": {
        "question": "?",
        "base": {"model": "tinyworld"},
        "dataset": {"path": "dataset"},
        "train": {"learning_rate": 1e-4, "seed": 0},
        "sample": {"seeds": [1, 2]},
    },
    "model": {"name": "tinyworld", "hash": {"unet": "ab" * 32, "vae": "cd" * 32}},
    "versions": {"torch": "2.9"},
    "machine": {"device": "cpu"},
}
CAPTIONS = [
    {"name": "1.png", "sha256": "1" * 64, "caption": "myshape, white background", "repeats": 25},
    {"name": "2.png", "sha256": "2" * 64, "caption": "myshape, gray", "repeats": 25},
]


def changed(path: str, value: Any) -> Frozen:
    record = copy.deepcopy(RECORD)
    table = record
    *parents, last = path.split(".")
    for key in parents:
        table = table[key]
    table[last] = value
    return Frozen(record, CAPTIONS)


def recaptioned(**changes: Any) -> Frozen:
    return Frozen(RECORD, [{**image, **changes} for image in CAPTIONS])


BEFORE = Frozen(RECORD, CAPTIONS)


def test_a_record_read_back_from_disk_does_not_differ(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a")
    run.freeze(RECORD, CAPTIONS)
    assert compare_records(BEFORE, Frozen.read(run)) == []


def test_who_a_run_is_is_not_a_difference() -> None:
    assert compare_records(BEFORE, changed("run.id", "two")) == []


def test_a_setting_is_told_with_both_values() -> None:
    (difference,) = compare_records(BEFORE, changed("settings.train.learning_rate", 2e-4))
    assert (difference.kind, difference.a, difference.b) == ("setting", 1e-4, 2e-4)
    assert difference.text == "train.learning_rate: 0.0001 → 0.0002"


def test_a_setting_that_one_side_does_not_have_is_told() -> None:
    (difference,) = compare_records(BEFORE, changed("settings.train.flip", True))
    assert difference.text == "train.flip: not set → true"
    (difference,) = compare_records(changed("settings.train.flip", True), BEFORE)
    assert difference.text == "train.flip: true → not set"


def test_hashes_versions_and_machine_have_their_own_kind() -> None:
    for path, value, kind in (
        ("model.hash.unet", "ef" * 32, "base"),
        ("versions.torch", "2.10", "version"),
        ("machine.device", "cuda", "machine"),
    ):
        (difference,) = compare_records(BEFORE, changed(path, value))
        assert difference.kind == kind
    assert compare_records(BEFORE, changed("model.hash.unet", "ef" * 32))[0].text == (
        "model.hash.unet: abababababab → efefefefefef"
    )


def test_captions_are_told_word_by_word() -> None:
    after = Frozen(RECORD, [{**CAPTIONS[0], "caption": "monster, white background, blur"}, CAPTIONS[1]])
    (difference,) = compare_records(BEFORE, after)
    assert difference.kind == "caption"
    assert difference.text == 'caption of 1.png: "myshape" → "monster", added ", blur"'
    (back,) = compare_records(after, BEFORE)
    assert back.text == 'caption of 1.png: "monster" → "myshape", removed ", blur"'


def test_images_that_come_go_or_change_are_told() -> None:
    other = Frozen(RECORD, [{**CAPTIONS[0], "sha256": "3" * 64, "repeats": 10}, {**CAPTIONS[1], "name": "new\x1b.png"}])
    assert [d.text for d in compare_records(BEFORE, other)] == [
        "image 1.png: other content",
        "repeats of 1.png: 25 → 10",
        "image 2.png: removed",
        "image new␛.png: added",
    ]


def test_one_tag_replaced_everywhere_is_one_factor() -> None:
    after = Frozen(RECORD, [{**i, "caption": str(i["caption"]).replace("myshape", "monster")} for i in CAPTIONS])
    differences = compare_records(BEFORE, after)
    assert len(differences) == 2
    assert factors(differences) == ['captions ("myshape" → "monster")']


def test_each_further_change_is_a_further_factor() -> None:
    record = copy.deepcopy(RECORD)
    record["settings"]["train"] |= {"learning_rate": 2e-4, "seed": 1}
    record["model"]["hash"] = {"unet": "0" * 64, "vae": "1" * 64}
    after = Frozen(record, [{**image, "caption": "x"} for image in CAPTIONS])
    names = factors(compare_records(BEFORE, after))
    assert names[:3] == ["train.learning_rate: 0.0001 → 0.0002", "train.seed: 0 → 1", "the base model"]
    assert names[3].startswith("captions (")
    assert len(names) == 4


def test_where_the_same_things_were_found_is_no_factor() -> None:
    record = copy.deepcopy(RECORD)
    record["settings"]["dataset"]["path"] = "/elsewhere"
    record["settings"]["base"]["model"] = record["model"]["name"] = "/models/tinyworld"
    record["settings"]["question"] = "another"
    differences = compare_records(BEFORE, Frozen(record, CAPTIONS))
    assert differences
    assert factors(differences) == []


def test_repeats_are_one_factor_whether_a_setting_or_a_folder_name_changed_them() -> None:
    by_folder = recaptioned(repeats=10)
    assert factors(compare_records(BEFORE, by_folder)) == ["the repeats of images"]
    record = copy.deepcopy(RECORD)
    record["settings"]["dataset"]["repeats"] = 10
    by_setting = Frozen(record, by_folder.captions)
    assert factors(compare_records(BEFORE, by_setting)) == ["dataset.repeats: not set → 10"]
