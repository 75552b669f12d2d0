"""The measures of one picture: each a function from a picture, or a Look at it, to a Measured.

A measure says how sure it is by asking again with a lower and with a higher threshold: what depends on the threshold
is uncertain. Made for few, flat objects on a plain ground; how wrong they are, and on what, is printed by
`python -m tests.bench.measures`. Neither SSIM nor the variance of the Laplacian is among them: both call a wrong
shape or a noisy blur good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from loratui.lab.measures.colours import WORDS, nearest, to_lab, votes
from loratui.lab.measures.looking import NOISY, Look, look
from loratui.lab.measures.pieces import Pieces
from loratui.lab.measures.reading import SURE, Floats, Mask, Measured, Picture, Value
from loratui.lab.measures.shapes import shape_of
from loratui.lab.project.expected import NO_GRID

WHITE = 235  # a pixel whose channels are all at least this is white
EMPTY = "nothing stands out"
EVEN = 0.2  # spread of the sizes of objects that are of one kind
FAINT = 4.0  # CIELAB: differences that nobody sees


def background(picture: Picture | Look) -> Measured:
    """The ground's colour as a word, or "gradient"; uncertain where no one colour lies behind."""
    seen = look(picture)
    mask = seen.enlarged(seen.behind)
    if seen.kind == "gradient":
        return _told("background", "gradient", seen.share, mask, "the ground changes little")
    ground = np.median(seen.lab[seen.behind], axis=0) if seen.kind == "plain" else seen.ground
    word, clear = nearest(ground)
    # Half way to the next word the clearness is 0: anything well on one side of that is told.
    sure = min(1.0, 0.3 + 2.2 * clear)
    if seen.kind == "busy":
        return _told("background", word, min(sure, 0.4), mask, _busy(seen))
    return _told("background", word, sure, mask, f"it could as well be {_second(ground)}")


def whiteness(picture: Picture | Look) -> Measured:
    """The share of the ground's pixels that are white, 0..1."""
    seen = look(picture)
    mask = seen.enlarged(seen.behind)
    share = float((seen.picture[mask] >= WHITE).all(axis=1).mean())
    return _told("whiteness", share, 0.4 if seen.kind == "busy" else 1.0, mask, _busy(seen))


def coverage(picture: Picture | Look) -> Measured:
    """The share of the picture that stands out from the ground, 0..1."""
    seen = look(picture)
    sure, reason = _standing(seen)
    return _told("coverage", float(seen.mask.mean()), sure, seen.enlarged(seen.mask), reason)


def colour(picture: Picture | Look) -> Measured:
    """The word that most of what stands out is, edges left out; shaded and lit sides count for their colour."""
    seen = look(picture)
    if seen.empty:
        return _nothing("colour", seen)
    mask = _inner(seen.mask & (seen.away > seen.threshold), seen.away)  # within an outline, only the line
    shares = votes(seen.lab[mask])
    first, second = np.argsort(-shares)[:2]
    sure = min(1.0, shares[first] / 0.6, 0.2 + 2 * (shares[first] - shares[second]))
    if seen.kind == "busy":
        sure = min(sure, 0.4)
    reason = f"{shares[first]:.0%} {WORDS[first]}, {shares[second]:.0%} {WORDS[second]}"
    return _told("colour", WORDS[first], float(sure), seen.enlarged(mask), reason)


def shape(picture: Picture | Look) -> Measured:
    """circle, square, triangle, rounded rectangle or other: of the one object, or of most of several."""
    seen = look(picture)
    if seen.empty:
        return _nothing("shape", seen)
    low, middle, high = (
        _common([_whole_shape(one) for one in found.masks[:9]]) if found.masks else ("", 0.0) for found in seen.objects
    )
    agree = sum(other[0] == middle[0] for other in (low, middle, high)) / 3
    sure = middle[1] * (0.45 + 0.55 * agree)
    standing, reason = _standing(seen)
    reason = reason if standing < sure else "it is near the limit between two shapes"
    return _told("shape", middle[0], min(sure, standing), seen.enlarged(seen.mask), reason)


def count(picture: Picture | Look) -> Measured:
    """How many objects of about one size there are; touching ones are parted at their neck."""
    seen = look(picture)
    if seen.empty:
        sure, reason = _standing(seen)
        return _told("count", 0, sure, seen.enlarged(seen.mask), reason)
    found = seen.objects[1]
    sure, reason = _counted(seen, found)
    return _told("count", len(found.masks), sure, seen.enlarged(seen.mask), reason)


