"""A run after its training: its checkpoints loaded again, and more pictures drawn with them.

A picture drawn here has the bits that the run's own worker would have drawn (see `sample`), and one that exists is
never drawn again. A worker that has the run meanwhile is not disturbed: pictures are written whole, and the event log
is left to it. Nothing heavy is imported before the device is ours, and nothing at all where everything is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from loratui.lab.files import atomic_path, make_folder
from loratui.lab.patience import Progress, quiet
from loratui.lab.pictures.cells import (
    Cell,
    Drawn,
    cells,
    facts_of,
    is_drawn,
    payload_hash,
    picture_path,
    sheet_mark,
    sheet_pages,
    write_sheets,
)
from loratui.lab.run.asked import asked_numbers
from loratui.lab.run.asking import checkpoint_steps, known_steps
from loratui.lab.run.events import EventLog
from loratui.lab.run.lock import device_name, device_turn, is_locked
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder
from loratui.lab.run.story import LogWriter

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from loratui.engine.families.family import Family
    from loratui.engine.sample import Sampler
    from loratui.engine.task import Adapted
    from loratui.lab.project.prompts import ResolvedPrompt

Waiting = Callable[[int, str], None]  # how many are ahead, and who has the device
RECONSTRUCTIONS = 64  # training images, at most


class Later:
    """`with Later(run) as later:` has the device, and the run's base model with LoRA layers, until it is left.

    Before `use` the layers are as before the first step: they change nothing. Entering another one inside would wait
    for ever. LabError when the record is damaged; `on_wait` hears who has the device.
    """

    def __init__(self, run: RunFolder, on_wait: Waiting | None = None) -> None:
        self.run, self.record = run, read_record(run)
        self.step = 0
        self.payload = ""
        self._on_wait = on_wait
        self._held = ExitStack()

    @property
    def steps(self) -> tuple[int, ...]:
        """The checkpoints there are."""
        return checkpoint_steps(self.run)

    def __enter__(self) -> Later:
        wanted = self.record.settings.train.device
        self._held.enter_context(
            device_turn(device_name(wanted), on_wait=self._on_wait, label=f"pictures of {self.run.id}",
                        run=self.run.path.absolute())
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "family" in self.__dict__:
            self.family.release()
        self._held.close()

    # -- the model ------------------------------------------------------------------------------------------------

    @cached_property
    def family(self) -> Family:
        """The base model on the device, its parts loaded when they are first used."""
        from loratui.engine.families import load_family
        from loratui.engine.machine import pick_device, pick_dtype, quieten, settle_threads

        quieten()
        train = self.record.settings.train
        device = pick_device(train.device)
        # As in the sitting: the number of threads is part of what the last bits depend on.
        settle_threads(device, train.batch_size * self.record.resolution**2)
        return load_family(self.record, device, pick_dtype(train.precision, device))

    @cached_property
    def adapted(self) -> Adapted:
        from loratui.engine.task import adapt

        return adapt(self.record, self.family)

    @property
    def models(self) -> dict[str, nn.Module]:
        """The adapted parts, by prefix."""
        return self.adapted.models

    @cached_property
    def sampler(self) -> Sampler:
        from loratui.engine.sample import Sampler

        return Sampler(self.run, self.adapted)

    def use(self, step: int) -> str:
        """Put a checkpoint's weights into the layers; returns its payload hash. LabError names what there is."""
        from loratui.engine.export import load_lora, set_adapter_weights

        if step != self.step:
            known_steps(self.run, [step])
            set_adapter_weights(self.models, load_lora(self.run.checkpoint_file(step), self._names)[0])
            self.step, self.payload = step, payload_hash(self.run.checkpoint_file(step))
        return self.payload

    @cached_property
    def _names(self) -> tuple[str, ...]:
        from loratui.engine.export import adapter_weights

        return tuple(adapter_weights(self.models))

    def states(self, text: str) -> torch.Tensor:
        """What the denoiser hears of a text (1, 77, width), with the LoRA at its present strength."""
        return self.sampler.states(text)

    # -- pictures -------------------------------------------------------------------------------------------------

    def draw(self, wanted: Sequence[Cell], steps: Sequence[int], progress: Progress = quiet) -> list[Drawn]:
        """Cells of the base once, those with the LoRA at each step; see `draw_more`, which also finds the cells."""
        base = [cell for cell in wanted if cell.scale is None]
        lora = [cell for cell in wanted if cell.scale is not None]
        total = sum(not drawn for *_, drawn in _state_of(self.run, self.record, wanted, steps))
        found: list[Drawn] = []
        done = 0
        progress(done, total)
        with _Diary(self.run) as diary:
            for step, members in [(0, base), *((step, lora) for step in steps)]:
                if not members:
                    continue
                payload = self.use(step) if step else ""
                for picture in self.sampler.draw(members, step, payload):
                    found.append(picture)
                    if picture.new:
                        done += 1
                        diary.drawn(picture)
                        progress(done, total)
                if step:
                    _write_sheet(self.run, self.record, wanted, found, step, diary)
        place = {cell: index for index, cell in enumerate(wanted)}
        return sorted(found, key=lambda drawn: (drawn.step, place[drawn.cell]))


