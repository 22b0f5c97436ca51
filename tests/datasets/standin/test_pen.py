"""The pen: where shapes land, and how inks are chosen."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from minifast.datasets.standin.pen import Pen, arc, mix, random_ink, random_inks

WHITE = (255, 255, 255)


@pytest.fixture
def page():
    return Image.new("RGB", (100, 100))


@pytest.fixture
def pen(page):
    rng = np.random.default_rng(0)
    to_px = np.array([[50.0, 0, 50], [0, 50.0, 50]])
    return Pen(ImageDraw.Draw(page), to_px, random_inks(rng), rng)


def area(page):
    return (np.asarray(page)[:, :, 0] == 255).sum()


def test_a_box_lands_where_the_matrix_says(page, pen):
    pen.box(0, 0, 0.5, 0.5, WHITE)
    inked = np.asarray(page)[:, :, 0] == 255
    assert np.flatnonzero(inked.any(1))[[0, -1]].tolist() == [50, 75]
    assert np.flatnonzero(inked.any(0))[[0, -1]].tolist() == [50, 75]


def test_a_turned_matrix_turns_the_shape(page, pen):
    pen.to_px = np.array([[0, -50.0, 50], [50.0, 0, 50]])
    pen.box(0, 0, 0.5, 0.1, WHITE)
    inked = np.asarray(page)[:, :, 0] == 255
    assert np.ptp(np.flatnonzero(inked.any(1))) == 25
    assert np.ptp(np.flatnonzero(inked.any(0))) == 5


def test_an_oval_has_the_area_of_an_ellipse(page, pen):
    pen.oval(0, 0, 0.8, 0.4, WHITE)
    assert area(page) == pytest.approx(np.pi * 40 * 20, rel=0.06)


def test_a_stroke_is_as_wide_as_asked_with_round_ends(page, pen):
    pen.stroke([(-0.5, 0), (0.5, 0)], 0.2, WHITE)
    assert area(page) == pytest.approx(50 * 10 + np.pi * 25, rel=0.15)


def test_a_stroke_of_no_length_is_a_dot(page, pen):
    pen.stroke([(0, 0), (0, 0)], 0.4, WHITE)
    assert area(page) == pytest.approx(np.pi * 100, rel=0.15)


def test_about_stays_within_its_spread(pen):
    values = [pen.about(2.0, 0.25) for _ in range(200)]
    assert 1.5 <= min(values) < 1.6
    assert 2.4 < max(values) <= 2.5


def test_an_arc_begins_right_and_goes_down():
    points = arc(1, 2, 3, 4, 0, 0.25, 5)
    assert points.shape == (5, 2)
    np.testing.assert_allclose(points[[0, -1]], [(4, 2), (1, 6)], atol=1e-12)


def test_inks_are_of_any_hue_and_the_dark_one_is_dark():
    rng = np.random.default_rng(0)
    inks = [random_inks(rng) for _ in range(100)]
    assert max(max(ink.dark) for ink in inks) <= 64
    assert min(max(ink.light) for ink in inks) >= 200
    assert all(0 <= value <= 255 for ink in inks for value in ink.body)
    strongest = {int(np.argmax(random_ink(rng))) for _ in range(50)}
    assert strongest == {0, 1, 2}


def test_mixing_ends_at_the_two_inks():
    assert mix((1, 2, 3), (9, 8, 7), 0) == (1, 2, 3)
    assert mix((1, 2, 3), (9, 8, 7), 1) == (9, 8, 7)
