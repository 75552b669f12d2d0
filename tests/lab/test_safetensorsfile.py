"""The header of a weights file is read without loading it, and what is not whole or not in order is said in words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from loratui.lab.errors import LabError
from loratui.lab.safetensorsfile import read_header


def written(path: Path, header: Any, payload: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + payload)
    return path


def tensor(begin: Any, end: Any, shape: Any = (1,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_what_the_package_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"b": torch.zeros(2, 3).bfloat16(), "a": torch.tensor(1.0), "e": torch.zeros(0)}, path, {"note": "é"})
    header = read_header(path)
    assert header.shapes == {"a": (), "b": (2, 3), "e": (0,)}
    assert header.metadata == {"note": "é"}
    assert path.stat().st_size - header.start == 16


@pytest.mark.parametrize("kept", [16, 200, 2000, -1])
def test_a_file_that_is_cut_short_says_how_much_of_it_is_there(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.safetensors"
    save_file({f"tensor {n}": torch.zeros(100) for n in range(10)}, path)
    content, start = path.read_bytes(), read_header(path).start
    path.write_bytes(content[:kept])
    there = len(content[:kept])
    meant = f"{len(content):,}" if there >= start else f"more than {start:,}"
    with pytest.raises(LabError) as told:
        read_header(path)
    assert str(told.value) == f"{path}: cut short: {there:,} of {meant} bytes are there; download or copy it again"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"a": tensor(0, 4)}, r"there are 4 bytes behind its last tensor"),
        ({"a": tensor(0, 4), "b": tensor(2, 6), "c": tensor(6, 8, (2,), "U8")}, "b begins at byte 2"),
        ({"a": tensor(0, 4), "b": tensor(8, 8, (0,))}, "b begins at byte 8"),
        ({"a": tensor(-4, 8, (3,))}, "cannot be"),
        ({"a": tensor(8, 0)}, "cannot be"),
        ({"a": tensor(0, 8, (10**9, 10**9))}, "which do not make"),
        ({"a": tensor(0, 8, ("2",))}, "cannot be"),
        ({"a": tensor(0.0, 8.0, (2,))}, "cannot be"),
        ({"a": {"shape": []}}, "data_offsets"),
        ({"a": 3}, "not subscriptable"),
        ({"__metadata__": 3}, "int"),
        ([], ""),
        (b"{" * 9, "Expecting"),
        (b"[" * 100_000, "recursion"),
        (b"\xff" * 9, "utf-8"),
    ],
)
def test_a_malformed_header_is_refused_in_words(tmp_path: Path, content: Any, why: str) -> None:
    path = written(tmp_path / "a.safetensors", content, b"\0" * 8)
    with pytest.raises(LabError, match=rf"a\.safetensors: cannot be read as a \.safetensors file: .*{why}"):
        read_header(path)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 100_000_001])
def test_a_header_of_any_length_takes_no_memory(tmp_path: Path, length: int) -> None:
    with pytest.raises(LabError, match="does not begin with the length of a header"):
        read_header(written(tmp_path / "a.safetensors", {}, length=length))
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(LabError, match="does not begin with the length of a header"):
        read_header(tmp_path / "a.safetensors")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "nothing"):
        with pytest.raises(OSError):
            read_header(path)
