"""A folder of projects in which every text that comes from outside means harm to a terminal, a parser or a layout."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path

import tomli_w
from PIL import Image

from loratui.lab.run.runs import RunFolder, list_runs

MARK = "7357"  # stands in every control sequence below, and in none of ours
PAYLOADS = (
    f"\x1b]{MARK};52;c;aGFja2Vk\x07clip",
    f"\x1b[{MARK}mred",
    f"\x9b{MARK}mred",
    f"\x1bP{MARK}q#0\x1b\\sixel",
    f"\x1b_G{MARK}\x1b\\kitty",
    f"[red]{MARK}[/] [cat] [/nope] [@click=app.bell]x[/]",
    f"left\u202e{MARK}\u2066right\u200bzero\u200dwidth\ufeff",
    f"bell\x07back\x08\x08tab\tdel\x7f{MARK}",
    "\U000e0041\u3164\u115f combining " + "\u0301" * 300 + MARK,
    "猫の写真 👩‍👩‍👧 " + MARK,
)
LONG = "very long, " * 9_000 + "the end"
ALL = " ".join(PAYLOADS)


def hostile_shelf(folder: Path, trained: Path) -> Path:
    """A copy of a trained project with everything a person or another program could have written in it made hostile.

    Returns the project; its folder, files, captions, notes, log, events and pictures' facts carry the payloads.
    """
    project = folder / f"evil \x1b[{MARK}m[red]\u202e\x9b"
    shutil.copytree(trained, project)
    _settings(project)
    _dataset(project / "dataset")
    for run in list_runs(project):
        _run(run)
    (folder / "broken \x1b[31m").mkdir()
    (folder / "broken \x1b[31m" / "project.toml").write_text(f'question = "{MARK}\n[[[', encoding="utf-8")
    return project


def _settings(project: Path) -> None:
    file = project / "project.toml"
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    document["question"] = ALL.replace("\ufeff", "")
    document["sample"]["prompt"] = [{"text": ALL}, {"text": LONG}]
    file.write_bytes(tomli_w.dumps(document).encode())


def _dataset(folder: Path) -> None:
    picture = (folder / "circle.png").read_bytes()
    for number, payload in enumerate(PAYLOADS):
        name = payload.replace("/", "_")[:60]
        (folder / f"{number}{name}.png").write_bytes(picture)
        (folder / f"{number}{name}.txt").write_bytes(f"{payload}, tag{number}\r\nsecond line\x1b[{MARK}m\n".encode())
    Path(os.fsdecode(os.fsencode(folder) + b"/half \xff\xfe.png")).write_bytes(picture)
    (folder / "long.png").write_bytes(picture)
    (folder / "long.txt").write_text(LONG, encoding="utf-8")
    (folder / "not text.png").write_bytes(picture)
    (folder / "not text.txt").write_bytes(b"\xff\xfe\x00\x1b[7357m")
    (folder / "no picture.png").write_bytes(b"\x1b[7357m" * 100)


def _run(run: RunFolder) -> None:
    record = tomllib.loads(run.record_file.read_text(encoding="utf-8"))
    record["settings"]["question"] = ALL
    record["run"]["project"] = ALL
    run.record_file.write_bytes(tomli_w.dumps(record).encode())
    lines = run.events_file.read_bytes().splitlines(keepends=True)
    said = [{"kind": kind, "t": 1.0, "text": text} for kind in ("warning", "message") for text in (*PAYLOADS, LONG)]
    run.events_file.write_bytes(b"".join([*lines[:-1], *(json.dumps(e).encode() + b"\n" for e in said), lines[-1]]))
    run.log_file.write_bytes(ALL.encode() + b"\n\xff\x9b7357m\n" + LONG.encode() + b"\n")
    for path in sorted(run.samples.glob("*/*.png"))[:2]:
        with Image.open(path) as image:
            image.load()
        from loratui.lab.pictures.pictures import read_facts, save_picture

        facts = read_facts(path)
        if facts is not None:
            import dataclasses

            import numpy as np

            save_picture(path, np.asarray(image.convert("RGB")), dataclasses.replace(facts, prompt=ALL, model=ALL))


def all_bytes(folder: Path) -> dict[bytes, bytes]:
    """Every file below a folder, by its name."""
    return {os.fsencode(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
