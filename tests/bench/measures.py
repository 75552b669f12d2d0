"""How often the measures are wrong: `python -m tests.bench.measures`.

On drawings of known truth (`drawings`), on scenes of the world that the embedded base model was trained on, and on the
same scenes through its autoencoder (`--decoded`) or drawn by it (`--sampled`, minutes). An uncertain answer is no
error; it is counted beside. Numbers are wrong if they miss the truth by more than the tolerance.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from loratui.lab.measures import measure
from loratui.lab.measures.reading import Measured, Picture
from loratui.lab.scores.statistics import wilson
from loratui.tinyworld.grounds import jitter
from loratui.tinyworld.scenes import COLOURS, Scene, _background, _gray, _spots, draw, scene_at
from tests.bench.drawings import KINDS, drawing, sharp_and_blurred

TOLERANCE = {"coverage": 0.03, "centre_bias": 0.08}
WORLD = 7_801  # a world seed on which neither the model was trained nor the measures were adjusted
FIRST = 1000  # number of the first drawing; the measures were adjusted on lower ones
SHAPES = ("circle", "square", "triangle")
Truth = dict[str, str | int | float]


@dataclass
class Score:
    """Of pictures with a known truth: how many answers were uncertain, and how many of the others wrong."""

    pictures: int = 0
    uncertain: int = 0
    wrong: int = 0

    @property
    def told(self) -> int:
        return self.pictures - self.uncertain

    @property
    def error(self) -> float:
        return self.wrong / self.told if self.told else 0.0


Scores = dict[tuple[str, str], Score]  # by measure and kind of picture


def wrong(measured: Measured, truth: str | int | float) -> bool:
    """Whether a certain answer is not the truth."""
    if isinstance(truth, float):
        return not isinstance(measured.value, (int, float)) or abs(measured.value - truth) > TOLERANCE[measured.name]
    return measured.value != truth


def score(cases: Iterable[tuple[str, Picture, Truth]]) -> Scores:
    scores: Scores = defaultdict(Score)
    for kind, picture, truth in cases:
        told = measure(picture)
        for name, true in truth.items():
            cell = scores[name, kind]
            cell.pictures += 1
            cell.uncertain += told[name].uncertain
            cell.wrong += not told[name].uncertain and wrong(told[name], true)
    return scores


def drawings(each: int, sizes: tuple[int, ...] = (64, 128)) -> Iterable[tuple[str, Picture, Truth]]:
    for kind in KINDS:
        for size in sizes:
            for number in range(FIRST, FIRST + each):
                drawn = drawing(kind, size, number)
                yield kind, drawn.picture, drawn.truth


def blurs(each: int, sizes: tuple[int, ...] = (64, 128)) -> Score:
    """Pairs in which the blurred picture is not told from the sharp one, for all its noise."""
    result = Score()
    for size in sizes:
        for number in range(FIRST, FIRST + each):
            sharp, blurred = (measure(picture)["edge_steepness"] for picture in sharp_and_blurred(size, number))
            result.pictures += 1
            result.uncertain += sharp.uncertain or blurred.uncertain
            if not sharp.uncertain and not blurred.uncertain:
                assert isinstance(sharp.value, float) and isinstance(blurred.value, float)
                result.wrong += not blurred.value < 0.85 * sharp.value
    return result


def true_of(scene: Scene) -> Truth:
    """What the measures should say of a scene."""
    truth: Truth = {"shape": scene.object if scene.object in SHAPES else "other", "count": objects(scene)}
    # An outlined thing is filled with one colour of the ground: on a gradient, which of the two is its colour?
    if scene.colour and scene.style != "monochrome" and (scene.style, scene.background) != ("outline", "gradient"):
        truth["colour"] = scene.colour
    if scene.style != "monochrome" or scene.background_colour in ("white", "gray", "black", None):
        truth["background"] = scene.background
    return truth


def objects(scene: Scene) -> int:
    """How many objects the scene has, from the same luck as `draw`."""
    look = Random(scene.seed)
    if scene.colour:
        jitter(COLOURS[scene.colour], look)
    else:
        _gray(look)
    _background(scene, look)
    return len(_spots(scene, look))


def kind_of(scene: Scene) -> str:
    if scene.background in ("indoor", "outdoor"):
        return "indoors, outdoors"  # no ground of one colour: uncertain is the only right answer
    if scene.style != "filled":
        return scene.style
    return (
        scene.number
        if scene.number != "one"
        else f"one, {scene.background if scene.background == 'gradient' else 'plain'}"
    )


def world(count: int) -> list[tuple[Scene, Picture]]:
    return [(scene, np.asarray(draw(scene))) for scene in (scene_at(WORLD, index)[0] for index in range(count))]


def decoded(pictures: list[Picture]) -> list[Picture]:
    """The pictures as the base model's autoencoder returns them."""
    import torch
    from diffusers import AutoencoderKL

    from loratui.tinyworld.anatomy import MODEL
    from tests.bench.tinyworld import round_trip

    vae = AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32)
    return list(round_trip(vae, np.stack(pictures)))


