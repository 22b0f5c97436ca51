import itertools

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_rgb

from minifast.viz import COLORS, TRAIN, VALID, use_style


def luminance(color):
    """Relative luminance as WCAG 2.2 defines it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def seen_with_deuteranopia(color):
    """The matrix of Machado et al. 2009 for full deuteranopia, without gamma."""
    rows = [(0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)]
    return [sum(m * c for m, c in zip(row, color, strict=True)) for row in rows]


LINES = ["blue", "vermilion", "green", "purple"]


@pytest.mark.parametrize("name", [*LINES, "ink"])
def test_colours_stand_out_from_white(name):
    contrast = 1.05 / (luminance(to_rgb(COLORS[name])) + 0.05)
    assert contrast >= (7 if name == "ink" else 3)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(LINES, 2)))
def test_colours_stay_apart_for_colour_blind_readers(one, other):
    a, b = (seen_with_deuteranopia(to_rgb(COLORS[name])) for name in (one, other))
    assert sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5 > 0.15


def test_the_style_is_switched_on():
    use_style()
    assert plt.rcParams["figure.facecolor"] == "white"
    cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    assert cycle == [COLORS[name] for name in LINES]
    assert cycle[:2] == [TRAIN, VALID]


def test_the_same_figure_gives_the_same_file(tmp_path):
    use_style()
    for name in ("a.svg", "b.svg"):
        figure, ax = plt.subplots()
        ax.plot([0, 1], [1, 0])
        figure.savefig(tmp_path / name, metadata={"Date": None})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
