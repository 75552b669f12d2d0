"""The project that every campaign tries things on: built once in its place, copied there afresh for each try.

It is always at the same path, so that what a run records of its surroundings stays right in every copy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaign import children
from tests.campaign.children import Ended, Place
from tests.campaign.judges import Whole, read_whole

PROJECT = "shapes"
STEPS = 12
SETTINGS = f"""
[dataset]
shuffle_tags = true
caption_dropout = 0.2
flip = true
[lora]
rank = 2
dropout = 0.1
[train]
steps = {STEPS}
checkpoint_every = 3
log_every = 1
probe_every = 4
seed = 3
[sample]
every = 4
seeds = [1, 2]
inference_steps = [1, 2]
[[sample.prompt]]
text = "myshape"
expect = {{ colour = "gray", shape = "circle", background = "white" }}

[[claim]]
text = "Grey is learned."
expectation = "colour"
[[claim]]
text = "A white ground is not."
expectation = {{ expect = "background", rate = [0.0, 0.5] }}

[[variant]]
name = "monster"
replace_tags = {{ myshape = "monster" }}
"""


class Ground:
    """`place` is where commands are given; `reset` makes it what it was when it was built."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.place = Place(base / "work", base / "work" / "cache")
        self._kept = base / "kept"
        self._built: set[str] = set()
        self._there = ""
        self.untouched = False  # what was tried since has put everything back
        self.whole: Whole | None = None
        self.seconds = 0.0  # an undisturbed run, forked
        self.changes = 0  # that it makes on the disk

    @property
    def project(self) -> Path:
        return self.place.folder / PROJECT

    def runs(self) -> list[Path]:
        """Oldest first."""
        runs = self.project / "runs"
        return sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []

    def reset(self, name: str) -> None:
        """`bare`: a project without runs and a warm cache. `trained`: with runs of many kinds, see `_trained`."""
        if self.untouched and self._there == name:
            self.untouched = False
            return
        self.untouched = False
        if name not in self._built:
            self._build(name)
        shutil.rmtree(self.place.folder, ignore_errors=True)
        copy(self._kept / name, self.place.folder)
        self._there = name

    def _build(self, name: str) -> None:
        if name != "bare":
            self.reset("bare")
            self._trained()
        else:
            self._bare()
        copy(self.place.folder, self._kept / name)
        self._built.add(name)

    def _bare(self) -> None:
        from tests.models import build_tiny_model
        from tests.processes import write_project

        shutil.rmtree(self.place.folder, ignore_errors=True)
        self.place.folder.mkdir(parents=True)
        children.apart(lambda: build_tiny_model(self.place.folder / "model"))
        write_project(self.project, "../model", SETTINGS)
        done(children.call(self.place, "--run", PROJECT, memory=None))  # fills the cache
        count = self.base / "count"
        for counted in (False, True):
            shutil.rmtree(self.project / "runs")
            moment = _Counting(self.place.folder, count) if counted else None
            ended = done(children.start(self.place, ["--run", PROJECT], moment=moment).end(120))
            [run] = self.runs()
            whole = read_whole(run)
            if self.whole is not None and whole != self.whole:
                raise RuntimeError(f"two undisturbed runs differ: {whole.differences(self.whole)}")
            self.whole, self.seconds = whole, ended.seconds if not counted else self.seconds
        self.changes = int(count.read_text(encoding="ascii").splitlines()[-1])
        shutil.rmtree(self.project / "runs")

    def _trained(self) -> None:
        """Runs in their order: finished with all that is derived, stopped, finished, stopped."""
        for number in range(4):
            overrides = ["--set", f"train.seed={3 if number < 2 else 4}"]
            if number % 2:
                from tests.campaign.children import Counted

                moment = Counted(self.place.folder, self.changes * 2 // 3, lambda: os.kill(os.getpid(), 15))
                ended = children.start(self.place, ["--run", PROJECT, *overrides], moment=moment).end(120)
                if ended.code != 143:
                    raise RuntimeError(f"{ended.line}: {ended.code}\n{ended.said}")
            else:
                done(children.call(self.place, "--run", PROJECT, *overrides, memory=None))
        first = str(self.runs()[0].relative_to(self.place.folder))
        for words in (("--drift", first), ("--weights", first), ("--measure", first), ("--note", first, "grey"),
                      ("--weights", first, "--knock-out", "--seeds", "1"), ("--attribute", first, "--seeds", "1"),
                      ("--sample", first, "--seeds", "1-3")):  # fmt: skip
            done(children.call(self.place, *words, memory=None, limit=200))


class _Counting(children.Counted):
    """Writes down how many changes there were; the last line is the sum."""

    def __init__(self, folder: Path, file: Path) -> None:
        super().__init__(folder, 0, lambda: None)
        self._descriptor, self._file = -1, file
        file.unlink(missing_ok=True)

    def arm(self) -> None:
        self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        super().arm()

    def _hear(self, event: str, given: tuple[object, ...]) -> None:
        before = self.count
        super()._hear(event, given)
        if self.count != before:
            os.write(self._descriptor, f"{self.count}\n".encode("ascii"))


def done(ended: Ended) -> Ended:
    """RuntimeError for a command that did not do what it should when nothing disturbs it."""
    if ended.code != 0:
        raise RuntimeError(f"{ended.line}: ended with {ended.code}\n{ended.said}")
    return ended


def copy(source: Path, target: Path) -> None:
    """A copy with its times; weights of the base model are shared, since nobody writes into them in place."""

    def one(old: str, new: str) -> None:
        if old.endswith(".safetensors") and "/model/" in old:
            os.link(old, new)
        else:
            shutil.copy2(old, new)

    shutil.copytree(source, target, copy_function=one, symlinks=True, ignore=_ignore_odd)


def _ignore_odd(folder: str, names: list[str]) -> set[str]:
    """FIFOs and sockets cannot be copied."""
    return {name for name in names if not (path := Path(folder) / name).is_symlink() and not path.is_file()
            and not path.is_dir()}  # fmt: skip


def files_below(folder: Path) -> Iterator[Path]:
    """Regular files, hidden ones too, links not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


Act = Callable[[], object]