def sampled(count: int, cache: Path) -> list[tuple[str, Picture, Truth]]:
    """Pictures drawn by the base model for held-out prompts, and what the independent judge says they show."""
    import torch
    from diffusers import StableDiffusionPipeline

    from loratui.tinyworld.anatomy import GUIDANCE, MODEL
    from tests.bench.judge import Judge
    from tests.bench.tinyworld import SURE, choose_prompts, look, sample

    pipe = StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    prompts = choose_prompts(count)
    pictures = sample(pipe, prompts, GUIDANCE)
    cases: list[tuple[str, Picture, Truth]] = []
    for seen, picture in zip(look(Judge.load_or_train(cache), prompts, pictures), pictures, strict=True):
        if seen.right["all three"] and seen.confidence >= SURE:
            shape = seen.object if seen.object in SHAPES else "other"
            truth: Truth = {"colour": seen.colour, "background": seen.background, "shape": shape, "count": 1}
            cases.append(("sampled", picture, truth))
    return cases


def table(title: str, scores: Scores) -> str:
    """Lines of `wrong of told, share uncertain`: a row a kind of picture, a column a measure."""
    names = list(dict.fromkeys(name for name, _ in scores))
    kinds = list(dict.fromkeys(kind for _, kind in scores))
    lines = [f"\n{title}: wrong of those told (uncertain)", f"{'':20}" + "".join(f"{name:>21}" for name in names)]
    for kind in [*kinds, "all"]:
        cells = []
        for name in names:
            of = [s for (n, k), s in scores.items() if n == name and kind in (k, "all")]
            told, bad = sum(s.told for s in of), sum(s.wrong for s in of)
            total = sum(s.pictures for s in of)
            unsure = f"({(total - told) / total:.0%})" if total else ""
            cells.append(f"{f'{bad}/{told} {unsure}' if total else '':>21}")
        lines.append(f"{kind:20}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loratui" / "bench"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=40, help="drawings of each kind and size")
    parser.add_argument("--scenes", type=int, default=600, help="scenes of the world, 200 or more")
    parser.add_argument("--decoded", action="store_true", help="also the scenes through the autoencoder")
    parser.add_argument("--sampled", type=int, default=0, metavar="N", help="also N pictures of the base model")
    parser.add_argument("--cache", type=Path, default=cache, help="where the judge is kept")
    given = parser.parse_args()
    if given.scenes < 200:
        parser.error("--scenes: 200 or more")
    start = time.perf_counter()
    print(table("Drawings at 64 and 128 pixels", score(drawings(given.each))))
    pairs = blurs(given.each)
    low, high = wilson(pairs.wrong, pairs.told)
    print(f"\nblur with noise not told from sharp: {pairs.wrong}/{pairs.told} ({low:.1%} to {high:.1%}), "
          f"{pairs.uncertain} uncertain")  # fmt: skip
    scenes = world(given.scenes)
    print(table("Scenes of the world", score((kind_of(s), picture, true_of(s)) for s, picture in scenes)))
    if given.decoded:
        back = decoded([picture for _, picture in scenes])
        cases = ((kind_of(s), picture, true_of(s)) for (s, _), picture in zip(scenes, back, strict=True))
        print(table("The same through the autoencoder", score(cases)))
    if given.sampled:
        print(table("Drawn by the base model", score(sampled(given.sampled, given.cache))))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
