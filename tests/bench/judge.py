"""An independent judge of small pictures: what is on them, in which colour, on which background.

Colours are measured on the pixels with numpy; the object is named by a small network trained on renders that are
blurred, softened, recoloured, noisy and moved about. The judge shares the world's colour names and its pictures,
and nothing of the model it judges. It judges one object on a plain background and nothing else.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from loratui.tinyworld.scenes import COLOURS, OBJECTS, contrasting, draw, plain_scene

Pixels = NDArray[np.uint8]  # (height, width, 3) sRGB
Floats = NDArray[np.float64]

NOTHING = "nothing"  # what is named when there is no object, or none that can be told
NAMES = (*OBJECTS, NOTHING)
RING = 4  # pixels at the border that are taken for background
STANDS_OUT = 18.0  # CIELAB distance from the background at which a pixel belongs to the object


# Colours


def to_lab(rgb: Floats | Pixels) -> Floats:
    """sRGB (..., 3) in 0..255 to CIELAB under D65 (IEC 61966-2-1, CIE 15)."""
    c = np.asarray(rgb, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


COLOUR_NAMES = tuple(COLOURS)
PALETTE = np.array([COLOURS[name] for name in COLOUR_NAMES], float)
# Each colour with its faces in shade (towards black) and in light (towards white), by how far they are from it.
TONES = np.array([-0.42, -0.28, -0.14, 0.0, 0.13, 0.26, 0.38])
RAMPS = to_lab(
    np.where(
        TONES[:, None] < 0,
        PALETTE[:, None] * (1 + TONES[:, None]),
        PALETTE[:, None] + (255 - PALETTE[:, None]) * TONES[:, None],
    )
)  # (colours, tones, 3)


def _nearest(lab: Floats) -> NDArray[np.intp]:
    """Index of the named colour nearest to each CIELAB colour (n, 3)."""
    nearest: NDArray[np.intp] = np.argmin(np.linalg.norm(lab[:, None] - to_lab(PALETTE)[None], axis=2), axis=1)
    return nearest


def _ring(lab: Floats) -> Floats:
    inner = np.zeros(lab.shape[:2], bool)
    inner[RING:-RING, RING:-RING] = True
    return lab[~inner]


def background_colour(picture: Pixels) -> str:
    """The colour name that most pixels of the border ring are nearest to."""
    votes = np.bincount(_nearest(_ring(to_lab(picture))), minlength=len(PALETTE))
    return COLOUR_NAMES[int(votes.argmax())]


def object_pixels(picture: Pixels) -> NDArray[np.bool_]:
    """Where the picture stands out from its background (height, width); edges, where the two mix, left out."""
    lab = to_lab(picture)
    ring = _ring(lab)
    names = _nearest(ring)
    ground = np.median(ring[names == np.bincount(names).argmax()], axis=0)
    mask: NDArray[np.bool_] = np.linalg.norm(lab - ground, axis=2) > STANDS_OUT
    padded = np.pad(mask, 1)
    core = mask & padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]
    return core if core.sum() >= 0.4 * mask.sum() else mask


def object_colour(picture: Pixels) -> str:
    """The colour name that most of the object votes for: nearest as it is or, for less, in light or shade.

    Small things of other colours (eyes, wheels, stems) are outvoted. "nothing" if fewer than 40 pixels stand out.
    """
    mask = object_pixels(picture)
    if mask.sum() < 40:
        return NOTHING
    lab = to_lab(picture)[mask]
    itself = np.linalg.norm(lab[:, None] - to_lab(PALETTE)[None], axis=2)  # pixels, colours
    shaded = np.linalg.norm(lab[:, None, None] - RAMPS[None], axis=3).min(axis=2)
    likely = np.exp(-((itself / 20) ** 2)) + 0.4 * np.exp(-((shaded / 12) ** 2)) + 1e-4
    score = (likely / likely.sum(axis=1, keepdims=True)).sum(axis=0)  # each pixel has one vote to share
    return COLOUR_NAMES[int(score.argmax())]


# The network


def build() -> nn.Sequential:
    """(n, 3, 64, 64) in -1..1 to logits (n, names)."""
    layers: list[nn.Module] = []
    into = 3
    for out, kernel in ((32, 5), (64, 3), (128, 3), (160, 3)):
        layers += [
            nn.Conv2d(into, out, kernel, stride=2, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
        ]
        into = out
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * into, len(NAMES))
    )


def renders(count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
    """`count` renders of single objects on plain backgrounds (n, 64, 64, 3) and their classes, in every colour pair."""
    rng = np.random.default_rng(seed)
    pairs = [(c, b) for c in COLOURS for b in COLOURS if contrasting(c, b)]
    classes = np.arange(count) % len(OBJECTS)
    pictures = []
    for c in classes:
        colour, ground = pairs[rng.integers(len(pairs))]
        pictures.append(np.asarray(draw(plain_scene(OBJECTS[c], colour, ground, int(rng.integers(2**31))))))
    return np.stack(pictures), classes


def to_tensor(pictures: Pixels) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def disturb(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Pictures moved, scaled, turned, mirrored, softened, blurred and noisy, each by its own luck; (n, 3, 64, 64)."""
    n = len(x)

    def luck(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, generator=g)

    size, turn, mirror = luck(0.85, 1.2), luck(-0.15, 0.15), torch.where(luck(0, 1) < 0.5, -1.0, 1.0)
    c, s = size * turn.cos(), size * turn.sin()
    rows = [torch.stack([c * mirror, -s, luck(-0.1, 0.1)], 1), torch.stack([s * mirror, c, luck(-0.1, 0.1)], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    def mixed(other: torch.Tensor, most: float, chance: float) -> torch.Tensor:
        amount = torch.where(luck(0, 1) < chance, luck(0, most), torch.zeros(n))
        return torch.lerp(x, other, amount[:, None, None, None])

    soft = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear", align_corners=False)
    x = mixed(soft, 1.0, 0.6)
    x = mixed(F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5, 1), 0.9, 0.35)
    grain = F.interpolate(torch.randn((n, 3, 16, 16), generator=g), scale_factor=4, mode="bilinear")
    x = x + luck(0, 0.12)[:, None, None, None] * grain  # the slow waviness of a decoder
    x = x + luck(0, 0.08)[:, None, None, None] * torch.randn(x.shape, generator=g)
    return x.clamp(-1, 1)


def recolour(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """Half of the pictures with their channels shuffled, inverted or made gray: the shape must tell, not the colour."""
    kind = torch.rand(len(x), generator=g)
    x = torch.where((kind < 0.2)[:, None, None, None], x[:, torch.randperm(3, generator=g)], x)
    x = torch.where(((kind > 0.15) & (kind < 0.35))[:, None, None, None], -x, x)
    return torch.where(((kind > 0.35) & (kind < 0.5))[:, None, None, None], x.mean(1, keepdim=True).expand_as(x), x)


def spoil(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """No object any more: an empty ground, quarters changed about, or soft blobs of the picture's colours."""
    kind = torch.rand(len(x), generator=g)
    empty = x[:, :, :1, :1].expand_as(x)
    shuffled = x.roll((32, 32), (2, 3))
    shuffled = torch.where((kind < 0.5)[:, None, None, None], shuffled, shuffled.flip(3).roll(16, 2))
    coarse = F.interpolate(torch.randn((len(x), 1, 4, 4), generator=g), size=64, mode="bicubic")
    frame = torch.zeros(64)
    frame[8:56] = 1
    blob = torch.sigmoid(6 * coarse) * frame[:, None] * frame
    blobs = torch.lerp(empty, x[:, :, 32:33, 32:33].expand_as(x), blob)
    chosen = torch.where((kind < 0.6)[:, None, None, None], shuffled, blobs)
    return torch.where((kind < 0.2)[:, None, None, None], empty, chosen)


def train(steps: int = 700, batch: int = 96, pictures: int = 12_000, seed: int = 0) -> nn.Sequential:
    """The network, trained from nothing in a minute or two on one CPU core; deterministic on one machine."""
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed)
    drawn, classes = renders(pictures, seed)
    data, labels = to_tensor(drawn), torch.from_numpy(classes)
    network = build().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.15)
    for step in range(steps):
        at = torch.randint(len(data), (batch,), generator=g)
        x, y = data[at], labels[at].clone()
        spoilt = batch // 12
        x[:spoilt] = spoil(x[:spoilt], g)
        y[:spoilt] = NAMES.index(NOTHING)
        loss = F.cross_entropy(network(disturb(recolour(x, g), g)), y, label_smoothing=0.02)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            print(f"judge: step {step + 1} of {steps}, loss {float(loss.detach()):.3f}", flush=True)
    return network.eval()


class Judge:
    """Names objects. Trained on first use and kept in a cache folder."""

    def __init__(self, network: nn.Sequential) -> None:
        self.network = network.eval()

    @classmethod
    def load_or_train(cls, cache: Path) -> Judge:
        """The judge from `cache`, trained and stored there first unless one for this code and this world is there."""
        path = cache / f"judge-{_fingerprint()}.pt"
        network = build()
        if path.exists():
            network.load_state_dict(torch.load(path, weights_only=True))
        else:
            network = train()
            cache.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            torch.save(network.state_dict(), part)
            part.replace(path)
        return cls(network)

    @torch.no_grad()
    def object(self, pictures: Pixels) -> tuple[list[str], Floats]:
        """Names and confidences (0..1) for uint8 pictures (n, 64, 64, 3); "nothing" where there is no known object."""
        logits = torch.cat([self.network(part) for part in torch.split(to_tensor(pictures), 200)])
        confidence, index = logits.softmax(1).max(1)
        return [NAMES[i] for i in index.tolist()], confidence.double().numpy()

    def accuracy(self, pictures: Pixels, classes: Sequence[int] | NDArray[np.int64]) -> float:
        """Share of pictures whose object is named rightly; classes index OBJECTS."""
        names, _ = self.object(pictures)
        return float(np.mean([name == OBJECTS[c] for name, c in zip(names, classes, strict=True)]))


def _fingerprint() -> str:
    """Changes with how the world looks and with how the judge is trained."""
    digest = hashlib.sha256()
    for index, name in enumerate(OBJECTS):
        for seed in range(4):
            digest.update(draw(plain_scene(name, "purple", "yellow", 100 * index + seed)).tobytes())
    parts: tuple[Any, ...] = (build, renders, disturb, recolour, spoil, train)
    for part in parts:
        digest.update(inspect.getsource(part).encode())
    return digest.hexdigest()[:12]
