"""The tokens shown to a person are the tokens the text encoder gets."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from loratui.lab.dataset.tokens import Tokenizer
from loratui.lab.errors import LabError

FOLDER = Path(__file__).parents[3] / "loratui" / "tinyworld" / "model" / "tokenizer"

# fmt: off
TEXTS = [
    "", " ", "myshape", "my shape", "monster", "2x2", "2 x 2", "2X2", "2×2", "2*2", "10x10", "3x2 apple, white ground",
    "grid layout", "grid layout,", "gridlayout", "red_monster", "red-monster", "RED Monster", "sks", "ohwx",
    "it's DON'T we'll they've i'd you're i'm", "'s's''s", "a!!! b! ! ?!", "<b>bold</b> &amp; &lt;", "http://a.b/c?d=e#f",
    "<|startoftext|>", "<|endoftext|> a", "a<|endoftext|>", "<|ENDOFTEXT|>", "<|endoftext", "tab\tand\nnewline\r\n",
    "naïve café", "nai\u0308ve cafe\u0301", "İstanbul ß ſ ﬁ Ǆ", "ΑΣ σς", "日本語のテスト", "中文，标点。", "한국어",
    "שלום", "مرحبا ٣٤٥", "हिन्दी", "😀", "👨‍👩‍👧 🇩🇪 ❤️", "½ ² Ⅷ ①", "\u00a0nbsp\u3000wide", "zero\u200bwidth \ufeff",
    "\x00\x07\x1b[31m", "x" * 300, "1234567890", "a,b,c", "(masterpiece:1.2), [bad|worse]", "--n ugly --w 512",
    "C:\\data\\x.png", "…—–“quotes”", "\ufffd",
]
# fmt: on


def random_texts(count: int) -> list[str]:
    dice = random.Random(20)
    letters = "aAbeZz09 ,.'!éß日😀\u0301\u200d<|>&_-\n\t "
    words = ["red", "Shape", "it's", "2x2", "<|endoftext|>", "apple", ",", "123", "naïve", "!!"]
    texts = ["".join(dice.choice(letters) for _ in range(dice.randint(0, 30))) for _ in range(count)]
    return texts + [dice.choice(" ,_").join(dice.choices(words, k=dice.randint(1, 8))) for _ in range(count)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(FOLDER)


def test_ids_are_those_of_transformers_for_every_layout_of_a_tokenizer_folder(tmp_path: Path) -> None:
    """All layouts in one test, because importing transformers is what takes the time."""
    from transformers import CLIPTokenizer

    plain_map = json.loads((FOLDER / "special_tokens_map.json").read_text())
    config = json.loads((FOLDER / "tokenizer_config.json").read_text())

    def layout(name: str, **files: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for part in ("vocab.json", "merges.txt"):
            shutil.copy(FOLDER / part, folder)
        for part, content in files.items():
            (folder / f"{part}.json").write_text(json.dumps(content))
        return folder

    as_sd15 = {
        key: {"content": text, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
        for key, text in plain_map.items()
    }
    toy = {"content": "<cat-toy>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    folders = [
        FOLDER,
        layout("bare"),
        layout("sd15", tokenizer_config=config, special_tokens_map=as_sd15),
        # The second tokenizer of SDXL: "!" is the padding, and so always a token of its own.
        layout(
            "sdxl2",
            tokenizer_config=config | {"pad_token": "!"},
            special_tokens_map=plain_map | {"pad_token": "!"},
        ),
        layout("inversion", tokenizer_config=config, added_tokens={"<cat-toy>": 49408}),
        layout("decoder", tokenizer_config=config | {"added_tokens_decoder": {"49408": toy}}),
    ]
    CLIPTokenizer.from_pretrained(FOLDER).save_pretrained(tmp_path / "whole")
    folders.append(tmp_path / "whole")
    assert not (tmp_path / "whole" / "vocab.json").exists()

    texts = [*TEXTS, "a <cat-toy>!", *random_texts(150)]
    assert len(texts) > 300
    for folder in folders:
        theirs, ours = CLIPTokenizer.from_pretrained(folder), Tokenizer.load(folder)
        for text in texts:
            expected = theirs(text, add_special_tokens=False)["input_ids"]
            assert ours.ids(text) == tuple(expected), f"{folder.name}: {text!r}"
            assert [token.id for token in ours.encode(text)] == expected


@pytest.mark.parametrize(
    ("text", "ids", "pieces"),
    [
        ("myshape", [1152, 6448], ["my", "shape·"]),
        ("monster", [6060], ["monster·"]),
        ("2x2", [273, 343, 273], ["2·", "x·", "2·"]),
        ("2 x 2", [273, 343, 273], ["2·", "x·", "2·"]),
        ("10x10", [272, 271, 343, 272, 271], ["1·", "0·", "x·", "1·", "0·"]),
        ("two by two", [1237, 638, 1237], ["two·", "by·", "two·"]),
        ("café", [15304], ["café·"]),
        ("<|endoftext|>", [49407], ["<|endoftext|>"]),
        ("", [], []),
    ],
)
def test_pieces_show_where_words_end(tokenizer: Tokenizer, text: str, ids: list[int], pieces: list[str]) -> None:
    tokens = tokenizer.encode(text)
    assert [token.id for token in tokens] == ids
    assert [token.piece for token in tokens] == pieces


def test_the_pieces_of_a_caption_join_to_its_words(tokenizer: Tokenizer) -> None:
    for text in ("a thin grey line, unfinished", "hypersphere extraordinaire", "naïve zebrafishes"):
        joined = "".join(token.piece for token in tokenizer.encode(text)).replace("·", " ")
        assert joined.split() == text.replace(",", " ,").split()


def test_half_a_character_is_shown_as_its_bytes(tokenizer: Tokenizer) -> None:
    pieces = [token.piece for token in tokenizer.encode("𓀀")]
    assert len(pieces) > 1
    assert all(piece.isascii() or piece.endswith("·") for piece in pieces)
    assert pieces[0].startswith("\\x")


def test_the_limit_leaves_room_for_the_begin_and_end_token(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert tokenizer.limit == 75
    shutil.copytree(FOLDER, tmp_path / "endless")
    (tmp_path / "endless" / "tokenizer_config.json").write_text('{"model_max_length": 1e30}')
    assert Tokenizer.load(tmp_path / "endless").limit == 75


def test_a_text_that_is_not_unicode_still_has_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.ids("a \udcff b") == tokenizer.ids("a ? b")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no tokenizer here"),
        ({"vocab.json": "{}"}, "no tokenizer here"),
        ({"vocab.json": "{}", "merges.txt": "#version: 0.2\na b\n"}, "cannot be read as a CLIP tokenizer"),
        ({"vocab.json": "not json", "merges.txt": ""}, "cannot be read as a CLIP tokenizer"),
        ({"tokenizer.json": '{"model": {"type": "Unigram"}}'}, "not CLIP's kind"),
        ({"tokenizer.json": '{"no": "model"}'}, "cannot be read as a CLIP tokenizer"),
        ({"tokenizer.json": "{"}, "tokenizer.json: cannot be read"),
    ],
)
def test_a_folder_without_a_clip_tokenizer_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(LabError, match=message) as raised:
        Tokenizer.load(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_a_fifo_or_a_giant_in_place_of_a_tokenizers_file_is_refused_at_once(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "odd")
    (folder / "tokenizer_config.json").unlink()
    os.mkfifo(folder / "tokenizer_config.json")
    with pytest.raises(LabError, match=r"tokenizer_config\.json: cannot be read"):
        Tokenizer.load(folder)
    (folder / "tokenizer_config.json").unlink()
    with (folder / "tokenizer_config.json").open("wb") as giant:
        giant.truncate(1 << 40)
    with pytest.raises(LabError, match=r"tokenizer_config\.json: cannot be read .*larger than"):
        Tokenizer.load(folder)
