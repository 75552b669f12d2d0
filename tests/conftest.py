"""Fixtures that tests of several folders share."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

# Under nohup, or behind a shell's &, every process that a test starts would ignore these.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that would download something fails instead
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models here are too small for a second thread to pay
# A cache, and a queue for the device, of the tests' own: a person's live run is neither disturbed nor waited for.
_cache = tempfile.TemporaryDirectory(prefix="loratui-tests-")
os.environ["LORATUI_CACHE"] = _cache.name


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Stable Diffusion 1.x of a few megabytes, as a diffusers folder. Shared by all tests: read only."""
    from tests.models import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny-sd1")
