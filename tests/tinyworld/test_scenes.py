"""The little world: the same forever, never showing what it holds out, never saying what is not so."""

import re

import numpy as np
import pytest

from loratui.tinyworld.scenes import (
    COLOURS,
    FACTS,
    OBJECTS,
    SIZE,
    captioned,
    contrasting,
    draw,
    facts,
    held_out,
    plain_scene,
    random_scene,
    scene_at,
)
from loratui.tinyworld.wording import ASIDES

WORLD = [scene_at(3, index) for index in range(5000)]
SAID = {
    "indoor": "indoors",
    "outdoor": "outdoors",
    "centre": "in the middle",
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
}


def test_a_scene_is_a_pure_function_of_seed_and_index() -> None:
    for index in (4999, 17, 0):
        scene, said = scene_at(3, index)
        assert (scene, said) == WORLD[index]
        assert draw(scene).tobytes() == draw(scene).tobytes()
    assert scene_at(4, 17) != WORLD[17]
    assert len({scene.seed for scene, _ in WORLD}) > 4990


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_is_drawn_large_and_in_its_colour(name: str) -> None:
    for seed in range(6):
        picture = draw(plain_scene(name, "purple", "white", seed))
        assert (picture.size, picture.mode) == ((SIZE, SIZE), "RGB")
        pixels = np.asarray(picture, float)
        ground = pixels[0, 0]
        covered = np.abs(pixels - ground).max(axis=2) > 30
        purple = (pixels[..., 1] < 0.75 * pixels[..., [0, 2]].min(axis=2)) & covered
        assert covered.mean() > 0.08
        assert purple.sum() > 0.45 * covered.sum()


def test_held_out_triples_are_never_drawn() -> None:
    named = [s for s, _ in WORLD if s.colour is not None and s.background_colour is not None]
    assert len(named) > 2000
    assert not any(held_out(s.colour, s.object, s.background_colour) for s in named)
    triples = [(c, o, b) for c in COLOURS for o in OBJECTS for b in COLOURS]
    assert 0.08 < np.mean([held_out(*triple) for triple in triples]) < 0.12


def test_what_is_held_out_never_changes() -> None:
    """The shipped weights were trained without exactly these."""
    assert [o for o in OBJECTS if held_out("red", o, "white")] == ["square", "tree", "flower", "umbrella"]
    assert [c for c in COLOURS if held_out(c, "apple", "white")] == ["green", "white"]


def test_without_hold_out_they_appear() -> None:
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng, hold_out=False) for _ in range(500)]
    assert any(s.colour and s.background_colour and held_out(s.colour, s.object, s.background_colour) for s in scenes)


def test_objects_stand_out_from_plain_backgrounds() -> None:
    for scene, _ in WORLD:
        if scene.colour is not None and scene.background_colour is not None:
            assert contrasting(scene.colour, scene.background_colour)
    assert not any(contrasting(colour, colour) for colour in COLOURS)


def test_captions_state_only_true_facts_and_in_words() -> None:
    for scene, said in WORLD:
        assert said.stated.items() <= facts(scene).items()
        assert said.text and all(value in FACTS[fact] for fact, value in said.stated.items())
        for fact, value in said.stated.items():
            if value == "one" or (fact == "object" and "santa hat" in said.stated.values()):
                continue
            assert SAID.get(value, value) in said.text, (fact, said.text)


def test_captions_name_no_fact_they_do_not_state() -> None:
    for _, said in WORLD:
        words = said.text.replace("red nose", "").replace("santa hat", "")
        named = set(re.findall(r"[a-z]+", words))
        assert named & set(COLOURS) <= set(said.stated.values()), said.text
        assert {word for word in OBJECTS if word in named} <= set(said.stated.values()), said.text
        assert ("several" in named, "many" in named) == tuple(
            said.stated.get("number") == n for n in ("several", "many")
        )


def test_captions_have_no_digits_and_no_grids() -> None:
    banned = re.compile(r"\d|grid|layout|\b(one|two|three|four|five|six|seven|eight|nine|ten)\b")
    assert not [said.text for _, said in WORLD if banned.search(said.text)]
    world = {value for values in FACTS.values() for value in values} | set(SAID.values())
    assert not set(ASIDES) & world


def test_the_judged_form_is_common_among_single_things_on_plain_backgrounds() -> None:
    plain = [(s, c) for s, c in WORLD if s.number == "one" and s.background in COLOURS and s.colour]
    assert 0.5 < len(plain) / len(WORLD) < 0.65
    assert np.mean([c.text == f"{s.colour} {s.object}, {s.background} background" for s, c in plain]) > 0.3


def test_one_scene_has_many_captions() -> None:
    rng = np.random.default_rng(1)
    scene = plain_scene("apple", "red", "white", 5)
    texts = {captioned(scene, rng).text for _ in range(400)}
    assert {"red apple, white background", "white background, red apple", "a red apple on a white background"} <= texts
    assert {"apple", "red", "white background"} <= texts
