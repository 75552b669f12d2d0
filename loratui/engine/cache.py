"""Latents and text encodings, computed once and kept by content under the cache folder, never in the dataset.

A key holds everything the result depends on: the image's bytes, size and mirroring and the autoencoder's hash; the
final caption and the text encoder's hash. So nothing can go stale: a changed pixel or comma is another key. What is
read is held against its checksum: what is damaged, cut short or another's is computed again, and never believed.
"""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from loratui.lab.files import cache_folder, read_file, write_atomic

FORMAT = 2  # raise it when what is stored changes its meaning, or what was stored cannot be believed any more
CHUNK = 16


_DIGEST = 32  # bytes


def keep(path: Path, content: bytes) -> None:
    """Write an entry of the cache. Where something odd is in its place, a folder say, it is not kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomic(path, content)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EISDIR):
            raise


def _checksum(key: str, array: bytes) -> bytes:
    """The key is part of it, so that an entry under another one's name is noticed."""
    return hashlib.sha256(key.encode() + array).digest()


class TensorCache:
    """float32 arrays by content key, one file each: a SHA-256 of the key and the array, then the array as .npy."""

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self.folder = (folder or cache_folder()) / kind

    def key(self, *parts: Hashable) -> str:
        return hashlib.sha256(repr((FORMAT, *parts)).encode()).hexdigest()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.tensor"

    def get(self, key: str) -> torch.Tensor | None:
        """None when it is not there, or not what was put there under this key."""
        try:
            content = read_file(self._path(key))
            if content[:_DIGEST] != _checksum(key, content[_DIGEST:]):
                return None
            array = np.load(io.BytesIO(content[_DIGEST:]), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return torch.from_numpy(array) if array.dtype == np.float32 else None

    def put(self, key: str, value: torch.Tensor) -> None:
        buffer = io.BytesIO()
        np.save(buffer, value.detach().cpu().float().numpy())
        keep(self._path(key), _checksum(key, buffer.getvalue()) + buffer.getvalue())

    def fill(self, keys: Sequence[str], compute: Callable[[list[int]], Iterable[torch.Tensor]]) -> list[torch.Tensor]:
        """One tensor a key, in order; `compute` is asked, in chunks, for the positions that are not there yet."""
        found: list[torch.Tensor | None] = [self.get(key) for key in keys]
        missing = [i for i, value in enumerate(found) if value is None]
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            for i, value in zip(chunk, compute(chunk), strict=True):
                found[i] = value.detach().cpu().float()
                self.put(keys[i], value)
        return [value for value in found if value is not None]
