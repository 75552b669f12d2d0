"""The token view tells what the text encoder gets of each caption, and what captions have in common for it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.dataset.tokenview import AT_ONCE, TokenIndex, load_tokenizer, read_caption_tokens
from loratui.lab.errors import LabError
from loratui.lab.patience import Cancelled
from tests.projects import read

FOLDER = Path(__file__).parents[3] / "loratui" / "tinyworld" / "model" / "tokenizer"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(FOLDER)


def index_of(tokenizer: Tokenizer, captions: dict[str, str]) -> TokenIndex:
    index = TokenIndex(tokenizer)
    index.fill(captions)
    return index


def test_pieces_name_the_characters_and_the_tag_they_were_made_from(tokenizer: Tokenizer) -> None:
    caption = " Red apple,  2x2, myshape"

    tokens = read_caption_tokens(tokenizer, caption)

    assert [caption[piece.start : piece.end] for piece in tokens.pieces] == [
        "Red", "apple", ",", "2", "x", "2", ",", "my", "shape",
    ]  # fmt: skip
    assert [piece.tag for piece in tokens.pieces] == [0, 0, -1, 1, 1, 1, -1, 2, 2]
    assert [piece.text for piece in tokens.pieces][-2:] == ["my", "shape·"]
    assert tokens.ids == tokenizer.ids(caption)
    assert tokens.tags_of_several == (("Red apple", 2), ("2x2", 3), ("myshape", 2))


def test_what_lies_beyond_the_limit_is_cut(tokenizer: Tokenizer) -> None:
    tokens = read_caption_tokens(tokenizer, "apple " * 80)

    assert (tokens.count, tokens.limit, tokens.cut) == (80, 75, 5)
    assert [piece.cut for piece in tokens.pieces] == [False] * 75 + [True] * 5


def test_a_long_caption_is_counted_whole_though_only_its_beginning_is_shown(tokenizer: Tokenizer) -> None:
    tokens = read_caption_tokens(tokenizer, "apple " * 500, most=10)

    assert len(tokens.pieces) == 10
    assert tokens.count == 500


def test_characters_the_vocabulary_has_only_as_bytes_are_named(tokenizer: Tokenizer) -> None:
    tokens = read_caption_tokens(tokenizer, "snow ☃, smile 😀 and ☃ again")

    assert tokens.broken == ("☃",)  # the smiling face is a token of its own
    assert read_caption_tokens(tokenizer, r"the text \xff is no byte").broken == ()


def test_a_mark_written_into_a_caption_is_told_from_words(tokenizer: Tokenizer) -> None:
    pieces = read_caption_tokens(tokenizer, "a <|endoftext|> b").pieces

    assert [piece.mark for piece in pieces] == [False, True, False]


def test_a_caption_that_is_no_text_is_read_all_the_same(tokenizer: Tokenizer) -> None:
    assert read_caption_tokens(tokenizer, "").count == 0
    assert read_caption_tokens(tokenizer, "\udcff\x1b[31m\x00").count > 0


def test_a_token_is_in_every_caption_in_some_or_only_here(tokenizer: Tokenizer) -> None:
    index = index_of(tokenizer, {"a": "myshape, red", "b": "myshape, green", "c": "myshape, red, big"})

    view = index.view("c", "myshape, red, big")

    said = {
        piece.text: (view.in_every(piece), view.only_here(piece), view.holding[piece.id])
        for piece in view.tokens.pieces
    }
    assert said["my"] == said["shape·"] == (True, False, 2)
    assert said["red·"] == (False, False, 1)
    assert said["big·"] == (False, True, 0)
    assert index.in_every() == frozenset(tokenizer.ids("myshape,"))


def test_captions_that_are_written_differently_but_are_the_same_tokens_are_found(tokenizer: Tokenizer) -> None:
    captions = {"a": "2x2 grid", "b": "2 x 2 Grid", "c": "2x2 grid", "d": "2x3 grid"}
    index = index_of(tokenizer, captions)

    view = index.view("a", captions["a"])

    assert view.identical == ("b",)
    assert view.repeated == ("c",)
    assert index.identical() == (("a", "b", "c"),)


def test_tags_that_are_written_differently_but_are_the_same_tokens_are_found(tokenizer: Tokenizer) -> None:
    index = index_of(tokenizer, {"a": "2x2, red", "b": "2 X 2, blue", "c": "red"})

    assert index.view("a", "2x2, red").respelled == (("2x2", ("2 X 2",)),)
    assert index.view("c", "RED").respelled == (("RED", ("red",)),)
    assert index.respelled() == (("2x2", "2 X 2"),)


def test_a_caption_being_typed_is_not_compared_with_its_own_older_text(tokenizer: Tokenizer) -> None:
    index = index_of(tokenizer, {"a": "2x2", "b": "red"})

    view = index.view("a", "2 x 2")

    assert view.identical == view.repeated == view.respelled == ()
    assert all(view.only_here(piece) for piece in view.tokens.pieces)


def test_an_image_alone_shares_with_nobody(tokenizer: Tokenizer) -> None:
    view = index_of(tokenizer, {"a": "red"}).view("a", "red")

    assert not any(view.in_every(piece) or view.only_here(piece) for piece in view.tokens.pieces)


def test_changes_one_by_one_come_to_the_same_as_reading_all_again(tokenizer: Tokenizer) -> None:
    dice = random.Random(3)
    words = ["red", "Red", "2x2", "2 x 2", "big apple", "☃", "", "a (b)"]

    def caption() -> str:
        return ", ".join(dice.choices(words, k=dice.randint(0, 4)))

    captions = {f"{n}.png": caption() for n in range(40)}
    index = index_of(tokenizer, captions)
    for _ in range(200):
        name = f"{dice.randint(0, 45)}.png"
        if dice.random() < 0.2:
            captions.pop(name, None)
        else:
            captions[name] = caption()
        index.fill(captions)

    fresh = index_of(tokenizer, captions)
    assert len(index) == len(captions)
    assert index.in_every() == fresh.in_every()
    assert {frozenset(group) for group in index.identical()} == {frozenset(group) for group in fresh.identical()}
    assert {frozenset(group) for group in index.respelled()} == {frozenset(group) for group in fresh.respelled()}
    for name, text in captions.items():
        assert index.count(name) == len(tokenizer.ids(text))
        mine, new = index.view(name, text), fresh.view(name, text)
        assert mine.holding == new.holding
        assert set(mine.identical) == set(new.identical)
        assert {tag: set(others) for tag, others in mine.respelled} == {tag: set(o) for tag, o in new.respelled}


def test_reading_all_captions_tells_how_far_it_is_and_can_be_ended(tokenizer: Tokenizer) -> None:
    captions = {f"{n}.png": f"picture {n}" for n in range(3 * AT_ONCE)}
    told: list[tuple[int, int]] = []

    def until_second(done: int, total: int) -> None:
        told.append((done, total))
        if done >= AT_ONCE:
            raise Cancelled

    index = TokenIndex(tokenizer)
    with pytest.raises(Cancelled):
        index.fill(captions, until_second)

    assert told == [(0, len(captions)), (AT_ONCE, len(captions))]
    assert index.count("0.png") == 2
    assert index.count(f"{AT_ONCE}.png") is None
    assert [len(part) for part in index.outdated(captions)] == [AT_ONCE, AT_ONCE]


def test_captions_beyond_the_limit_are_listed(tokenizer: Tokenizer) -> None:
    index = index_of(tokenizer, {"short": "red", "long": "red " * 76})

    assert index.too_long() == ("long",)


def test_a_base_model_that_is_not_there_is_said_in_words(home: Path) -> None:
    (home / "dataset").mkdir()
    project = read('[base]\nmodel = "nowhere"\n[dataset]\npath = "dataset"\n')

    with pytest.raises(LabError, match="nowhere"):
        load_tokenizer(project)


def test_the_tokenizer_of_a_project_is_that_of_its_base_model(home: Path, tokenizer: Tokenizer) -> None:
    (home / "dataset").mkdir()
    project = read('[base]\nmodel = "tinyworld"\n[dataset]\npath = "dataset"\n')

    assert load_tokenizer(project).ids("myshape") == tokenizer.ids("myshape")


def test_a_model_of_the_hub_is_looked_for_in_the_cache_and_never_fetched(
    home: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "dataset").mkdir()
    project = read('[base]\nmodel = "somebody/sd15"\n[dataset]\npath = "dataset"\n')
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "cache"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("this would fetch the model"))

    with pytest.raises(LabError, match=r"somebody/sd15.*not on this machine yet"):
        load_tokenizer(project)

    model = home / "cache" / "models--somebody--sd15"
    (model / "refs").mkdir(parents=True)
    (model / "refs/main").write_text("abc123")
    shutil.copytree(FOLDER.parent, model / "snapshots/abc123")
    assert load_tokenizer(project).ids("myshape") == tokenizer.ids("myshape")
