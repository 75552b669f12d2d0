"""The header of a .safetensors file: which tensors it holds and where, read without the package of that name.

A file is 8 bytes with the header's length (little endian), the header in JSON, then the bytes of the tensors without
gaps. What is there is held against the size of the file, so that half a download is found before anything is loaded.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.files import open_binary
from loratui.lab.plain import plain

MOST_HEADER = 100_000_000  # bytes; the limit of the safetensors package itself
_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16,
         "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What a file says of itself. `start` is the first byte of the tensors."""

    shapes: Mapping[str, tuple[int, ...]]  # by the tensor's name
    metadata: Mapping[str, str]
    start: int


def read_header(path: Path) -> Header:
    """The header of a file that is whole. LabError when it is cut short or malformed, OSError when it is not there."""
    try:
        with open_binary(path) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > MOST_HEADER:
                raise ValueError("it does not begin with the length of a header")
            text = file.read(length)
        if len(text) < length:
            raise _CutShort(f"{size:,} of more than {8 + length:,}")
        shapes, metadata, end = _understood(text)
        if size < 8 + length + end:
            raise _CutShort(f"{size:,} of {8 + length + end:,}")
        if size > 8 + length + end:
            raise ValueError(f"there are {size - 8 - length - end:,} bytes behind its last tensor")
    except _CutShort as error:
        raise LabError(f"{plain(path)}: cut short: {error} bytes are there; download or copy it again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LabError(
            f"{plain(path)}: cannot be read as a .safetensors file: {plain(error, 200)}; download or copy it again"
        ) from error
    return Header(shapes, metadata, 8 + length)


class _CutShort(Exception):
    """How many of how many bytes are there."""


def _understood(text: bytes) -> tuple[dict[str, tuple[int, ...]], dict[str, str], int]:
    """Shapes, metadata, and how many bytes of tensors there should be. ValueError and its like when it cannot be."""
    content = json.loads(text.decode("utf-8"))
    metadata = {str(key): str(value) for key, value in (content.pop("__metadata__", None) or {}).items()}
    shapes, places = {}, []
    for name, tensor in content.items():
        shape, place = _tensor(name, tensor)
        shapes[name] = shape
        places.append((*place, name))
    end = 0
    for begin, stop, name in sorted(places):
        if begin != end:
            raise ValueError(f"{name} begins at byte {begin:,} of the tensors and not at {end:,}")
        end = stop
    return shapes, metadata, end


def _tensor(name: str, tensor: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, int]]:
    (begin, end), shape, bits = tensor["data_offsets"], tensor["shape"], _BITS.get(tensor["dtype"])
    numbers = [begin, end, *shape]
    if any(type(number) is not int or number < 0 for number in numbers) or end < begin:
        raise ValueError(f"{name} has a shape or a place that cannot be")
    if bits and math.prod(shape) * bits != 8 * (end - begin):
        raise ValueError(f"{name} has {end - begin:,} bytes, which do not make {tensor['dtype']} {shape}")
    return tuple(shape), (begin, end)
