"""How long it takes to tell ΔW layer by layer: `python -m tests.bench.weights`.

The layers of Stable Diffusion 1.5's UNet that `lora.targets = "linear"` adapts, 192 of them, with random LoRAs; beside
it the naive way, an SVD of each formed ΔW, timed on one layer of each size.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable

import torch

from loratui.engine.export import LoraPair, kohya_name
from loratui.engine.families.sd1 import TARGETS
from loratui.engine.weights import describe_layer, inner_product
from tests.bench.sd15 import unet


def shapes() -> dict[str, tuple[int, int]]:
    """(out, in) of each layer by its kohya name; the model has no weights."""
    with torch.device("meta"):
        model = unet()
    wanted = re.compile(rf"(.*\.)?({TARGETS['linear']['unet']})")
    found = {name: module.weight for name, module in model.named_modules() if wanted.fullmatch(name)}
    return {kohya_name(f"unet.{name}"): (weight.shape[0], weight[0].numel()) for name, weight in found.items()}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--largest", type=int, default=1280, help="sides up to which the naive way is tried")
    args = parser.parse_args()
    layers = shapes()
    pairs = {name: LoraPair(torch.randn(args.rank, into), torch.randn(out, args.rank), 8.0)
             for name, (out, into) in layers.items()}  # fmt: skip
    sizes = {shape: name for name, shape in layers.items()}
    counts = Counter(layers.values())
    for name in sizes.values():  # warm up
        describe_layer(name, "", pairs[name], None)
    seconds = timed(lambda: [describe_layer(name, "", pair, None) for name, pair in pairs.items()])
    print(f"{len(pairs)} layers of rank {args.rank}: {seconds:.2f} s")
    print(f"their inner products with another LoRA: "
          f"{timed(lambda: [inner_product(pair, pair) for pair in pairs.values()]):.2f} s")  # fmt: skip
    naive = small = 0.0
    for (out, into), name in sizes.items():
        if max(out, into) > args.largest:
            continue
        pair = pairs[name]
        change = pair.up.double() @ pair.down.double()
        naive += timed(lambda change=change: torch.linalg.svdvals(change)) * counts[out, into]
        small += timed(lambda name=name, pair=pair: describe_layer(name, "", pair, None)) * counts[out, into]
    print(
        f"those with sides up to {args.largest}: {small:.2f} s; by SVDs of ΔW {naive:.1f} s, {naive / small:.0f} times"
    )


if __name__ == "__main__":
    main()