def grid(picture: Picture | Look) -> Measured:
    """Rows x columns, such as "2x3" for two rows of three; "no grid" if the objects stand in none."""
    seen = look(picture)
    if seen.empty:
        return _nothing("grid", seen)
    found = seen.objects[1]
    sure, reason = _counted(seen, found)
    value, regular = _grid(found)
    if value != NO_GRID and regular >= 0.75 and len(found.masks) > 3:
        sure = max(sure, 0.6 * regular)  # what falls into place as a grid is no accident of the threshold
    return _told("grid", value, sure * regular, seen.enlarged(seen.mask), reason)


def centre_bias(picture: Picture | Look) -> Measured:
    """How far the middle of what stands out is from the middle of the picture, in halves of its width and height.

    0 is in the middle, 1 at a side. What stands out everywhere is in the middle too: see centre_pull.
    """
    seen = look(picture)
    if seen.empty:
        return _nothing("centre_bias", seen)
    height, width = seen.mask.shape
    y, x = ndimage.center_of_mass(seen.mask)
    off = np.hypot((x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1)
    sure, reason = _standing(seen)
    if seen.mask.mean() > 0.6:
        sure, reason = min(sure, 0.4), "what stands out is everywhere"
    return _told("centre_bias", float(off), sure, seen.enlarged(seen.mask), reason)


def centre_pull(picture: Picture | Look) -> Measured:
    """How much more the middle differs from the border's colour than the rest does, -1..1; 0 for even noise.

    The middle is the disc of half the picture's width. No mask is needed, so this also reads the first denoising step.
    """
    seen = look(picture)
    height, width = seen.away.shape
    y, x = np.mgrid[:height, :width]
    middle = np.hypot((x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1) <= 0.5
    inside, outside = float(seen.away[middle].mean()), float(seen.away[~middle].mean())
    faint = inside + outside < FAINT
    value = (inside - outside) / max(inside + outside, FAINT)
    return _told("centre_pull", value, 0.3 if faint else 1.0, seen.enlarged(middle), EMPTY)


def edge_steepness(picture: Picture | Look) -> Measured:
    """How steep the objects' edges are: the largest slopes over the contrast, in 1/pixel; about 0.4 is sharp.

    Compare pictures of one size only. Small after a blur; noise hardly matters, as the slope is that of a softened
    picture, at the edge of the mask.
    """
    seen = look(picture)
    if seen.empty:
        return _nothing("edge_steepness", seen)
    lab = ndimage.gaussian_filter(to_lab(seen.picture), (1, 1, 0), mode="nearest")
    ground = seen.ground if seen.ground.ndim == 1 else np.median(seen.lab[seen.behind], axis=0)
    away = np.linalg.norm(lab - ground, axis=2)
    mask = seen.enlarged(seen.mask)
    slopes = np.hypot(*np.gradient(away))
    reach = max(2, round(0.03 * min(mask.shape)))
    band: Mask = ndimage.binary_dilation(mask, iterations=reach) & ~ndimage.binary_erosion(
        mask, iterations=reach, border_value=1
    )
    contrast = float(np.percentile(away[mask], 75))
    value = float(np.percentile(slopes[band], 92)) / contrast if band.any() and contrast > 0 else 0.0
    sure = 0.4 if seen.kind != "plain" or contrast < 20 or mask.sum() < 40 else 1.0
    return _told("edge_steepness", value, sure, band, "too little contrast, or too small, to see an edge")


MEASURES: dict[str, Callable[[Picture | Look], Measured]] = {
    "colour": colour,
    "shape": shape,
    "background": background,
    "count": count,
    "grid": grid,
    "whiteness": whiteness,
    "coverage": coverage,
    "centre_bias": centre_bias,
    "centre_pull": centre_pull,
    "edge_steepness": edge_steepness,
}


def measure(picture: Picture | Look) -> dict[str, Measured]:
    """All measures of a picture, which is taken apart only once."""
    seen = look(picture)
    return {name: function(seen) for name, function in MEASURES.items()}


# -- how sure -----------------------------------------------------------------------------------------------------


def _told(name: str, value: Value, sure: float, mask: Mask, reason: str) -> Measured:
    sure = float(np.clip(sure, 0, 1))
    return Measured(name, value, sure, mask, reason if sure < SURE else "")


def _nothing(name: str, seen: Look) -> Measured:
    """Of an empty picture: that it shows no colour, shape or grid is an answer; a number there is none of."""
    sure, reason = _standing(seen) if name in ("colour", "shape", "grid") else (0.0, EMPTY)
    return _told(name, None, sure, seen.enlarged(seen.mask), reason)


def _busy(seen: Look) -> str:
    if seen.noise > NOISY:
        return "there is more noise than picture"
    return f"no one colour lies behind: only {seen.share:.0%} of the border are alike"


def _second(ground: Floats) -> str:
    return WORDS[int(np.argsort(-votes(ground[None]))[1])]


def _standing(seen: Look) -> tuple[float, str]:
    """How far the mask can be trusted."""
    if seen.kind == "busy":
        return 0.3, _busy(seen)
    if seen.empty:
        return (1.0, "") if not seen.levels[0].any() else (0.4, "something may stand out, hardly")
    if seen.mask.mean() > 0.8:
        return 0.4, "hardly any ground is seen"
    return min(1.0, 0.25 + 0.75 * seen.steadiness), "what stands out depends on the threshold: shade, blur or texture"


def _counted(seen: Look, found: Pieces) -> tuple[float, str]:
    """How sure the number of objects is."""
    sure, reason = _standing(seen)
    number = len(found.masks)
    others = [len(seen.objects[level].masks) for level in (0, 2)]
    agree = sum(other == number for other in others) / 2
    if agree < 1 and 0.3 + 0.4 * agree < sure:
        sure, reason = 0.3 + 0.4 * agree, f"{min(others)} or {max(*others, number)} objects, depending on the threshold"
    even = number > 3 and found.unevenness < EVEN  # parts that come out alike are parted rightly
    if found.patches < number and sure > 0.45 and not even:
        sure, reason = 0.45, f"{found.patches} if touching objects are one, {number} if parted"
    if found.doubtful and sure > 0.45:
        sure, reason = 0.45, f"{found.doubtful} patches are too small to be sure of"
    return sure, reason


# -- parts of measures --------------------------------------------------------------------------------------------


def _inner(mask: Mask, away: Floats) -> Mask:
    """The mask without its edge, where colours mix; of thin things, the pixels that stand out most."""
    inner: Mask = ndimage.binary_erosion(mask, iterations=1 + (min(mask.shape) > 100), border_value=1)
    if inner.sum() >= 0.35 * mask.sum():
        return inner
    return np.asarray(mask & (away >= np.quantile(away[mask], 0.6)), bool)


def _whole_shape(one: Mask) -> tuple[str, float]:
    """The shape of an object; one that is cut off by the picture's side can be anything."""
    told = shape_of(one)
    rim = int(one[0].sum() + one[-1].sum() + one[:, 0].sum() + one[:, -1].sum())
    return told.name, told.confidence * (0.45 if rim >= 4 and rim > 0.15 * np.sqrt(one.sum()) else 1.0)


def _common(told: list[tuple[str, float]]) -> tuple[str, float]:
    """The name most objects have; how sure is the mean of theirs, less for those that differ."""
    names = Counter(name for name, _ in told)
    name, times = names.most_common(1)[0]
    return name, float(np.mean([sure for other, sure in told if other == name])) * times / len(told)


def _grid(found: Pieces) -> tuple[str, float]:
    """Rows x columns, and how regular they are, 0..1."""
    number = len(found.masks)
    if number == 1:
        return "1x1", 1.0
    boxes = [ndimage.find_objects(mask.astype(int))[0] for mask in found.masks]
    extents = np.array([[box[0].stop - box[0].start, box[1].stop - box[1].start] for box in boxes], float)
    lines, uneven = [], []
    for axis in (0, 1):
        places = found.centres[:, axis]
        line = _lines(places, 0.5 * float(np.median(extents[:, axis])))
        lines.append(line)
        middles = np.array([places[line == i].mean() for i in range(line.max() + 1)])
        pitch = np.diff(middles)
        uneven.append(float(pitch.std() / pitch.mean()) if len(pitch) > 1 else 0.0)
    rows, columns = (int(line.max()) + 1 for line in lines)
    cells = Counter(zip(lines[0].tolist(), lines[1].tolist(), strict=True))
    if len(cells) != number or rows * columns != number:
        return NO_GRID, 1.0
    return f"{rows}x{columns}", float(np.clip(1.4 - 2.5 * max(uneven), 0.3, 1))


def _lines(places: Floats, gap: float) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Which line each place is in, counted from the first: a new one begins after every gap."""
    order = np.argsort(places)
    steps = np.diff(places[order]) > gap
    line = np.empty(len(places), np.intp)
    line[order] = np.concatenate([[0], np.cumsum(steps)])
    return line
