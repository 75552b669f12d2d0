"""What a measure answers: a value, how sure it is of it, and the pixels it looked at. Nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 3) sRGB
Mask = NDArray[np.bool_]  # (height, width), as large as the picture
Floats = NDArray[np.float64]
Value = str | int | float | None  # None: there is nothing to measure

SURE = 0.5  # a confidence below this makes the answer uncertain


@dataclass(frozen=True, eq=False)
class Measured:
    """One measure of one picture. `value` is the best guess even where `reason` says that it is uncertain."""

    name: str
    value: Value
    confidence: float  # 0..1; no probability, only comparable within one measure
    mask: Mask  # the pixels that were measured: those of the object, or of the ground for measures of the ground
    reason: str = ""  # why the value is uncertain

    @property
    def uncertain(self) -> bool:
        return bool(self.reason)

    @property
    def words(self) -> str:
        """The value as a person would write it, with a question mark where it is uncertain."""
        if self.value is None:
            text = "nothing"
        else:
            text = f"{self.value:.3g}" if isinstance(self.value, float) else str(self.value)
        return text + "?" * self.uncertain


def checked(picture: Picture) -> Picture:
    """The picture itself; ValueError if it is no uint8 array (height, width, 3) of at least 16 pixels each way."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError("a picture to measure is a uint8 array (height, width, 3)")
    if min(picture.shape[:2]) < 16:
        raise ValueError(
            f"a picture of {picture.shape[1]}x{picture.shape[0]} pixels is too small to measure; 16 will do"
        )
    return picture
