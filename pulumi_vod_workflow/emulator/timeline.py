"""The time axis of the page: the axis only grows, so drawn bars keep their place and size."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

PIXELS_PER_SECOND: Final = 10.0  # pixels
"""Width of a second, at the begin of each stretch between two moments."""
MAX_SCALED_SECONDS: Final = 15.0  # seconds
"""Length of a stretch up to which a second has its width; longer stretches are shortened."""
PIXELS_PER_DOUBLING: Final = 20.0  # pixels
"""Width that a longer stretch gains whenever it is twice as long."""


def width(seconds: float) -> float:
    """
    Return the width of a stretch between two moments, in pixels.

    Two parts of a stretch are together never narrower than the whole stretch. So a new moment
    within a stretch moves later bars to the right, and shrinks no bar.
    """
    if seconds <= MAX_SCALED_SECONDS:
        return max(0.0, seconds) * PIXELS_PER_SECOND
    return MAX_SCALED_SECONDS * PIXELS_PER_SECOND + PIXELS_PER_DOUBLING * math.log2(
        seconds / MAX_SCALED_SECONDS
    )


class Axis:
    """
    Places of moments, in pixels from the first one.

    Args:
        moments: times at which runs are accepted, started and ended; at least one.

    """

    def __init__(self, moments: Iterable[float]) -> None:
        self._moments = sorted(set(moments))
        self._places = [0.0]
        for before, after in pairwise(self._moments):
            self._places.append(self._places[-1] + width(after - before))

    def at(self, moment: float) -> float:
        """Return the place of a moment; a moment before the first has the place of the first."""
        index = bisect_right(self._moments, moment) - 1
        if index < 0:
            return 0.0
        passed = moment - self._moments[index]
        place = self._places[index]
        if index == len(self._moments) - 1:
            return place + width(passed)
        stretch = self._moments[index + 1] - self._moments[index]
        return place + (self._places[index + 1] - place) * passed / stretch
