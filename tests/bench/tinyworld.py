"""How well the embedded base model draws what it never saw: `python -m tests.bench.tinyworld`.

Prompts are combinations of colour, object and background colour that were held out of training. The folder is
loaded by diffusers as it stands, pictures are drawn with its own scheduler in float32, and `judge` says what is on
them. The autoencoder is measured on scenes outside the training set. Exits 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image, ImageDraw, ImageFont

from loratui.tinyworld.anatomy import GUIDANCE, MODEL
from loratui.tinyworld.scenes import COLOURS, OBJECTS, contrasting, draw, held_out, plain_scene, scene_at
from tests.bench.judge import Judge, Pixels, background_colour, disturb, object_colour, renders, to_tensor

BARS = {"object": 0.85, "colour": 0.90, "background": 0.85, "all three": 0.70}
PSNR_BAR = 27.0  # dB
SURE = 0.9  # a stricter count beside the bar: the judge names the object with at least this confidence
STEPS = 25
BATCH = 16
ELSEWHERE = 900_001  # a world seed other than the one trained on
FIRST_SEED = 1000  # prompt number i starts from the noise of seed FIRST_SEED + i


@dataclass(frozen=True)
class Prompt:
    colour: str
    object: str
    background: str
    seed: int

    @property
    def text(self) -> str:
        return f"{self.colour} {self.object}, {self.background} background"


@dataclass(frozen=True)
class Seen:
    """What the judge sees in the picture of a prompt."""

    prompt: Prompt
    colour: str
    object: str
    background: str
    confidence: float  # of the object's name

    @property
    def right(self) -> dict[str, bool]:
        marks = {fact: getattr(self, fact) == getattr(self.prompt, fact) for fact in ("object", "colour", "background")}
        return {**marks, "all three": all(marks.values())}


def choose_prompts(count: int) -> list[Prompt]:
    """A fixed choice of held-out triples, spread evenly; every one is used before any comes again with a new seed."""
    triples = [
        (colour, thing, ground)
        for thing in OBJECTS
        for colour in COLOURS
        for ground in COLOURS
        if held_out(colour, thing, ground) and contrasting(colour, ground)
    ]
    Random(0).shuffle(triples)
    used: Counter[tuple[int, str]] = Counter()
    times: Counter[tuple[str, str, str]] = Counter()
    prompts = []
    for i in range(count):
        best = min(triples, key=lambda t: (times[t], sum((used[kv] + 1) ** 2 for kv in enumerate(t))))
        used.update(enumerate(best))
        times[best] += 1
        prompts.append(Prompt(*best, seed=FIRST_SEED + i))
    return prompts


def sample(pipe: Any, prompts: Sequence[Prompt], guidance: float) -> Pixels:
    """Pictures (n, 64, 64, 3) uint8. Each depends on its own prompt and seed, not on the rest of its batch."""
    pictures = []
    for start in range(0, len(prompts), BATCH):
        part = prompts[start : start + BATCH]
        noise = [torch.Generator("cpu").manual_seed(p.seed) for p in part]
        drawn = pipe([p.text for p in part], num_inference_steps=STEPS, guidance_scale=guidance, generator=noise)
        pictures += [np.asarray(image.convert("RGB")) for image in drawn.images]
        print(f"\r{len(pictures)} of {len(prompts)} pictures", end="", flush=True)
    print()
    return np.stack(pictures)


def look(judge: Judge, prompts: Sequence[Prompt], pictures: Pixels) -> list[Seen]:
    names, confidence = judge.object(pictures)
    return [
        Seen(prompt, object_colour(picture), name, background_colour(picture), float(sure))
        for prompt, picture, name, sure in zip(prompts, pictures, names, confidence, strict=True)
    ]


@torch.no_grad()
def round_trip(vae: Any, pictures: Pixels) -> Pixels:
    """Pictures through the autoencoder and back, the posterior's mean, as uint8."""
    out = [vae.decode(vae.encode(part).latent_dist.mean).sample for part in torch.split(to_tensor(pictures), 50)]
    pixels = ((torch.cat(out) + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
    return np.ascontiguousarray(pixels.numpy())


def psnr(a: Pixels, b: Pixels) -> float:
    """dB, of the squared error over all pixels of all pictures."""
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b).mean()))


