import pytest

from minifast.callbacks import LRCurve


def curve(losses, width=1):
    return LRCurve(tuple(10.0**i for i in range(len(losses))), tuple(losses), width)


def test_smoothing_is_symmetric_and_keeps_straight_lines():
    line = curve([float(i) for i in range(9)], width=3)
    assert line.smooth[2:-2] == pytest.approx(range(2, 7))
    bump = curve([0, 0, 0, 9, 0, 0, 0], width=3).smooth
    assert bump == pytest.approx(bump[::-1])
    assert bump[3] == pytest.approx(9 * 3 / 9)
    assert curve([1.0, 2.0], width=1).smooth == (1.0, 2.0)


def test_suggestions_are_read_off_the_descent():
    found = curve([8, 8, 7, 3, 2, 9, 0.5 + 99])
    assert found.steepest == 100  # from 7 to 3
    assert found.valley == 100  # half way from 8 to 2 is 5: the last above it is 7
    assert found.minimum_tenth == 1_000
    assert found.suggestions == {
        "steepest": 100,
        "valley": 100,
        "minimum_tenth": 1_000,
    }


def test_a_fall_after_the_minimum_suggests_nothing():
    assert curve([3, 2, 1, 90, 50, 5]).steepest in (1, 10)


def test_a_curve_that_only_rises_suggests_its_beginning():
    found = curve([1, 2, 3])
    assert found.steepest == found.valley == 1
    assert found.minimum_tenth == 0.1


def test_a_curve_prints_its_suggestions():
    assert repr(curve([8, 8, 7, 3, 2])) == (
        "LRCurve(1 to 1e+04 in 5 steps; "
        "suggested: steepest 1e+02, valley 1e+02, minimum_tenth 1e+03)"
    )
