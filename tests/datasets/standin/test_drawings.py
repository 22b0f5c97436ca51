"""Ten drawings: each has a shape of its own, each time a bit different."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from minifast.datasets.standin.drawings import DRAWINGS
from minifast.datasets.standin.pen import Inks, Pen

INKS = Inks((200, 40, 40), (40, 200, 40), (10, 10, 10), (240, 240, 240))
PAPER = (90, 90, 160)


def draw(drawing, seed, inks=INKS):
    page = Image.new("RGB", (120, 120), PAPER)
    to_px = np.array([[50.0, 0, 60], [0, 50.0, 60]])
    drawing(Pen(ImageDraw.Draw(page), to_px, inks, np.random.default_rng(seed)))
    return np.asarray(page)


def inked(page):
    return (page != PAPER).any(2)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_fills_a_good_part_of_the_square_and_little_beyond(name):
    for seed in range(5):
        shape = inked(draw(DRAWINGS[name], seed))
        assert 0.1 < shape.mean() < 0.7
        rows, columns = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) > 60
        border = shape.copy()
        border[4:-4, 4:-4] = False
        assert border.sum() < 60


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_differs_from_call_to_call_but_not_for_one_seed(name):
    first = draw(DRAWINGS[name], 0)
    assert np.array_equal(first, draw(DRAWINGS[name], 0))
    assert not np.array_equal(first, draw(DRAWINGS[name], 1))


def test_all_drawings_use_at_least_three_of_the_four_inks():
    for drawing in DRAWINGS.values():
        page = draw(drawing, 0).reshape(-1, 3)
        used = sum((page == ink).all(1).sum() > 15 for ink in INKS)
        assert used >= 3 or drawing.__name__ == "golf_ball"


def test_outlines_are_more_alike_within_a_class_than_between():
    shapes = {n: [inked(draw(d, s)) for s in range(4)] for n, d in DRAWINGS.items()}

    def overlap(one, two):
        return (one & two).sum() / (one | two).sum()

    for name, (first, *rest) in shapes.items():
        own = np.mean([overlap(first, shape) for shape in rest])
        for other in shapes.keys() - {name}:
            assert own > np.mean([overlap(first, shape) for shape in shapes[other]])
