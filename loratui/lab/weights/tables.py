"""What is known of weights as lines to read, for a terminal of 80 columns, the bench and the report alike.

Outside text is made plain here. What the numbers are is told where they are made: `weights`, `alike`, `knockouts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loratui.lab.plain import plain
from loratui.lab.weights import knockouts, weights
from loratui.lab.weights.alike import Alike
from loratui.lab.weights.knockouts import ONLY, WITHOUT, KnockedPrompt, KnockOut
from loratui.lab.weights.weights import MovedTokens, Part, RunWeights, TokenMove

_ROWS = 12  # checkpoints that a table shows
_TOKENS = 20  # of the hundred that are kept
_PAIRS = 15  # that are told in words


def weight_lines(
    name: str, known: RunWeights, steps: Sequence[int] | None = None, step: int | None = None
) -> Iterator[str]:
    """One checkpoint (None: the newest) by block and kind of layer, and how it grew over `steps` (None: all known)."""
    step = known.last if step is None else step
    whole, saturation = known.whole(step), known.saturation(step)
    yield f"{name}, step {step}: {whole.layers} layers"
    if whole.broken:
        yield f"{whole.broken} of them hold numbers that are not finite, and are left out: this LoRA is of no use"
    if whole.norm == 0 and not whole.broken:
        yield "No weight has changed: this LoRA draws what the base model draws."
    elif whole.relative is None:
        yield f"‖ΔW‖ is {whole.norm:.4g}; the base model's ‖W‖ is not known."
    else:
        sizes = f"‖ΔW‖ {whole.norm:#.4g}, ‖W‖ {whole.base:#.4g}"
        yield f"The LoRA changes them by {whole.relative:.2%} of their size ({sizes})."
    yield weights.CAUTION
    yield from ("", *_table("block", known.blocks(step)), "", *_table("kind of layer", known.kinds(step)), "")
    yield "rank: effective rank of the middle layer; 90 %: directions that hold 90 % of it"
    yield ""
    if saturation is not None:
        yield from _wrapped(saturation.words)
    bound = known.keys_and_values(step)
    if bound.layers and bound.share is not None:
        yield f"{bound.share:.0%} of it is in keys and values of cross-attention, which read the prompt."
    shown = [one for one in (sorted(known.steps) if steps is None else steps) if one in known.steps]
    if len(shown) > 1:
        yield from ("", *_step_table(known, shown), "", known.growth.words)


def _table(head: str, parts: Sequence[Part]) -> Iterator[str]:
    """78 columns."""
    yield f"  {head:<20}{'layers':>6}{'‖ΔW‖':>10}{'of ‖W‖':>10}{'of the LoRA':>17}{'rank':>7}{'90 %':>6}"
    most = max((part.share or 0 for part in parts), default=0)
    for part in parts:
        bar = "█" * round(8 * (part.share or 0) / most) if most else ""
        size = f"{part.norm:>#10.4g}{_percent(part.relative):>10}"
        ranks = f"{_number(part.effective_rank):>7}{_number(part.rank90):>6}"
        yield f"  {part.name:<20}{part.layers:>6}{size}   {bar:<8}{_percent(part.share, 0):>6}{ranks}"


def _step_table(known: RunWeights, steps: Sequence[int]) -> Iterator[str]:
    yield f"  {'step':>8}{'‖ΔW‖':>10}{'of ‖W‖':>10}{'rank':>7}{'90 %':>6}{'cross-attention k, v':>23}"
    for step in _some_of(steps):
        whole, bound = known.whole(step), known.keys_and_values(step)
        broken = f"  {whole.broken} layers are not finite" if whole.broken else ""
        yield (f"  {step:>8}{whole.norm:>#10.4g}{_percent(whole.relative):>10}{_number(whole.effective_rank):>7}"
               f"{_number(whole.rank90):>6}{_percent(bound.share, 0):>23}{broken}")  # fmt: skip


def _some_of(steps: Sequence[int]) -> list[int]:
    """At most a dozen, evenly, with the first and the last."""
    if len(steps) <= _ROWS:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (_ROWS - 1))] for i in range(_ROWS)]


def token_lines(tokens: MovedTokens) -> Iterator[str]:
    """The twenty that moved most, those of the captions, and the middle one, beside which the others stand."""
    from loratui.lab.run.story import duration

    took = f"{tokens.of} looked at alone, in {duration(tokens.seconds)}"
    yield f"Tokens that the text encoder moved most: step {tokens.step}, {took}"
    if not tokens.most or tokens.most[0].distance == 0:
        yield "None moved."
        return
    yield f"  {'':>6}  {'token':<24}{'id':>7}{'cosine distance':>18}{'moved by':>11}"
    yield from map(_token_line, tokens.most[:_TOKENS])
    rest = [move for move in tokens.trained if move.place > _TOKENS]
    if rest:
        yield "  of the captions:"
        yield from map(_token_line, rest[:_TOKENS])
    yield (f"  {'':>6}  {'the middle token':<24}{'':>7}{tokens.median_distance:>18.2e}"
           f"{tokens.median_relative:>11.2%}")  # fmt: skip


def _token_line(move: TokenMove) -> str:
    return f"  {move.place:>5}.  {plain(move.text, 22):<24}{move.id:>7}{move.distance:>18.2e}{move.relative:>11.2%}"


def knock_lines(made: KnockOut) -> Iterator[str]:
    """A table a prompt."""
    yield f"Each block of the LoRA switched off, and on alone, step {made.step}:"
    yield "RMSE between pictures of the same noise, 0 to 1, with 95 % intervals over the seeds"
    for prompt in made.prompts:
        yield from ("", *_knocked_prompt(prompt))
    yield from ("", *_wrapped(knockouts.CAUTION))


def _knocked_prompt(prompt: KnockedPrompt) -> Iterator[str]:
    text = f"“{plain(prompt.text, 60)}”" if prompt.text.strip() else "the empty prompt"
    yield f"{text}, {prompt.inference_steps} denoising steps, n = {len(prompt.seeds)} seeds"
    yield f"  the whole LoRA moves them by {prompt.moved.words}"
    yield f"  {'block':<8}{'switched off, changes by':<32}on alone, moves by"
    alone = {one.block: one for one in prompt.of(ONLY)}
    for one in prompt.of(WITHOUT):
        other = alone[one.block]
        yield (f"  {one.block:<8}{one.to_lora.words:<25}{_percent(prompt.share(one), 0):>5}  "
               f"{other.to_base.words:<25}{_percent(prompt.share(other), 0):>5}")  # fmt: skip


def alike_lines(alike: Alike) -> Iterator[str]:
    """The matrix, with repeats marked, and each pair in words."""
    from loratui.lab.notes.comparison import letter

    yield "How alike they changed the weights: cosine of ΔW, 1 the same, 0 unrelated"
    ends = {run: step for one in alike.cosines.values() for run, step in ((one.a, one.step_a), (one.b, one.step_b))}
    for i, run in enumerate(alike.runs):
        yield f"  {letter(i)}  {run}" + (f", step {ends[run]}" if run in ends else "")
    yield ""
    yield "  " + " " * 3 + "".join(f"{letter(j):>8}" for j in range(len(alike.runs)))
    for i in range(len(alike.runs)):
        yield f"  {letter(i):<3}" + "".join(f"{_cosine(alike, i, j):>8}" for j in range(len(alike.runs)))
    yield "  * a repeat: they differ in train.seed alone    = the same train.seed    - none"
    yield from ("", *_wrapped(alike.words), "")
    pairs = sorted({**alike.cosines, **alike.refused})
    for i, j in pairs[:_PAIRS]:
        yield from _wrapped(f"  {letter(i)}, {letter(j)}: {alike.words_of(i, j)}", "        ")
    if len(pairs) > _PAIRS:
        yield f"  … and {len(pairs) - _PAIRS} pairs more: --json tells them all"


def _cosine(alike: Alike, i: int, j: int) -> str:
    found = alike.cosines.get((min(i, j), max(i, j)))
    if i == j:
        return "1 "
    if found is None or found.overall is None:
        return "- "
    return f"{found.overall:.3f}" + ("*" if found.repeat else "=" if found.same_seed else " ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Prose between words, not where the terminal happens to end."""
    import textwrap

    return textwrap.wrap(plain(text), 80, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _percent(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
