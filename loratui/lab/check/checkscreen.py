"""What `--check` prints: the arithmetic, the images with their tokens, the variants and the findings, on one screen.

Every word says what its colour says, so nothing is lost without colours. All text from outside goes through `plain`
and is laid out as Text, never as markup. Nothing is decided here; the same as JSON comes from `report_json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loratui.lab.check.check import CheckedImage, Finding, Report, Setup
from loratui.lab.plain import plain
from loratui.lab.project.plan import Marks, Plan
from loratui.lab.project.project import Project
from loratui.lab.project.settings import changed_keys

MOST_IMAGES = 20  # rows; the rest is counted
MOST_VARIANTS = 12
MOST_FINDINGS = 5  # places shown of one rule
MOST_PIECES = 120  # characters
NAME = 22  # characters of an image's name
_STYLES = {"error": "bold red", "warning": "bold yellow"}


def print_report(console: Console, report: Report, project: Project) -> None:
    """The whole report. Fits 80 columns; long lists are cut and counted."""
    console.print(Text(plain(project.name), style="bold"))
    if report.settings.question:
        console.print(Text(plain(report.settings.question), style="italic"))
    if report.plan is not None:
        console.print(Text(report.plan.arithmetic, style="bold cyan"))
        console.print(Text(_events(report, report.plan)))
        console.print()
        console.print(_image_table(report.base.checked[:MOST_IMAGES], report.token_limit))
        if len(report.images) > MOST_IMAGES:
            console.print(Text(_rest(report), style="dim"))
    if len(report.setups) > 1:
        console.print()
        console.print(_variant_table(report))
    console.print()
    print_findings(console, report.findings)
    if report.decoded < report.images_found:
        console.print(
            Text(
                f"Only the first {report.decoded:,} of {report.images_found:,} images were decoded to look for damage."
            )
        )


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """The findings by rule, errors first: places and messages, and below those that share it what to do."""
    if not findings:
        console.print(Text("Nothing is odd about it.", style="green"))
        return
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.rule), []).append(finding)
    for (severity, rule), group in sorted(groups.items(), key=lambda item: item[0][0] != "error"):
        _print_group(console, severity, rule, group)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    counts = [_count(count, noun) for count, noun in ((errors, "error"), (warnings, "warning")) if count]
    console.print(Text(", ".join(counts), style=_STYLES["error" if errors else "warning"]))


def _print_group(console: Console, severity: str, rule: str, group: Sequence[Finding]) -> None:
    head = Text(severity, style=_STYLES[severity]).append(f" {rule}", style="bold")
    if len(group) > MOST_FINDINGS:
        head.append(f" ({len(group):,} times)", style="dim")
    console.print(head)
    shown = group[:MOST_FINDINGS]
    for finding, following in zip(shown, [*shown[1:], None], strict=True):
        line = Text(plain(finding.where, 100), style="cyan").append(f": {plain(finding.message, 400)}", style="default")
        console.print(Padding(line, (0, 0, 0, 2), expand=False))
        if following is None or following.remedy != finding.remedy:
            console.print(_remedy(finding))
    if len(group) > len(shown):
        console.print(Text(f"  … and {len(group) - len(shown):,} more", style="dim"))


def _remedy(finding: Finding) -> Padding:
    return Padding(Text(f"→ {plain(finding.remedy, 400)}", style="green"), (0, 0, 0, 4), expand=False)


def _events(report: Report, plan: Plan) -> str:
    """`saved and drawn 10 times, every 75 steps: 8 pictures of 2 prompts`."""
    sample = report.settings.sample
    prompts = sample.resolved([image.caption for image in report.images])
    cells = sum(len(prompt.seeds) * len(prompt.inference_steps) for prompt in prompts) * len(sample.scales)
    saved, drawn = _when(plan.checkpoint_steps), _when(plan.sample_steps)
    if not plan.sample_steps or not cells:
        return f"saved {saved}; no pictures are drawn"
    pictures = f"{_count(cells, 'picture')} of {_count(len(prompts), 'prompt')}"
    return f"saved and drawn {saved}: {pictures}" if saved == drawn else f"saved {saved}; drawn {drawn}: {pictures}"


def _when(marks: Marks) -> str:
    """`10 times, every 75 steps`, or `once, at the end`."""
    return "once, at the end" if len(marks) == 1 else f"{len(marks):,} times, every {marks.stride:,} steps"


def _image_table(items: Iterable[CheckedImage], limit: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("image", no_wrap=True, max_width=NAME)
    table.add_column("size → trained", no_wrap=True, justify="right")
    table.add_column("×", no_wrap=True, justify="right")  # repeats
    table.add_column("tokens", no_wrap=True, justify="right")
    table.add_column("pieces", ratio=1, overflow="fold")
    for item in items:
        width, height = item.size
        count = Text(f"{len(item.tokens)}/{limit}", style="bold red" if len(item.tokens) > limit else "")
        table.add_row(
            Text(_name(item.image.name)),
            Text(f"{item.image.width}×{item.image.height} → {width}×{height}"),
            Text(f"{item.image.repeats:,}"),
            count,
            Text(pieces(item)) if item.tokens else Text("no words", style="dim"),
        )
    return table


def pieces(item: CheckedImage, limit: int = MOST_PIECES) -> str:
    """The pieces of an image's caption for a screen: `my shape·`."""
    return plain(" ".join(token.piece for token in item.tokens), limit)


