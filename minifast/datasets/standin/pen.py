"""A pen that draws polygons, turned and placed, in the colours that it was given.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import colorsys
import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from PIL import ImageDraw

Ink = tuple[int, int, int]


class Inks(NamedTuple):
    """The colours of one drawing, as RGB values from 0 to 255."""

    body: Ink
    second: Ink
    dark: Ink
    light: Ink


def random_ink(rng: np.random.Generator, low: float = 0.3, high: float = 1.0) -> Ink:
    """Choose any hue, with a brightness from ``low`` to ``high``.

    Args:
        rng: Source of the choice.
        low: Smallest brightness.
        high: Largest brightness.
    """
    hue, saturation, value = rng.random(), rng.random() ** 1.5, rng.uniform(low, high)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def random_inks(rng: np.random.Generator) -> Inks:
    """Choose the four colours of a drawing."""
    return Inks(
        random_ink(rng, 0.35),
        random_ink(rng),
        random_ink(rng, 0.02, 0.25),
        random_ink(rng, 0.8),
    )


def mix(first: Ink, second: Ink, part: float) -> Ink:
    """Mix two inks.

    Args:
        first: An ink.
        second: Another.
        part: How much of ``second``, from 0 to 1.

    Example:
        >>> mix((200, 0, 0), (0, 100, 0), 0.5)
        (100, 50, 0)
    """
    red, green, blue = (
        round((1 - part) * a + part * b) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


class Pen:
    """Draws shapes of the square -1..1 onto a picture.

    Args:
        draw: The picture.
        to_px: Matrix of 2 x 3 that takes (x, y, 1) to pixels.
        inks: The colours to draw with.
        rng: Source of the differences between two drawings of a kind.
    """

    def __init__(
        self,
        draw: ImageDraw.ImageDraw,
        to_px: np.ndarray,
        inks: Inks,
        rng: np.random.Generator,
    ) -> None:
        self.draw, self.to_px, self.inks, self.rng = draw, to_px, inks, rng

    def about(self, value: float, spread: float = 0.15) -> float:
        """Return ``value``, more or less: up to the fraction ``spread`` of it."""
        return value * float(self.rng.uniform(1 - spread, 1 + spread))

    def polygon(self, points: ArrayLike, ink: Ink) -> None:
        """Fill the polygon through ``points``, rows of x and y."""
        xy = np.asarray(points, dtype=float) @ self.to_px[:, :2].T + self.to_px[:, 2]
        self.draw.polygon([tuple(row) for row in xy], fill=ink)

    def box(
        self, left: float, top: float, right: float, bottom: float, ink: Ink
    ) -> None:
        """Fill a rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], ink)

    def oval(self, x: float, y: float, rx: float, ry: float, ink: Ink) -> None:
        """Fill an ellipse around (x, y)."""
        self.polygon(arc(x, y, rx, ry), ink)

    def stroke(self, points: ArrayLike, width: float, ink: Ink) -> None:
        """Draw a line of some width through ``points``, with round ends and joints."""
        path = np.asarray(points, dtype=float)
        for start, stop in itertools.pairwise(path):
            along = (stop - start) / max(float(np.hypot(*(stop - start))), 1e-9)
            aside = width / 2 * np.array([-along[1], along[0]])
            ends = [start + aside, stop + aside, stop - aside, start - aside]
            self.polygon(ends, ink)
        for x, y in path:
            self.polygon(arc(x, y, width / 2, width / 2, n_points=12), ink)


def arc(
    x: float,
    y: float,
    rx: float,
    ry: float,
    start: float = 0,
    stop: float = 1,
    n_points: int = 36,
) -> np.ndarray:
    """Points on an ellipse around (x, y).

    Args:
        x: Centre.
        y: Centre.
        rx: Radius along x.
        ry: Radius along y.
        start: Where to begin, in turns; 0 is right, 0.25 is below.
        stop: Where to end, in turns.
        n_points: Number of points.

    Returns:
        Rows of x and y, (n_points, 2).
    """
    angle = 2 * np.pi * np.linspace(start, stop, n_points)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1)
