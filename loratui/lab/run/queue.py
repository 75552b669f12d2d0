"""Who has the devices of this machine and who waits for them, for people to look at and to put in another order.

Reads and renames the tickets that `lock.device_turn` draws. Who is first has the device and cannot be overtaken. To
take a run out of the queue, ask it to stop: `launch.stop`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loratui.lab.errors import LabError
from loratui.lab.plain import plain
from loratui.lab.run.lock import is_locked, mutex, numbered, queue_folder, read_slip, ticket_path


@dataclass(frozen=True)
class Ticket:
    """A live process in the queue of a device. `ahead` is how many come before it: 0 has the device.

    `label` is the id of its run; `run` the run's folder, None for a process that trains none. `number` may change
    while it waits, `key` does not.
    """

    device: str
    number: int
    label: str
    ahead: int
    pid: int = 0
    run: Path | None = None
    folder: Path = Path()
    key: int = 0

    @property
    def has_device(self) -> bool:
        return self.ahead == 0


def tickets() -> list[Ticket]:
    """All that have or wait for a device of this machine: by device, in their order. Changes nothing."""
    try:
        folders = sorted(path for path in queue_folder("cpu").parent.iterdir() if path.is_dir())
    except OSError:
        return []
    return [ticket for folder in folders for ticket in tickets_in(folder)]


def tickets_in(folder: Path) -> list[Ticket]:
    """The live tickets of one queue, in their order."""
    with mutex(folder):
        return _live(folder)


def move(ticket: Ticket, by: int) -> None:
    """Let a waiting process go `by` places later, or earlier where `by` is negative; as far as there are places.

    LabError when it has the device, or left the queue meanwhile.
    """
    with mutex(ticket.folder):
        waiting = _live(ticket.folder)
        place = next((i for i, other in enumerate(waiting) if other.key == ticket.key), None)
        if place is None:
            raise LabError(f"{plain(ticket.label)}: is not in the queue for {plain(ticket.device)} any more")
        if place == 0:
            raise LabError(f"{plain(ticket.label)}: has {plain(ticket.device)} already; to free it, stop the run")
        target = max(1, min(len(waiting) - 1, place + by))
        if target == place:
            return
        moved = waiting.pop(place)
        waiting.insert(target, moved)
        number = max(number for number, _ in numbered(ticket.folder))
        # New numbers past the last, from the first that changes on: at no moment has one two names, or none.
        for position, other in enumerate(waiting[min(place, target) :], start=1):
            ticket_path(ticket.folder, other.number).rename(ticket_path(ticket.folder, number + position))


def _live(folder: Path) -> list[Ticket]:
    found: list[Ticket] = []
    for number, path in numbered(folder):
        if is_locked(path):
            slip = read_slip(path)
            run = Path(slip.run) if slip.run else None
            device = slip.device or folder.name
            found.append(
                Ticket(device, number, slip.label, len(found), slip.pid, run, folder, path.stat().st_ino)
            )  # fmt: skip
    return found