def _name(name: str) -> str:
    """The name, its middle left out when it is long: the end tells images apart."""
    shown = plain(name)
    return shown if len(shown) <= NAME else f"{shown[: NAME // 2 - 1]}…{shown[-NAME // 2 :]}"


def _rest(report: Report) -> str:
    items = report.base.checked
    counts = [len(item.tokens) for item in items]
    sizes = report.plan.bucket_images if report.plan else ()
    return (
        f"… and {len(items) - MOST_IMAGES:,} more: {_count(len(items), 'image')} in all, "
        f"{_count(len(sizes), 'training size')}, {min(counts)} to {max(counts)} tokens, "
        f"{_count(len({item.image.caption for item in items}), 'different caption')}"
    )


def _variant_table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("variant", no_wrap=True, max_width=NAME)
    table.add_column("changes", ratio=1, overflow="fold")
    table.add_column("steps", no_wrap=True, justify="right")
    variants = report.setups[1:]
    for setup in variants[:MOST_VARIANTS]:
        steps = f"{setup.plan.total_steps:,}" if setup.plan else "–"
        table.add_row(Text(_name(setup.name)), Text(_changed(report, setup)), Text(steps))
    if len(variants) > MOST_VARIANTS:
        table.add_row(Text(f"… and {len(variants) - MOST_VARIANTS} more", style="dim"))
    return table


def _changed(report: Report, setup: Setup) -> str:
    """The factors a variant changes, with what they change to: `lora.rank 8 → 16; captions: myshape → monster`."""
    values, variant = changed_keys(report.settings, setup.settings), setup.variant
    parts = []
    for factor in report.changes(setup):
        if factor in values:
            before, after = values[factor]
            parts.append(f"{factor} {before} → {after}")
        elif factor == "captions" and variant is not None:
            edits = [f"{old} → {new}" for old, new in variant.replace_tags.items()]
            edits += [f"without {tag}" for tag in variant.drop_tags] + [f"with {tag}" for tag in variant.add_tags]
            parts.append(f"captions: {', '.join(edits) or 'of ' + setup.settings.dataset.path}")
        else:
            parts.append(factor)
    return plain("; ".join(parts) or "nothing", MOST_PIECES)


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


# --- JSON ---------------------------------------------------------------------------------------------------------


def findings_json(findings: Sequence[Finding], exit_code: int) -> dict[str, Any]:
    """What of a report there is without a base model, too."""
    errors = sum(finding.severity == "error" for finding in findings)
    return {
        "exit_code": exit_code,
        "errors": errors,
        "warnings": len(findings) - errors,
        "findings": [
            {name: getattr(finding, name) for name in ("rule", "severity", "where", "message", "remedy")}
            for finding in findings
        ],
    }


def report_json(report: Report) -> dict[str, Any]:
    """The report as plain values, complete and uncut; text is as it is in the files."""
    return {
        **findings_json(report.findings, report.exit_code),
        "token_limit": report.token_limit,
        "decoded_images": report.decoded,
        **_setup_json(report.base),
        "variants": [
            {"name": setup.name, "changes": list(report.changes(setup)), **_setup_json(setup)}
            for setup in report.setups[1:]
        ],
    }


def _setup_json(setup: Setup) -> dict[str, Any]:
    made = setup.plan
    return {
        "plan": None
        if made is None
        else {
            "arithmetic": made.arithmetic,
            "images": made.images,
            "views_per_epoch": made.views_per_epoch,
            "batches_per_epoch": made.batches_per_epoch,
            "steps_per_epoch": made.steps_per_epoch,
            "total_steps": made.total_steps,
            "epochs": made.epochs,
            "checkpoints": len(made.checkpoint_steps),
            "samples": len(made.sample_steps),
        },
        "images": [
            {
                "name": item.image.name,
                "sha256": item.image.sha256,
                "width": item.image.width,
                "height": item.image.height,
                "trained_width": item.size[0],
                "trained_height": item.size[1],
                "repeats": item.image.repeats,
                "caption": item.image.caption,
                "tokens": [{"id": token.id, "piece": token.piece} for token in item.tokens],
            }
            for item in setup.checked
        ],
    }
