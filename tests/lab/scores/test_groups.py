"""A prompt's group says whether a change it shows is learning or forgetting; the groups' probes are what they say."""

from __future__ import annotations

import pytest

from loratui.lab.scores.groups import (
    EMPTY,
    GROUPS,
    PHRASE,
    TRAINED,
    UNRELATED,
    UNSEEN,
    group_of,
    main_tag,
    probe_prompts,
)

MONSTER = ("monster, white background",) * 3
DEER = ("deer", "deer nose", "deer glow", "santa hat", "deer, deer nose, deer glow, santa hat")
COLOURS = ("red monster", "green monster", "blue monster")
WORDS = ("a photo of sks dog in a park, sunny", "a photo of sks dog on a sofa")


@pytest.mark.parametrize(
    ("text", "captions", "group"),
    [
        ("monster, white background", MONSTER, TRAINED),
        ("white background,  Monster", MONSTER, TRAINED),
        ("monster", MONSTER, TRAINED),
        ("a photo of sks dog on a sofa", WORDS, TRAINED),
        ("a photo of a monster", MONSTER, PHRASE),
        ("monster on a table", MONSTER, PHRASE),
        ("monster, white", MONSTER, PHRASE),
        ("monster", COLOURS, PHRASE),
        ("bird nose", DEER, PHRASE),
        ("a white house", MONSTER, PHRASE),
        ("monster, a cup", MONSTER, UNSEEN),
        ("cup, white background", MONSTER, UNSEEN),
        ("a cup", MONSTER, UNRELATED),
        ("monsters", MONSTER, UNRELATED),
        ("a photo of a cup on a table", WORDS, UNRELATED),
        ("a picture with a background", MONSTER, UNRELATED),
        ("猫", MONSTER, UNRELATED),
        ("", MONSTER, EMPTY),
        (" , ...", MONSTER, EMPTY),
        ("a cup", ("", ""), UNRELATED),
        ("", ("",), EMPTY),
    ],
)
def test_groups(text: str, captions: tuple[str, ...], group: str) -> None:
    assert group_of(text, captions) == group


def test_a_trigger_is_a_tag_even_inside_a_sentence() -> None:
    assert group_of("sks", WORDS) == PHRASE
    assert group_of("sks", WORDS, "sks") == TRAINED
    assert group_of("sks, a boat", WORDS, "sks") == UNSEEN


@pytest.mark.parametrize(("captions", "trigger"), [(MONSTER, ""), (DEER, ""), (COLOURS, ""), (WORDS, "sks")])
def test_probes_are_of_their_groups_and_every_group_has_some(captions: tuple[str, ...], trigger: str) -> None:
    probes = probe_prompts(captions, trigger)
    assert all(group_of(text, captions, trigger) == group for group, text in probes)
    assert [group for group in GROUPS if any(group == one for one, _ in probes)] == list(GROUPS)
    assert len({text for _, text in probes}) == len(probes) <= 3 * len(GROUPS)
    assert probes == probe_prompts(captions, trigger)


def test_unrelated_probes_avoid_what_was_trained() -> None:
    unrelated = [text for group, text in probe_prompts(("cup", "house, tree")) if group == UNRELATED]
    assert unrelated
    assert not {"a cup", "a house", "a tree"} & set(unrelated)


def test_without_tags_only_what_needs_none_is_probed() -> None:
    assert {group for group, _ in probe_prompts(("", ""))} == {UNRELATED, EMPTY}


def test_the_main_tag_is_the_subject() -> None:
    assert main_tag(MONSTER) == "monster"
    assert main_tag(("white background, monster",)) == "monster"
    assert main_tag(("2x2 apple, white background", "2x2 cube, white background")) == "2x2 apple"
    assert main_tag(("white background",)) == "white background"
    assert main_tag(WORDS, " sks ") == "sks"
    assert main_tag(("",)) == ""
