"""Colours by number and by word. The words are those of the world that tinyworld draws, and no others.

Differences are Euclidean in CIELAB (CIE 1976): rough, but the words lie far apart.
"""

from __future__ import annotations

import numpy as np

from loratui.lab.measures.reading import Floats, Picture

# The same as tinyworld's own, which the lab may not import; a test holds the two together.
PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (222, 26, 34),
    "orange": (255, 138, 0),
    "yellow": (255, 226, 28),
    "green": (28, 158, 62),
    "blue": (30, 76, 222),
    "purple": (124, 40, 164),
    "pink": (255, 142, 196),
    "brown": (122, 70, 30),
    "gray": (134, 134, 134),
    "black": (18, 18, 20),
    "white": (252, 252, 252),
}
WORDS = tuple(PALETTE)
MOST = 1500  # pixels that vote: more say nothing new


def to_lab(rgb: Floats | Picture) -> Floats:
    """sRGB (..., 3) in 0..255 to CIELAB under D65 (IEC 61966-2-1, CIE 15)."""
    c = np.asarray(rgb, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


_RGB = np.array(list(PALETTE.values()), float)
_LAB = to_lab(_RGB)
# Each colour with its sides in shade (towards black) and in light (towards white), by how far they are from it.
_TONES = np.array([-0.42, -0.28, -0.14, 0.0, 0.13, 0.26, 0.38])[:, None]
_RAMPS = to_lab(
    np.where(_TONES < 0, _RGB[:, None] * (1 + _TONES), _RGB[:, None] + (255 - _RGB[:, None]) * _TONES)
)  # (words, tones, 3)


def votes(lab: Floats) -> Floats:
    """The share of the pixels (n, 3) in CIELAB that each word gets, summing to one.

    Every pixel has one vote and shares it among the words it is near to: as it is or, for less, in shade or light.
    """
    lab = lab[:: max(1, len(lab) // MOST)]
    itself = np.linalg.norm(lab[:, None] - _LAB, axis=2)
    shaded = np.linalg.norm(lab[:, None, None] - _RAMPS, axis=3).min(axis=2)
    likely = np.exp(-((itself / 20) ** 2)) + 0.4 * np.exp(-((shaded / 12) ** 2)) + 1e-4
    shares: Floats = (likely / likely.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def nearest(lab: Floats) -> tuple[str, float]:
    """The word nearest to one colour, and how clear that is: 1 on the word's own colour, 0 half way to the next."""
    distances = np.linalg.norm(_LAB - lab, axis=1)
    first, second = np.argsort(distances)[:2]
    return WORDS[int(first)], float(1 - distances[first] / max(distances[second], 1e-9))
