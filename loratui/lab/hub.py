"""Models of the Hugging Face hub: the copy that is on this machine, and fetching one.

The cache is found by its layout, as its own library is a slow import. That library fetches, with its own settings for
proxies, mirrors and tokens, and is loaded for nothing else. What a model has to hold is modelfiles.py's.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.files import read_text
from loratui.lab.plain import plain

_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


class FetchFailed(LabError):
    """Nothing came from the hub."""


def is_hub_id(name: str) -> bool:
    """Whether it is written as owner/name."""
    return _ID.fullmatch(name) is not None


def hub_cache() -> Path:
    """HF_HUB_CACHE, else hub in HF_HOME, else where that library keeps it by itself."""
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    own = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expandvars(own or home / "hub")).expanduser()


def cached_snapshot(repository: str, revision: str = "") -> Path | None:
    """The folder of the copy of a model that is on this machine, which may not be whole."""
    model = hub_cache() / f"models--{repository.replace('/', '--')}"
    with contextlib.suppress(OSError, ValueError):
        copies = [copy.name for copy in (model / "snapshots").iterdir()]
        begun = [copy for copy in copies if re.fullmatch(r"[0-9a-f]{7,}", revision) and copy.startswith(revision)]
        commit = begun[0] if len(begun) == 1 else ""  # a commit may be given by its beginning, as git has it
        if not commit:
            commit = read_text(model / "refs" / (revision or "main"), 200).strip()
        if re.fullmatch(r"\w+", commit) and (model / "snapshots" / commit).is_dir():
            return model / "snapshots" / commit
    return None


def fetch(repository: str, revision: str, patterns: Sequence[str]) -> Path:
    """Download the files that fit the patterns, as far as they are not there; returns the snapshot's folder.

    FetchFailed with the reason, and with what to do where the model wants its terms accepted first.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise FetchFailed("nothing is downloaded while HF_HUB_OFFLINE is set; unset it, or copy the model here")
    try:
        return Path(
            huggingface_hub.snapshot_download(repository, revision=revision or None, allow_patterns=list(patterns))
        )
    except Exception as error:  # a dozen kinds, of the connection and of the disk
        causes = (error, error.__cause__)  # what the hub answered may be wrapped in what is not on this machine
        answers = [getattr(cause.response, "status_code", 0) for cause in causes if isinstance(cause, HfHubHTTPError)]
        if any(code in (401, 403) for code in answers):
            raise FetchFailed(
                f"the hub does not give it to everybody, or has no such model: accept its terms on "
                f"https://huggingface.co/{plain(repository)}, then log in with: hf auth login"
            ) from error
        reason = str(error).strip().splitlines()
        raise FetchFailed(
            f"downloading failed: {type(error).__name__}: {plain(reason[0] if reason else '', 300)}"
        ) from error
