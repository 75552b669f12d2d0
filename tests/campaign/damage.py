"""Ways in which a file can be wrong: damaged bytes, and values that are well formed and mean no good.

Each takes the content and luck, and returns what stands there afterwards with a word for it. Formats are known just
well enough to change one value and leave the rest readable: JSON, JSON lines, TOML, and the header of safetensors.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections.abc import Callable
from typing import Any

DEEP = 5_000
LONG = "very long, " * 20_000
CONTROLS = "a\x1b[31mb\x9b7mc\x07\x00d\u202ee\u2066f\u200bg\x1b]0;title\x07"
# What may stand where something else did. A float that is no number is written as its word by JSON and TOML.
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    10**30,
    -(2**63),
    0.5,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e308,
    "",
    "x",
    "nan",
    "-1",
    LONG,
    CONTROLS,
    "../../../../etc/passwd",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    [1, "x"],
    {"x": 1},
    {"": {}},
    "1e999",
)
Way = Callable[[bytes, random.Random], tuple[bytes, str]]


# -- bytes ------------------------------------------------------------------------------------------------------------


def _flip(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    changed = bytearray(content or b"\0")
    place = luck.randrange(len(changed))
    bit = luck.randrange(8)
    changed[place] ^= 1 << bit
    return bytes(changed), f"bit {bit} of byte {place} flipped"


def _piece(content: bytes, luck: random.Random) -> tuple[int, int]:
    start = luck.randrange(len(content) + 1)
    return start, min(len(content), start + luck.choice([1, 2, 8, 100, 5_000]))


def _delete(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    start, end = _piece(content, luck)
    return content[:start] + content[end:], f"bytes {start} to {end} deleted"


def _double(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    start, end = _piece(content, luck)
    return content[:end] + content[start:], f"bytes {start} to {end} there twice"


def _insert(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    place = luck.randrange(len(content) + 1)
    new = luck.choice(
        [
            b"\0",
            b"\xff\xfe",
            b"\x1b[31m",
            b"\x9b",
            b"[" * DEEP,
            b"{" * DEEP,
            b'"',
            b"\n",
            b"\r",
            b"= ",
            "\u202e".encode(),
            luck.randbytes(16),
        ]
    )
    return content[:place] + new + content[place:], f"{new[:12]!r}{'…' if len(new) > 12 else ''} put in at byte {place}"


def _cut(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    place = luck.randrange(len(content) + 1)
    return content[:place], f"cut off at byte {place}"


def _empty(_: bytes, __: random.Random) -> tuple[bytes, str]:
    return b"", "empty"


def _zeros(content: bytes, _: random.Random) -> tuple[bytes, str]:
    return b"\0" * len(content), "all of it NUL"  # as a power cut can leave a file


def _noise(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    return luck.randbytes(min(len(content), 4096)), "noise"


def _lines(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    lines = content.splitlines(keepends=True) or [b"\n"]
    first, second = luck.randrange(len(lines)), luck.randrange(len(lines))
    kind = luck.choice(["swapped", "doubled", "gone"])
    if kind == "swapped":
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == "doubled":
        lines.insert(second, lines[first])
    else:
        del lines[first]
    return b"".join(lines), f"lines {first + 1} and {second + 1} {kind}"


def _encoded(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    kind = luck.choice(["utf-16", "utf-32", "latin-1", "BOM", "CRLF", "CR", "surrogate"])
    text = content.decode("utf-8", "replace")
    if kind == "BOM":
        return b"\xef\xbb\xbf" + content, "with a BOM"
    if kind in ("CRLF", "CR"):
        return content.replace(b"\n", b"\r\n" if kind == "CRLF" else b"\r"), f"line ends are {kind}"
    if kind == "surrogate":
        return content.replace(b"a", b"\xed\xa0\x80", 1), "a lone surrogate in it"
    return (text + "ä").encode(kind, "replace"), f"as {kind}"


def _nested(_: bytes, luck: random.Random) -> tuple[bytes, str]:
    what = luck.choice([b"[", b'{"a":', b"a = " + b"[" * DEEP + b"]" * DEEP, b"[[a]]\nb = " + b"{x=" * DEEP])
    content = what * DEEP + b"1" if len(what) < 10 else what
    return content, f"nested {DEEP:,} deep ({what[:6]!r})"


BYTES: tuple[Way, ...] = (_flip, _flip, _delete, _double, _insert, _insert, _cut, _cut, _empty, _zeros, _noise)
TEXT: tuple[Way, ...] = (*BYTES, _lines, _lines, _encoded, _encoded, _nested)


# -- values -----------------------------------------------------------------------------------------------------------


def change_value(document: Any, luck: random.Random) -> tuple[Any, str]:
    """One place of a document changed: another value there, or its key gone, doubled or renamed."""
    places = list(_places(document))
    if not places:
        return luck.choice(ODD), "all of it another value"
    parent, key, path = luck.choice(places)
    kind = luck.random()
    if kind < 0.15:
        del parent[key]
        return document, f"{path} gone"
    if kind < 0.2 and isinstance(parent, dict):
        parent[luck.choice(["", "x", CONTROLS, LONG, "__class__"])] = parent.pop(key)
        return document, f"{path} under another name"
    if kind < 0.3 and isinstance(parent, list):
        parent.insert(key, parent[key])
        return document, f"{path} there twice"
    if kind < 0.4:
        deep: Any = 1
        for _ in range(luck.choice([50, 900])):
            deep = [deep]
        parent[key] = deep
        return document, f"{path} nested deep"
    if kind < 0.5 and isinstance(parent[key], (int, float)) and not isinstance(parent[key], bool):
        parent[key] = luck.choice([-parent[key], parent[key] + 1, parent[key] * 10**9, float(parent[key]) / 3])
        return document, f"{path} = {parent[key]!r}"
    parent[key] = luck.choice(ODD)
    return document, f"{path} = {repr(parent[key])[:60]}"


def _places(document: Any, path: str = "") -> Any:
    """Every place, with what it is in; among many of a list only the first, one in the middle and the last."""
    if isinstance(document, dict):
        keys: list[Any] = list(document)
    elif isinstance(document, list):
        keys = sorted({0, len(document) // 2, len(document) - 1} & set(range(len(document))))
    else:
        return
    for key in keys:
        here = f"{path}.{key}" if path else str(key)
        yield document, key, here
        yield from _places(document[key], here)


def _json(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    try:
        document = json.loads(content)
    except ValueError:
        return _flip(content, luck)
    document, what = change_value(document, luck)
    return json.dumps(document).encode("utf-8", "surrogatepass"), what


def _json_line(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    lines = content.split(b"\n")
    number = luck.randrange(max(1, len(lines) - 1))
    lines[number], what = _json(lines[number], luck)
    # As the program itself writes them: a look for the last event searches for this spelling.
    lines[number] = lines[number].replace(b'{"kind": ', b'{"kind":').replace(b', "t": ', b',"t":')
    return b"\n".join(lines), f"line {number + 1}: {what}"


def _toml(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    import tomli_w

    try:
        document, what = change_value(tomllib.loads(content.decode()), luck)
        return tomli_w.dumps(_without_none(document)).encode("utf-8", "surrogatepass"), what
    except (ValueError, TypeError, RecursionError):
        return _toml_word(content, luck)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value if one is not None] if isinstance(value, list) else value


def _toml_word(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    """A value in its text, so that the rest of the file stays as a person wrote it."""
    found = list(re.finditer(rb"(?m)^[ \t]*([\w.]+) = (.*)$", content))
    if not found:
        return _flip(content, luck)
    match = luck.choice(found)
    new = luck.choice(
        [
            b"-1",
            b"0",
            b"nan",
            b"inf",
            b"1e400",
            b"9" * 30,
            b'""',
            b"[]",
            b"{}",
            b"[{}]",
            b'["", 1]',
            b"true",
            b"1979-05-27T07:32:00Z",
            b"07:32:00",
            b'"\\u0000\\u001b[31m"',
            b'"\xe2\x80\xae"',
            b"{ prompt = 0.0 }",
            b"[" * DEEP + b"]" * DEEP,
            json.dumps(LONG).encode(),
            b"{ a = { b = [ {}, 1 ] } }",
        ]
    )
    twice = luck.random() < 0.1
    start, end = (match.end(), match.end()) if twice else match.span(2)
    put = b"\n" + match[0] if twice else new
    return content[:start] + put + content[
        end:
    ], f"{match[1].decode()} {'there twice' if twice else '= '}{'' if twice else repr(new[:40])}"


def _tensors(content: bytes, luck: random.Random) -> tuple[bytes, str]:
    """The header of a .safetensors file: its length, or a value in it."""
    length = int.from_bytes(content[:8], "little")
    if luck.random() < 0.3:
        new = luck.choice([0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1])
        return new.to_bytes(8, "little") + content[8:], f"its header says it is {new} bytes long"
    header, what = _json(content[8 : 8 + length], luck)
    return len(header).to_bytes(8, "little") + header + content[8 + length :], f"header: {what}"


def _pickled(_: bytes, luck: random.Random) -> tuple[bytes, str]:
    """In place of a state: a pickle, or an archive of torch that holds something else."""
    import io
    import pickle

    import torch

    what = luck.choice(
        [
            [],
            {},
            {"weights": {}},
            {"weights": {}, "optimizer": {}, "scaler": {}},
            1,
            None,
            "x",
            {"weights": [], "optimizer": 1, "scaler": None},
            {"weights": {"x": [torch.zeros(1)] * 2}, "optimizer": {}, "scaler": {}},
        ]
    )
    if luck.random() < 0.3:
        return pickle.dumps(str(what)), "a plain pickle"
    buffer = io.BytesIO()
    torch.save(what, buffer)
    return buffer.getvalue(), f"torch.save of {str(what)[:50]}"


VALUES: dict[str, tuple[Way, ...]] = {
    ".json": (_json,),
    ".jsonl": (_json_line,),
    ".toml": (_toml, _toml_word),
    ".safetensors": (_tensors,),
    ".pt": (_pickled,),
}


BINARY: tuple[Way, ...] = (*BYTES, *[_flip] * 6)  # what a disk does by itself, and checksums are for


def damaged(name: str, content: bytes, luck: random.Random) -> tuple[bytes, str]:
    """The content of a file of that name, damaged in one way, and which."""
    suffix = name[name.rfind(".") :] if "." in name else ""
    binary = suffix in (".pt", ".png", ".safetensors", ".tensor")
    values = VALUES.get(suffix, ())
    if values and luck.random() < 0.6:
        return luck.choice(values)(content, luck)
    return luck.choice(BINARY if binary else TEXT)(content, luck)
