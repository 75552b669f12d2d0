"""Measures on pictures: what is seen in them, how sure that is, and what numbers of pictures say.

Pictures are uint8 arrays (height, width, 3). Every measure is pure and answers with its value, a confidence and the
mask it used, and may be uncertain. `measuring` has the measures of one picture, `expectation` holds an `expect` table
against one, `likeness` compares pictures with training images and with the base's. What many pictures say together is
in `scores`. Import it only where it is needed: numpy and scipy come with it.
"""

from loratui.lab.measures.expectation import HELD, NOT, UNCERTAIN, Judged, judge
from loratui.lab.measures.likeness import (
    Copying,
    Drift,
    Likeness,
    Nearest,
    copying,
    diversity,
    drift,
    likeness,
    nearest,
)
from loratui.lab.measures.looking import Look, look
from loratui.lab.measures.measuring import MEASURES, measure
from loratui.lab.measures.reading import Mask, Measured, Picture

__all__ = [
    "HELD",
    "MEASURES",
    "NOT",
    "UNCERTAIN",
    "Copying",
    "Drift",
    "Judged",
    "Likeness",
    "Look",
    "Mask",
    "Measured",
    "Nearest",
    "Picture",
    "copying",
    "diversity",
    "drift",
    "judge",
    "likeness",
    "look",
    "measure",
    "nearest",
]
