"""One sitting of a run: from the load to the last picture, and all that happens between two steps.

`Sitting.after` is what the loop calls. It reads numbers from the device only every `log_every` steps, so a loss that
is not finite is found a few steps late; nothing is saved before the losses up to that point are known to be finite.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from loratui import __version__
from loratui.engine import checkpoint, export
from loratui.engine.checkpoint import Progress
from loratui.engine.families import load_family
from loratui.engine.faults import NotFiniteError, explain, out_of_memory
from loratui.engine.loop import train
from loratui.engine.machine import PRECISION_NAMES, describe, pick_device, pick_dtype, quieten, settle_threads
from loratui.engine.metadata import LoraRecord, RecordedImage, lora_metadata
from loratui.engine.sample import Cell, Drawn, Sampler, cells, write_sheets
from loratui.engine.signals import Signals
from loratui.engine.task import check_images, prepare
from loratui.lab.errors import LabError
from loratui.lab.pictures.cells import payload_hash, sheet_mark, sheet_pages
from loratui.lab.run import requests
from loratui.lab.run.asked import asked_numbers
from loratui.lab.run.asking import checkpoint_steps, shortened
from loratui.lab.run.events import EventLog, NoLog, events_back
from loratui.lab.run.record import Record, output_name
from loratui.lab.run.runs import RunFolder, remove_leftovers, resumes

STATE_EVERY_SECONDS = 300.0  # a killed run loses at most this much, whatever its checkpoints


class Sitting:
    """One process's time with a run."""

    def __init__(self, run: RunFolder, record: Record, log: EventLog | NoLog, signals: Signals) -> None:
        self.run, self.record, self.log, self.signals = run, record, log, signals
        self.settings = record.settings
        self.began = time.monotonic()
        self.drawn: list[Drawn] = []
        self.sheets: list[Path] = []
        self.lora: Path | None = None
        self.payload = ""
        self.lora_step = -1
        self.saved_at = self.began
        self.saved_step = -1  # of the newest state on disk
        self._load()

    # -- before the first step --------------------------------------------------------------------------------

    def _load(self) -> None:
        quieten()
        check_images(self.record)
        device = pick_device(self.settings.train.device)
        dtype = pick_dtype(self.settings.train.precision, device)
        settle_threads(device, self.settings.train.batch_size * self.record.resolution**2)
        self.accelerator = Accelerator(
            cpu=device.type == "cpu", mixed_precision="fp16" if dtype == torch.float16 else "no"
        )
        self.main = self.accelerator.is_main_process
        if self.main:
            remove_leftovers(self.run)
            requests.put_back(self.run)
        if self.accelerator.num_processes > 1:
            device = self.accelerator.device
        family = load_family(self.record, device, dtype)
        self._say(f"loading {self.record.base_name} on {describe(device)}, {str(dtype).removeprefix('torch.')}")
        self.task = prepare(self.record, family, self.accelerator, self._say)
        family.release()
        self.sampler = Sampler(self.run, self.task)
        self.progress = self._load_state()
        self.earlier_seconds = self.progress.seconds
        steps = self.settings.train.log_every
        self.ring = torch.zeros(steps, device=device)  # losses wait here, on the device, until they are read together
        self.waiting: list[tuple[int, float]] = []  # steps whose losses are in the ring, and their rates
        self.read_at = time.monotonic()

    def _load_state(self) -> Progress:
        """Where the newest state stands that is whole, now in the task; what is wrong with newer ones is said.

        LabError when there are states and none is whole.
        """
        if self.accelerator.num_processes > 1:
            return self._load_state_together()
        return self._load_newest(resumes(self.run))

    def _load_state_together(self) -> Progress:
        """Of several processes the first one decides which state it is: another must not train from another step."""
        progress, fault = Progress(started_at=time.time()), ""
        if self.main:
            try:
                progress = self._load_newest(resumes(self.run))
            except LabError as error:
                fault = str(error)
        [(step, fault)] = broadcast_object_list([(self.saved_step, fault)])
        if fault:
            raise LabError(fault)
        if not self.main and step >= 0:
            progress, self.saved_step = checkpoint.load(self.run.resume_folder(step), step, self.task), step
        self.accelerator.wait_for_everyone()  # nobody may save anew what another still reads
        return progress

    def _load_newest(self, states: Sequence[tuple[int, Path]]) -> Progress:
        faults = []
        for step, folder in states:
            try:
                progress = checkpoint.load(folder, step, self.task)
            except LabError as error:
                faults.append(str(error))
                continue
            for fault in faults if self.main else []:
                self.log.emit("warning", text=f"{fault}; going on from the saved state of step {step} instead")
            self.saved_step = step
            return progress
        if not states:
            return Progress(started_at=time.time())
        kept = checkpoint_steps(self.run)
        loras = f"the LoRAs of steps {shortened(kept)} are kept" if kept else "no LoRA was saved yet"
        raise LabError(
            "\n".join(faults) + f"\nnone of the saved states can be gone on from; {loras}. Move {self.run.resume} "
            "away and resume: the run is then trained again from its first step, to the same bits"
        )

    def _say(self, text: str) -> None:
        if self.accelerator.is_main_process:
            self.log.emit("message", text=text)

    # -- the run ----------------------------------------------------------------------------------------------

    def run_to_end(self) -> str:
        """Train, save and sample; returns finished, max_minutes, stop, or the name of a signal."""
        plan, progress = self.record.plan, self.progress
        self.log.emit(
            "state",
            state="running",
            step=progress.step,
            total=plan.total_steps,
            arithmetic=plan.arithmetic,
            device=describe(self.task.family.device),
            trainable=sum(p.numel() for m in self.task.models.values() for p in m.parameters() if p.requires_grad),
        )
        if progress.step == 0:
            self._probe(0)
            if self.saved_step < 0:
                self._save_state()
        reason = self._catch_up() or train(self.task, progress.step, self.after)
        self._read_losses()
        if self.lora_step != progress.step:
            self._save_lora()
        if reason in ("finished", "max_minutes") and self.settings.sample.every != "never":
            reason = self._sample() or reason
        return reason

    def _catch_up(self) -> str | None:
        """Make what was due at the step of the loaded state and is not there: a kill came between.

        Returns a reason to end, or None.
        """
        step, plan = self.progress.step, self.record.plan
        if not step:
            return None
        if step in plan.checkpoint_steps or step == plan.total_steps or self.run.checkpoint_file(step).exists():
            self._keep_lora()
        if step in plan.sample_steps and step < plan.total_steps:  # those of the last step are drawn at the end
            return self._sample(unless_there=True)
        return None

    def try_out(self) -> dict[str, Any]:
        """One step's forward and backward pass and one short picture; nothing is kept."""
        seconds = 0.0
        for _ in range(2):  # the first also warms up
            start = time.monotonic()
            for batch in self.task.batches(0):
                self.accelerator.backward(self.task.loss(batch) * batch.share)
            self.task.optimizer.zero_grad()
            seconds = time.monotonic() - start
        total = self.record.plan.total_steps
        self.sampler.pictures([replace(cells(self.record.prompts, (1.0,))[0], inference_steps=1)])
        return {
            "reason": "dry run",
            "total": total,
            "arithmetic": self.record.plan.arithmetic,
            "step_seconds": round(seconds, 4),
            "estimated_seconds": round(seconds * total, 1),
            "memory": self.task.family.memory(),
        }

    def after(self, done: int, loss: torch.Tensor, rate: float) -> str | None:
        """What happens between two steps. Returns a reason to end, or None."""
        plan, train = self.record.plan, self.settings.train
        self.ring[(done - 1) % len(self.ring)] = loss
        self.waiting.append((done, rate))
        full = len(self.waiting) == len(self.ring) or done == plan.total_steps
        due_lora = done in plan.checkpoint_steps
        due_sample = done in plan.sample_steps and done < plan.total_steps
        due_probe = bool(train.probe_every) and (done % train.probe_every == 0 or done == plan.total_steps)
        reason, asked, due_state = self._orders(full)
        if full or due_lora or due_sample or due_probe or reason or asked or due_state:
            self._read_losses()
        if due_probe:
            self._probe(done)
        if due_lora or "checkpoint" in asked:
            self._save_lora()
        elif due_state:
            self._save_state()
        if due_sample:
            reason = self._sample() or reason
        if "sample" in asked:  # by no signal of this process alone: of several, all have to come here
            reason = self._sample(asked["sample"]) or reason
        if self.main and not self.signals.number:  # else what was asked for is taken up by who goes on with the run
            for name in ("checkpoint", "sample"):
                if name in asked:
                    requests.done(self.run, name)
        if "pause" in asked and not reason:
            reason = self._pause()
        return reason

    def _orders(self, full: bool) -> tuple[str | None, dict[str, Any], bool]:
        """What comes from outside: a reason to end, requests, and whether the state is due by the clock.

        Of several processes the first one decides for all, when the losses are read anyway: asking needs all of them.
        """
        several = self.accelerator.num_processes > 1
        if several and not full:
            return None, {}, False
        orders: tuple[str | None, dict[str, Any], bool] = (None, {}, False)
        if self.main:
            asked = requests.pending(self.run)
            reason = self._wish(asked)
            for name in ("checkpoint", "sample"):
                if name in asked:
                    asked[name] = requests.take(self.run, name, until_done=True)
            orders = (reason, asked, time.monotonic() - self.saved_at > STATE_EVERY_SECONDS)
        if several:
            [orders] = broadcast_object_list([orders])
        return orders

    def _wish(self, asked: dict[str, Any]) -> str | None:
        """Why the run should end now, if it should."""
        if self.signals.number:
            return {2: "SIGINT", 15: "SIGTERM"}.get(self.signals.number, "SIGHUP")
        if "stop" in asked:
            requests.take(self.run, "stop")
            return "stop"
        limit = self.settings.train.max_minutes * 60
        return "max_minutes" if limit and self._seconds() > limit else None

    def _pause(self) -> str | None:
        self._save_state()
        self.log.emit("state", state="paused", step=self.progress.step)
        reason = None
        while True:
            asked: dict[str, Any] = requests.pending(self.run) if self.main else {}
            orders = [(self._wish(asked), "pause" in asked) if self.main else None]
            if self.accelerator.num_processes > 1:
                broadcast_object_list(orders)
            reason, held = orders[0] or (None, False)
            if reason or not held:
                break
            time.sleep(0.1)
        if not reason:
            self.log.emit("state", state="running", step=self.progress.step, total=self.record.plan.total_steps)
        self.read_at = time.monotonic()
        return reason

    def _seconds(self) -> float:
        return self.earlier_seconds + time.monotonic() - self.began

    # -- numbers ----------------------------------------------------------------------------------------------

    def _read_losses(self) -> None:
        """Take the waiting losses off the device, into the average and the log. NotFiniteError names the step."""
        if not self.waiting:
            return
        if self.accelerator.num_processes > 1:
            self.ring = self.accelerator.reduce(self.ring, "sum")
        values = self.ring.tolist()
        now = time.monotonic()
        pace = len(self.waiting) / max(1e-9, now - self.read_at)
        steps, self.waiting, self.read_at = self.waiting, [], now
        for done, rate in steps:
            loss = values[(done - 1) % len(values)]
            if not math.isfinite(loss):
                raise NotFiniteError(self._not_finite(done, loss))
            self.progress.step = done
            smoothed = self.progress.follow(loss)
            if self.main:
                self.log.emit(
                    "step",
                    step=done,
                    epoch=self.record.plan.epoch_of(done),
                    loss=round(loss, 6),
                    smoothed=round(smoothed, 6),
                    lr=rate,
                    it_s=round(pace, 2),
                    memory=self.task.family.memory(),
                )
        self.progress.seconds = self._seconds()
        self.ring.zero_()

    def _not_finite(self, done: int, loss: float) -> str:
        names = sorted({self.record.images[i].name for micro in self.task.slots(done - 1) for i, _, _ in micro})
        kept = (
            f"the state of step {self.saved_step} and every checkpoint before are kept" if self.saved_step >= 0 else ""
        )
        return (
            f"step {done}: the loss is {loss}, on {', '.join(names[:5])}; {kept}. "
            "Usually the learning rate is too high "
            f"(train.learning_rate = {self.settings.train.learning_rate:g}) or half precision overflows "
            '(train.precision = "fp32" or "bf16")'
        )

    def _probe(self, done: int) -> None:
        loss, each = self.task.probe()
        if self.progress.first_probe is None:
            self.progress.first_probe = loss
        self.progress.last_probe = loss
        if self.main:
            timesteps, losses = [t for t, _ in each], [round(one, 6) for _, one in each]
            self.log.emit("probe", step=done, loss=round(loss, 6), timesteps=timesteps, losses=losses)
        self.read_at = time.monotonic()

    # -- what is kept -----------------------------------------------------------------------------------------

    def _save_state(self) -> None:
        if self.main:
            checkpoint.save(self.run, self.task, self.progress)
        self.saved_at, self.saved_step = time.monotonic(), self.progress.step

    def _save_lora(self) -> None:
        """The LoRA for people and other tools, and with it the state to resume from: state first."""
        self._save_state()
        self._keep_lora()

    def _keep_lora(self) -> None:
        """The LoRA of this step as a file; one that an earlier sitting wrote stays as it is."""
        if not self.main:
            return
        step = self.progress.step
        path = self.run.checkpoint_file(step)
        weights = export.adapter_weights(self.task.models)
        self.payload = export.payload_of(weights) if path.exists() else ""
        told = False
        if self.payload and _payload_in(path) == self.payload:
            told = any(
                event.get("step") == step and event.get("sha256") == self.payload
                for event in events_back(self.run.events_file, "checkpoint")
            )
        else:
            self.payload = export.save_lora(path, weights, lora_metadata(self._lora_record(step)))
        self.lora, self.lora_step = path, step
        if not told:
            self.log.emit("checkpoint", step=step, path=str(path), sha256=self.payload)
        self.read_at = time.monotonic()

    def _lora_record(self, step: int) -> LoraRecord:
        record, plan = self.record, self.record.plan
        buckets = Counter(dict.fromkeys({image.bucket for image in record.images}, 0))
        for image in record.images:
            buckets[image.bucket] += image.repeats
        return LoraRecord(
            output_name=output_name(record, step),
            settings=self.settings,
            precision=PRECISION_NAMES[self.task.family.dtype],
            step=step,
            epoch=plan.epoch_of(step),
            total_steps=plan.total_steps,
            total_epochs=math.ceil(plan.epochs),
            batches_per_epoch=plan.batches_per_epoch,
            images=tuple(RecordedImage(Path(i.path).parent.name, i.caption, i.repeats) for i in record.images),
            resolution=(record.resolution, record.resolution),
            buckets=buckets,
            base_name=record.base_name,
            base_hashes=record.hashes,
            started_at=self.progress.started_at,
            finished_at=time.time(),
            run=self.run.id,
            session_id=self.run.id,
            version=__version__,
            prediction_type=str(self.task.family.facts()["prediction_type"]),
        )

    def _sample(self, asked: Any = None, unless_there: bool = False) -> str | None:
        """Draw what the settings ask for, or the prompts of a request. Whatever fails, training goes on.

        Returns the name of a signal that cut it short, for then the run ends at this step: going on with it, the rest
        is drawn. None otherwise.
        """
        cut = self._draw(asked, unless_there) if self.main else None
        if self.accelerator.num_processes > 1:
            [cut] = broadcast_object_list([cut])
        return cut

    def _is_sampled(self) -> bool:
        """Whether all that the plan has drawn at this step is there, and the log tells of the sheet."""
        step = self.progress.step
        wanted = cells(self.record.prompts, (None, *self.settings.sample.scales))
        there = {sheet.name for sheet in sheet_pages(self.run, step)}
        told = {
            Path(str(event.get("path"))).name
            for event in events_back(self.run.events_file, "sample")
            if event.get("step") == step and event.get("sheet")
        }
        return bool(there) and there <= told and all(self.sampler.is_drawn(cell, step, self.payload) for cell in wanted)

    def _draw(self, asked: Any, unless_there: bool) -> str | None:
        try:
            if unless_there and self._is_sampled():
                return None
            if self.lora_step != self.progress.step:
                self._save_lora()  # so that the LoRA behind every picture is a file
            step, sample = self.progress.step, self.settings.sample
            wanted, mark = cells(self.record.prompts, (None, *sample.scales)), ""
            if isinstance(asked, dict) and asked.get("prompts"):
                lines = tuple(str(line) for line in asked["prompts"])
                prompts = self.record.sized(replace(sample, prompts=lines, prompt=()).resolved([]))
                numbers = asked_numbers(self.run, self.record.prompts, prompts)
                wanted = [replace(c, number=numbers[c.number]) for c in cells(prompts, (None, *sample.scales))]
                mark = sheet_mark(self.record, wanted)
            drawn = []
            for picture in self.sampler.draw(wanted, step, self.payload):
                if self.signals.number:  # someone wants it to end: what was drawn stays, the sheet would be half
                    return self._wish({})
                drawn.append(picture)
                if picture.cell.scale is not None:
                    self.log.emit("sample", step=step, path=str(picture.path))
            if any(prompt.expect for prompt in self.record.prompts):
                from loratui.lab.scores.scoring import refresh

                refresh(self.run)  # before the sheet, which tells viewers that all is there
            title = " · ".join(text for text in (self.record.project, self.record.question) if text)
            self.sheets = write_sheets(self.run, in_sheet_order(drawn, wanted), title, step, mark)
            for sheet in self.sheets:
                self.log.emit("sample", step=step, path=str(sheet), sheet=True)
        except Exception as error:
            what = explain(error)
            if out_of_memory(error):
                what += "; these pictures were left out, training goes on"
            self.log.emit("warning", text=f"sampling at step {self.progress.step} failed: {what}")
        finally:
            self.task.family.release()
            self.read_at = time.monotonic()
        return None

    def final_record(self) -> dict[str, Any]:
        """What the last event says of the whole run. Sizes of ΔW are Frobenius norms over all adapted layers."""
        weights = export.adapter_weights(self.task.models)
        delta, base = export.delta_norm(weights), export.weight_norm(self.task.models, weights)
        return {
            "run": str(self.run.path),
            "step": self.progress.step,
            "total": self.record.plan.total_steps,
            "seconds": round(self._seconds(), 2),
            "loss": self.progress.smoothed,
            "first_probe": self.progress.first_probe,
            "last_probe": self.progress.last_probe,
            "delta_norm": delta,
            "relative_delta": delta / base if base else 0.0,
            "lora": str(self.lora) if self.lora else None,
            "lora_sha256": self.payload or None,
            "sheet": str(self.sheets[-1]) if self.sheets else None,
            "log": str(self.run.log_file),
            "memory": self.task.family.memory(),
        }


def _payload_in(path: Path) -> str:
    """The payload hash of a LoRA file; "" where it cannot be read."""
    try:
        return payload_hash(path)
    except (LabError, OSError, ValueError):
        return ""


def in_sheet_order(drawn: list[Drawn], wanted: list[Cell]) -> list[Drawn]:
    place = {cell: i for i, cell in enumerate(wanted)}
    return sorted(drawn, key=lambda d: place[d.cell])
