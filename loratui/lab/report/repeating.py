"""How to repeat an article's runs: commands, versions, hashes, machine, time and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loratui.lab.report.article import Block, Code, Commands, Details, Facts, Paragraph, Said, Section, Table, Words
from loratui.lab.report.material import Material, Told
from loratui.lab.report.wording import base_name, command, from_here, setting_words
from loratui.lab.run.events import last_event, parse_number
from loratui.lab.run.story import duration


def repeating_section(material: Material) -> Section:
    folder, main = material.folder, material.main
    lines = [command("--run", folder, folder)]
    if material.project is not None and material.project.variants:
        lines = [command("--run", folder, folder, "--all-variants")]
    lines.append(command("--run", folder, folder, "--repeats 3"))
    if main is not None:
        lines.append(command("--measure", main.run.path, folder))
    lines.append(command("--report", folder, folder))
    blocks: list[Block] = [
        Paragraph(
            "In the folder that holds the project's: train it, train it again with other seeds, measure, report."
        ),
        Commands(tuple(lines)),
    ]
    if main is not None:
        blocks += _main(main, material)
    rows = [_row(told, material) for told in material.full]
    if rows:
        headings = ("run", "command", "time", "device", "training seed")
        blocks.append(Table(headings, tuple(rows), "", frozenset({2, 4})))
    return Section("repeat", "How to repeat it", tuple(blocks))


def _main(main: Told, material: Material) -> list[Block]:
    record = main.record
    assert record is not None
    sample = record.settings.sample
    versions = main.said.get("versions", {})
    machine = main.said.get("machine", {})
    rows: list[tuple[Words, Words]] = [
        ("run", (Code(from_here(main.run.path, material.folder)),)),
        ("steps", record.plan.arithmetic),
        ("training seed", str(record.settings.train.seed)),
        ("seeds of the pictures", setting_words(list(sample.seeds))),
        ("base model", (Said(base_name(main)), f", family {record.model.family}, ", Code(record.base_hash[:16]))),
        ("versions", (Said(_listed(versions)),)),
        ("machine", (Said(_listed(machine)),)),
    ]
    hashes: tuple[tuple[Words, ...], ...] = tuple(
        ((f"base model, {part}",), (Code(value),)) for part, value in record.hashes.items()
    )
    hashes += tuple((("image ", Said(image.name)), (Code(image.sha256),)) for image in record.images[:200])
    text = (
        "Randomness is a function of the seed and the step alone, so the same run on the same versions and kind of "
        "machine comes to the same weights; on others the last bits may differ."
    )
    table = Table(("of", "SHA-256"), hashes)
    return [Facts(tuple(rows)), Paragraph(text, "note"), Details("Hashes of everything it was trained on", (table,))]


def _listed(table: Any) -> str:
    items = table.items() if isinstance(table, Mapping) else ()
    return ", ".join(f"{key} {value}" for key, value in items) or "not recorded"


def _row(told: Told, material: Material) -> tuple[Words, ...]:
    record = told.record
    overrides = told.about.get("overrides")
    more = [f"--set {item}" for item in overrides] if isinstance(overrides, list) else []
    if told.variant:
        more.insert(0, f"--variant {told.variant}")
    ended = last_event(told.run.events_file, "state") or {}
    seconds = parse_number(ended.get("seconds"))
    return (
        (f"{told.name} · ", Said(told.run.id)),
        (Code(command("--run", material.folder, material.folder, " ".join(more))),),
        duration(seconds) if seconds is not None else "–",
        (Said(_device(told)),),
        str(record.settings.train.seed) if record else "–",
    )


def _device(told: Told) -> str:
    from loratui.lab.run.curves import Curves

    curves = Curves(told.run)
    curves.poll()
    return str(curves.started.get("device", "–"))