def judge_errors(judge: Judge, vae: Any, count: int) -> dict[str, tuple[int, int]]:
    """How many of `count` held-out renders the judge gets wrong: as drawn, disturbed, and through this autoencoder."""
    pictures, classes = renders(count, ELSEWHERE)
    disturbed = disturb(to_tensor(pictures), torch.Generator().manual_seed(ELSEWHERE))
    shown = {
        "as drawn": pictures,
        "disturbed": ((disturbed + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy(),
        "autoencoded": round_trip(vae, pictures),
    }
    return {name: (round((1 - judge.accuracy(p, classes)) * count), count) for name, p in shown.items()}


def measure_errors(vae: Any, count: int) -> dict[str, tuple[int, int]]:
    """How often the colour measures are wrong on autoencoded renders of the held-out triples themselves."""
    prompts = choose_prompts(count)
    drawn = [draw(plain_scene(p.object, p.colour, p.background, ELSEWHERE + p.seed)) for p in prompts]
    pictures = round_trip(vae, np.stack([np.asarray(image) for image in drawn]))
    pairs = list(zip(prompts, pictures, strict=True))
    return {
        "colour": (sum(object_colour(picture) != p.colour for p, picture in pairs), count),
        "background": (sum(background_colour(picture) != p.background for p, picture in pairs), count),
    }


def wilson(k: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927), by default at 95 %."""
    p = k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def rates(seen: Sequence[Seen]) -> dict[str, tuple[int, int]]:
    return {fact: (sum(s.right[fact] for s in seen), len(seen)) for fact in BARS}


def worst(seen: Sequence[Seen], fact: str, most: int = 6) -> list[str]:
    """The prompts' values that fail most often, each with what was seen instead."""
    asked = Counter(getattr(s.prompt, fact) for s in seen)
    failed: dict[str, Counter[str]] = {}
    for s in seen:
        if not s.right[fact]:
            failed.setdefault(getattr(s.prompt, fact), Counter())[getattr(s, fact)] += 1
    order = sorted(failed, key=lambda value: (-failed[value].total() / asked[value], value))[:most]
    return [
        f"{value} {failed[value].total()} of {asked[value]} wrong: "
        + ", ".join(f"{name} {count}" for name, count in failed[value].most_common(4))
        for value in order
    ]


def sheet(pictures: Pixels, seen: Sequence[Seen]) -> Image.Image:
    """The first pictures, eight a row, twice their size, with their prompts; in red what the judge saw instead."""
    cell, text, gap = 128, 30, 8
    rows = -(-len(seen) // 8)
    image = Image.new("RGB", (8 * (cell + gap) + gap, rows * (cell + text + gap) + gap), "white")
    canvas, font = ImageDraw.Draw(image), ImageFont.load_default(11)
    for i, (picture, s) in enumerate(zip(pictures, seen, strict=True)):
        x, y = gap + i % 8 * (cell + gap), gap + i // 8 * (cell + text + gap)
        image.paste(Image.fromarray(picture).resize((cell, cell), Image.Resampling.NEAREST), (x, y))
        canvas.rectangle((x - 1, y - 1, x + cell, y + cell), outline=(200, 200, 200))
        canvas.text((x, y + cell + 1), f"{s.prompt.colour} {s.prompt.object}, {s.prompt.background}", "black", font)
        wrong = ", ".join(getattr(s, fact) for fact in ("colour", "object", "background") if not s.right[fact])
        if wrong:
            canvas.text((x, y + cell + 14), f"seen: {wrong}", (190, 0, 0), font)
    return image


def line(name: str, k: int, n: int, bar: float | None = None) -> str:
    low, high = wilson(k, n)
    verdict = "" if bar is None else f"   bar {bar:4.0%}  {'met' if k / n >= bar else 'MISSED'}"
    return f"  {name:<24}{k:>5}/{n:<5}{k / n:7.1%}   95 % {low:6.1%} – {high:6.1%}{verdict}"


def main(argv: Sequence[str] | None = None) -> int:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loratui" / "bench"
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tinyworld", description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="diffusers folder (default: the embedded model)")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help=f"guidance scale (default {GUIDANCE:g})")
    parser.add_argument("--json", type=Path, help="write all figures and every picture's verdict here")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the first 64 pictures here")
    parser.add_argument("--cache", type=Path, default=cache, help="where the trained judge is kept")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--brief", action="store_true", help="only the four rates")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)

    pipe = StableDiffusionPipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    pipe.unet.set_attn_processor(AttnProcessor())  # the same arithmetic, faster on grids as small as these
    pipe.set_progress_bar_config(disable=True)
    judge = Judge.load_or_train(args.cache)

    prompts = choose_prompts(args.prompts)
    since = time.monotonic()
    pictures = sample(pipe, prompts, args.guidance)
    seconds = time.monotonic() - since
    seen = look(judge, prompts, pictures)
    counts = rates(seen)

    print(f"{args.model}: {len(prompts)} held-out prompts, {STEPS} steps, guidance {args.guidance:g}, {seconds:.0f} s")
    for fact, (k, n) in counts.items():
        print(line(fact, k, n, BARS[fact]))
    sure = sum(s.right["object"] and s.confidence >= SURE for s in seen)
    print(line(f"object, judge {SURE:.0%} sure", sure, len(seen)))
    met = all(k / n >= BARS[fact] for fact, (k, n) in counts.items())
    figures: dict[str, Any] = {
        "prompts": len(prompts), "steps": STEPS, "guidance": args.guidance, "seconds": round(seconds, 1),
        "rates": {fact: {"right": k, "of": n, "wilson95": wilson(k, n)} for fact, (k, n) in counts.items()},
        "object_right_and_sure": sure,
    }  # fmt: skip
    if not args.brief:
        scenes = np.stack([np.asarray(draw(scene_at(ELSEWHERE, i)[0])) for i in range(400)])
        quality = psnr(scenes, round_trip(pipe.vae, scenes))
        met = met and quality >= PSNR_BAR
        verdict = "met" if quality >= PSNR_BAR else "MISSED"
        print(f"  autoencoder, {len(scenes)} new scenes  {quality:.2f} dB PSNR   bar {PSNR_BAR:g} dB  {verdict}")
        print("the judge's own errors, on renders it never saw")
        errors = {f"object, {name}": counted for name, counted in judge_errors(judge, pipe.vae, 1150).items()}
        errors |= {f"{name}, autoencoded": counted for name, counted in measure_errors(pipe.vae, 400).items()}
        for name, (k, n) in errors.items():
            print(line(name, k, n))
        for fact in ("object", "colour", "background"):
            print(f"worst by {fact}", *worst(seen, fact), sep="\n  ")
        figures |= {"psnr": quality, "judge_errors": errors}
    if args.json:
        figures["pictures"] = [asdict(s) | {"text": s.prompt.text, "right": s.right} for s in seen]
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if args.sheet:
        sheet(pictures[:64], seen[:64]).quantize(256, dither=Image.Dither.NONE).save(args.sheet, optimize=True)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
