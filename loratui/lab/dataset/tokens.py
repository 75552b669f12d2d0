"""What CLIP makes of a caption: the token ids a text encoder will see, and the pieces to show a person.

Reads a diffusers `tokenizer/` folder with the light `tokenizers` library and yields the ids transformers'
CLIPTokenizer yields, without importing transformers. It does not add the begin and end tokens, pad or truncate:
a caption that is too long is for the check to report, not for this file to hide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratui.lab.errors import LabError, cause_of
from loratui.lab.files import read_text

if TYPE_CHECKING:
    import tokenizers

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
DEFAULT_LENGTH = 77  # positions of CLIP's text encoder, begin and end token included

# The three settings below are those of transformers' CLIPTokenizer (models/clip/tokenization_clip.py). Digits stand
# alone and spaces only separate, which is why "2x2" and "2 x 2" are the same tokens.
SPLIT = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
SPACES = r"\s+"
NAMED = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END}
OTHER_NAMED = ("sep_token", "cls_token", "mask_token")


@dataclass(frozen=True)
class Token:
    """One token: its id, and its piece of text with `·` where a word ends (`my`, `shape·`)."""

    id: int
    piece: str


class Tokenizer:
    """A CLIP tokenizer. `limit` is how many tokens of a caption the text encoder can see (75 for CLIP)."""

    def __init__(self, backend: tokenizers.Tokenizer, limit: int = DEFAULT_LENGTH - 2) -> None:
        self.backend = backend
        self.limit = limit

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """From a folder with tokenizer.json, or vocab.json and merges.txt. Raises LabError when it holds neither."""
        config = _read_json(folder / "tokenizer_config.json")
        whole = _read_json(folder / "tokenizer.json")
        try:
            backend = _build(_model(folder, whole))
            backend.add_tokens(list(_added_tokens(folder, config, whole)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabError(f"{folder}: cannot be read as a CLIP tokenizer ({error}); fetch the model again") from error
        length = config.get("model_max_length", DEFAULT_LENGTH)
        if not isinstance(length, int) or not 2 < length <= 4096:  # configs without a limit say 10**30
            length = DEFAULT_LENGTH
        return cls(backend, length - 2)

    def encode(self, text: str) -> list[Token]:
        """The tokens of a caption, in order, without begin and end token."""
        encoding = self.backend.encode(_encodable(text), add_special_tokens=False)
        return [Token(i, readable(raw)) for i, raw in zip(encoding.ids, encoding.tokens, strict=True)]

    def spans(self, text: str) -> list[tuple[Token, int, int]]:
        """The tokens with the characters each was made from: the first, and the one behind the last."""
        encoding = self.backend.encode(_encodable(text), add_special_tokens=False)
        found = zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True)
        return [(Token(i, readable(raw)), start, end) for i, raw, (start, end) in found]

    def ids(self, text: str) -> tuple[int, ...]:
        """Only the ids; two captions with equal ids are the same caption to the model."""
        return tuple(self.backend.encode(_encodable(text), add_special_tokens=False).ids)

    def many_ids(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of many captions; other threads go on meanwhile. A few hundred at once keep the memory small."""
        encodings = self.backend.encode_batch_fast([_encodable(text) for text in texts], add_special_tokens=False)
        return [tuple(encoding.ids) for encoding in encodings]


def readable(raw: str) -> str:
    """A vocabulary entry as text: bytes decoded, `</w>` shown as `·`; half a character is shown as `\\xf0\\x9f`."""
    body, end = (raw[: -len(WORD_END)], "·") if raw.endswith(WORD_END) else (raw, "")
    table = _bytes_of_characters()
    if any(c not in table for c in body):
        return raw  # an added token: stored as plain text
    return bytes(table[c] for c in body).decode("utf-8", errors="backslashreplace") + end


def _encodable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _bytes_of_characters() -> dict[str, int]:
    """GPT-2's byte-to-character table, turned round: printable Latin-1 is itself, the other bytes are U+0100 on."""
    if not _TABLE:
        printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
        _TABLE.update({chr(b): b for b in printable})
        hidden = [b for b in range(256) if b not in set(printable)]
        _TABLE.update({chr(256 + n): b for n, b in enumerate(hidden)})
    return _TABLE


_TABLE: dict[str, int] = {}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(read_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(f"{path}: cannot be read ({cause_of(error)}); fetch the model again") from error
    return loaded if isinstance(loaded, dict) else {}


def _model(folder: Path, whole: dict[str, Any]) -> Any:
    from tokenizers.models import BPE

    parts = {"unk_token": END, "continuing_subword_prefix": "", "end_of_word_suffix": WORD_END}
    if whole:
        model = whole["model"]
        if model.get("type", "BPE") != "BPE" or model.get("end_of_word_suffix") != WORD_END:
            raise ValueError(f"tokenizer.json is not CLIP's kind: {model.get('type')}")
        pairs = (m.split(" ") if isinstance(m, str) else m for m in model["merges"])
        merges = [(str(left), str(right)) for left, right in pairs]
        return BPE(vocab=model["vocab"], merges=merges, **parts)
    vocab, merges_file = folder / "vocab.json", folder / "merges.txt"
    if not (vocab.is_file() and merges_file.is_file()):
        raise LabError(
            f"{folder}: no tokenizer here; a model folder has tokenizer/tokenizer.json, "
            "or tokenizer/vocab.json and tokenizer/merges.txt"
        )
    try:
        return BPE.from_file(str(vocab), str(merges_file), **parts)
    except Exception as error:  # the Rust side raises bare Exception for a malformed file
        raise ValueError(str(error)) from error


def _build(model: Any) -> tokenizers.Tokenizer:
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

    backend = Tokenizer(model)
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(SPACES), " "), normalizers.Lowercase()]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return backend


def _added_tokens(folder: Path, config: dict[str, Any], whole: dict[str, Any]) -> Iterator[tokenizers.AddedToken]:
    """Tokens matched before splitting, in the order transformers adds them.

    They matter beyond the begin and end token: SDXL's second tokenizer pads with "!", which makes every "!" in a
    prompt a token of its own.
    """
    from tokenizers import AddedToken

    listed: dict[int, dict[str, Any]] = {}
    named: dict[str, Any] = {**NAMED, **{k: config[k] for k in (*NAMED, *OTHER_NAMED) if config.get(k)}}
    if "added_tokens_decoder" in config:
        listed = {int(i): dict(fields) for i, fields in config["added_tokens_decoder"].items()}
    else:
        for key, value in _read_json(folder / "special_tokens_map.json").items():
            if key in NAMED or key in OTHER_NAMED:
                named[key] = value
        special = {_content(v) for v in named.values()}
        for text, i in _read_json(folder / "added_tokens.json").items():
            listed[int(i)] = {"content": text, "normalized": text not in special, "special": text in special}
        for fields in whole.get("added_tokens", []):
            listed[int(fields["id"])] = dict(fields)
    special = {_content(v) for v in named.values()}
    found = {_content(listed[i]): listed[i] for i in sorted(listed)}
    found |= {_content(v): v if isinstance(v, dict) else {} for v in named.values() if _content(v) not in found}
    for text, flags in found.items():
        is_special = bool(flags.get("special", False)) or text in special
        yield AddedToken(
            text,
            single_word=bool(flags.get("single_word", False)),
            lstrip=bool(flags.get("lstrip", False)),
            rstrip=bool(flags.get("rstrip", False)),
            normalized=bool(flags.get("normalized", not is_special)),
            special=is_special,
        )


def _content(value: Any) -> str:
    return str(value["content"]) if isinstance(value, dict) else str(value)
