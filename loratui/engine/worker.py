"""One run, from its frozen record to its last event: the only place where training meets the run folder.

Takes the run's lock, waits its turn on the device before it imports anything heavy, then trains; between steps it
logs, probes, saves, samples and obeys. It saves before it samples, and a failed sample ends nothing. How it is
watched is not its business: everything it has to say goes into events.jsonl.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratui.engine.faults import explain
from loratui.engine.signals import Signals
from loratui.lab.errors import LabError
from loratui.lab.files import open_file, write_atomic
from loratui.lab.run import requests
from loratui.lab.run.events import EventLog, Listener, NoLog
from loratui.lab.run.lock import RunLock, device_name, device_turn
from loratui.lab.run.record import Record, read_record
from loratui.lab.run.runs import RunFolder, latest_resume

RESERVE_BYTES = 1 << 16
FAULTS_TOLD = 3  # of a run that is not whole; --verify tells them all


@dataclass(frozen=True)
class Outcome:
    """How a sitting ended. `exit_code`: 0 finished, 1 failed, 128 + signal when stopped."""

    state: str
    exit_code: int
    record: dict[str, Any]


def work(run: RunFolder, listeners: Sequence[Listener] = (), dry: bool = False) -> Outcome:
    """Train a run whose record is frozen, from its latest saved state, until done or stopped.

    `dry` does everything but that: it loads, caches, and tries one step and one picture.

    LabError when another worker holds the run or its data changed; every other fault is an outcome, and logged.
    """
    record = read_record(run)
    signals = Signals()
    # A dry run has nothing to save: ctrl-c may simply end it.
    caught = nullcontext() if dry else signals.caught()
    with RunLock(run.lock_file), caught, EventLog(run.events_file, listeners) as log:
        reserve = run.path / ".reserve"
        try:
            # Room for the last lines of a run that fills the disk.
            with os.fdopen(open_file(reserve, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(b"\0" * RESERVE_BYTES)
            return _work(run, record, log, signals, dry)
        except Exception as error:
            reserve.unlink(missing_ok=True)
            return _failed(run, log, error)
        finally:
            reserve.unlink(missing_ok=True)


def _work(run: RunFolder, record: Record, log: EventLog, signals: Signals, dry: bool) -> Outcome:
    device = device_name(record.settings.train.device)

    def waiting(ahead: int, holder: str) -> None:
        log.emit("state", state="queued", ahead=ahead, holder=holder, device=device)

    def stop_wanted() -> bool:
        return bool(signals.number) or "stop" in requests.pending(run)

    log.emit("state", state="queued", device=device)  # else a run that goes on would seem to be as it ended last time
    with device_turn(device, on_wait=waiting, should_stop=stop_wanted, label=run.id, run=run.path.absolute()) as turn:
        if not turn:
            requests.take(run, "stop")
            return _end(log, "stopped", _stop_code(signals), {"reason": "stopped while it waited for its turn"})
        from loratui.engine.sitting import Sitting

        if several_processes():
            _share(str(run.path))
        sitting = Sitting(run, record, log, signals)
        if dry:
            return _end(log, "finished", 0, sitting.try_out())
        reason = sitting.run_to_end()
        final = sitting.final_record()
    if reason in ("finished", "max_minutes"):
        for name in requests.pending(run):  # while the last pictures were drawn
            requests.take(run, name)
            if name in ("sample", "checkpoint"):
                log.emit("message", text=f"asked for at the end, and left out: {name}; --sample draws more pictures")
        return _end(log, "finished", 0, final | {"reason": reason} | _verified(run, record, log, sitting.progress.step))
    return _end(log, "stopped", _stop_code(signals), final | {"reason": reason})


def several_processes() -> bool:
    """Whether `accelerate launch` or torchrun started several processes for one run."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_follower() -> bool:
    """Whether this is one of them that only computes: the first one has the run folder, the log and the terminal."""
    return several_processes() and int(os.environ.get("RANK", "0")) > 0


def follow() -> int:
    """The whole life of a follower: learn from the first process which run it is, then train in step with it."""
    run = RunFolder(Path(_share(None)))
    from loratui.engine.sitting import Sitting

    signals = Signals()
    with signals.caught():
        Sitting(run, read_record(run), NoLog(), signals).run_to_end()
    return 0


def _share(path: str | None) -> str:
    """Give every process the first one's value."""
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState()
    [shared] = broadcast_object_list([path])
    return str(shared)


def _stop_code(signals: Signals) -> int:
    return 128 + (signals.number or signal.SIGTERM)


def _end(log: EventLog, state: str, code: int, record: dict[str, Any]) -> Outcome:
    return Outcome(state, code, log.emit("state", state=state, **record, exit_code=code))


def _verified(run: RunFolder, record: Record, log: EventLog, step: int) -> dict[str, Any]:
    """Whether all is there that the plan promised, said in the log and for the run's last event."""
    from loratui.lab.run.verify import record_hash, verify_end

    try:
        found = verify_end(run, record, step)
        for fault in found.faults[:FAULTS_TOLD]:
            log.emit("warning", text=fault.text)
        log.emit("warning" if found.faults else "message", text=found.words)
        verified = {subject: list(counted) for subject, counted in found.counts.items()}
        return {"whole": not found.faults, "verified": verified, "record_sha256": record_hash(run)}
    except Exception as error:  # whatever it is, the run is finished all the same
        log.emit("warning", text=f"could not be verified: {explain(error)}")
        return {"whole": False}


def _has_state(run: RunFolder) -> bool:
    try:
        return latest_resume(run) is not None
    except LabError:
        return False


def _failed(run: RunFolder, log: EventLog, error: Exception) -> Outcome:
    text, code = explain(error, saved=_has_state(run)), 2 if isinstance(error, LabError) else 1
    with suppress(OSError):
        if code == 1:
            import traceback

            write_atomic(run.path / "traceback.txt", "".join(traceback.format_exception(error)))
        return _end(log, "failed", code, {"reason": text})
    print(text, file=sys.stderr)  # not even the log could take it
    return Outcome("failed", code, {"kind": "state", "state": "failed", "reason": text})