def draw_more(
    run: RunFolder,
    prompts: Sequence[ResolvedPrompt] | None,
    steps: Sequence[int],
    scales: Sequence[float | None],
    progress: Progress = quiet,
    on_wait: Waiting | None = None,
) -> list[Drawn]:
    """Pictures of checkpoints, and of the base always: those that are there, and those drawn now.

    The base's come first, then each step's, all in the order of the prompts, seeds, lengths and scales.
    `prompts` None: the run's own; see `asking.asked_prompts` for others. Progress counts what has to be drawn; what
    was drawn stays, however this ends. LabError for a step without a checkpoint.
    """
    record = read_record(run)
    steps = known_steps(run, steps)
    wanted = wanted_cells(run, record, prompts, scales)
    state = _state_of(run, record, wanted, steps)
    if all(drawn for *_, drawn in state):
        found = [Drawn(cell, picture_path(run, cell, step), step, False) for cell, step, _ in state]
        with _Diary(run) as diary:
            for step in steps:
                if not sheets_of(run, record, wanted, step) and any(drawn.step == step for drawn in found):
                    _write_sheet(run, record, wanted, found, step, diary)
        return found
    with Later(run, on_wait) as later:
        # Again, as others may have drawn while we waited, and prompts got their numbers.
        return later.draw(wanted_cells(run, record, prompts, scales), steps, progress)


def wanted_cells(
    run: RunFolder, record: Record, prompts: Sequence[ResolvedPrompt] | None, scales: Sequence[float | None]
) -> list[Cell]:
    """The cells that are meant, with the numbers that their prompts have in this run; the base first of each."""
    asked = record.prompts if prompts is None else record.sized(tuple(prompts))
    every = (None, *dict.fromkeys(scale for scale in scales if scale is not None))
    numbers = None if prompts is None else asked_numbers(run, record.prompts, asked)
    return list(dict.fromkeys(cells(asked, every, numbers)))


def count_drawn(run: RunFolder, record: Record, wanted: Sequence[Cell], steps: Sequence[int]) -> tuple[int, int]:
    """How many of the pictures are there, and how many are asked for in all."""
    state = _state_of(run, record, wanted, steps)
    return sum(drawn for *_, drawn in state), len(state)


def sheets_of(run: RunFolder, record: Record, wanted: Sequence[Cell], step: int) -> list[Path]:
    """The pages of the contact sheet of these cells at a step, as far as they were written."""
    return sheet_pages(run, step, sheet_mark(record, wanted))


def _write_sheet(
    run: RunFolder, record: Record, wanted: Sequence[Cell], found: Sequence[Drawn], step: int, diary: _Diary
) -> None:
    place = {cell: index for index, cell in enumerate(wanted)}
    shown = sorted((d for d in found if d.step in (0, step)), key=lambda d: place[d.cell])
    title = " · ".join(text for text in (record.project, record.question) if text)
    for sheet in write_sheets(run, shown, title, step, sheet_mark(record, wanted)):
        diary.sheet(sheet, step)


def reconstructions(run: RunFolder, progress: Progress = quiet, on_wait: Waiting | None = None) -> list[Path]:
    """The training images as the autoencoder gives them back: the best that any picture of this model can be.

    <run>/training/<first 16 of the image's sha256>.png, at the size of training, of at most 64 images. What is there
    stays. LabError for an image that is gone or changed.
    """
    record = read_record(run)
    folder = run.path / "training"
    images = list({image.sha256: image for image in record.images}.values())[:RECONSTRUCTIONS]
    paths = {image.sha256: folder / f"{image.sha256[:16]}.png" for image in images}
    missing = [image for image in images if not paths[image.sha256].exists()]
    if missing:
        with Later(run, on_wait) as later:
            from loratui.engine.task import reconstruct

            make_folder(folder)
            for done, image in enumerate(missing):
                progress(done, len(missing))
                _save(paths[image.sha256], reconstruct(record, later.family, image))
            progress(len(missing), len(missing))
    return list(paths.values())


def _save(path: Path, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    with atomic_path(path) as part:
        Image.fromarray(picture).save(part, format="PNG")


def _state_of(
    run: RunFolder, record: Record, wanted: Sequence[Cell], steps: Sequence[int]
) -> list[tuple[Cell, int, bool]]:
    """Each picture that is meant, and whether it is there."""

    def one(cell: Cell, step: int, payload: str) -> tuple[Cell, int, bool]:
        return cell, step, is_drawn(picture_path(run, cell, step), facts_of(record, run, cell, step, payload))

    found = [one(cell, 0, "") for cell in wanted if cell.scale is None]
    for step in steps:
        payload = payload_hash(run.checkpoint_file(step))
        found += [one(cell, step, payload) for cell in wanted if cell.scale is not None]
    return found


class _Diary:
    """Tells viewers of pictures through the run's event log and log.txt, as long as no worker has the run."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._log: EventLog | None = None

    def drawn(self, picture: Drawn) -> None:
        if picture.cell.scale is not None:
            self._tell(step=picture.step, path=str(picture.path))

    def sheet(self, path: Path, step: int) -> None:
        self._tell(step=step, path=str(path), sheet=True)

    def _tell(self, **fields: object) -> None:
        if is_locked(self.run.lock_file):
            return
        self._log = self._log or EventLog(self.run.events_file, [LogWriter(self.run.log_file)])
        self._log.emit("sample", **fields)

    def __enter__(self) -> _Diary:
        return self

    def __exit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()
