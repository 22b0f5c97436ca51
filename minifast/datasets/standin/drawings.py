"""Ten things drawn from polygons: what the stand-in for Imagenette shows.

Each function draws one of Imagenette's ten classes in the square -1..1 (x to the right,
y down) with proportions that differ from call to call. The pen turns, stretches and
places it. All of them colour with the same four random inks, so a colour says nothing
about a class; outline and pattern do.

Book: ch. 00, "The data".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minifast.datasets.standin.pen import arc, mix

if TYPE_CHECKING:
    from collections.abc import Callable

    from minifast.datasets.standin.pen import Ink, Pen


def tench(pen: Pen) -> None:
    """Draw a fish: a long body with rows of scales, a forked tail, fins, an eye."""
    body, second, dark, light = pen.inks
    height, tail = pen.about(0.36, 0.25), pen.about(0.34, 0.3)
    pen.polygon([(0.45, 0), (0.95, -tail), (0.8, 0), (0.95, tail)], second)
    pen.polygon([(-0.3, -height * 0.8), (0.1, -height - 0.28), (0.35, -0.1)], second)
    pen.polygon([(-0.2, height * 0.8), (0.0, height + 0.22), (0.15, 0.1)], second)
    along = np.linspace(0, 1, 30)
    half = height * np.sin(np.pi * along**0.75) + 0.07 * along
    x = 1.45 * along - 0.9
    pen.polygon(np.stack([np.r_[x, x[::-1]], np.r_[-half, half[::-1]]], 1), body)
    step = pen.about(0.13, 0.2)
    for row, sx in enumerate(np.arange(-0.42, 0.45, step)):
        reach = float(np.interp(sx, x, half)) - 0.08
        for sy in np.arange(-0.6 + (row % 2) * step / 2, 0.6, step):
            if abs(sy) < reach:
                scale = arc(sx, sy, step * 0.55, step * 0.5, 0.25, 0.75, 7)
                pen.stroke(scale, 0.025, dark)
    pen.stroke(arc(-0.62, 0, 0.14, height * 0.75, -0.2, 0.2, 9), 0.03, dark)
    pen.oval(-0.7, -0.07, 0.06, 0.06, light)
    pen.oval(-0.7, -0.07, 0.03, 0.03, dark)


def springer(pen: Pen) -> None:
    """Draw a spaniel: four legs, a patched coat, a long hanging ear, a muzzle."""
    body, second, dark, _ = pen.inks
    hip, leg = pen.about(0.3), pen.about(0.16)
    for x in (-0.36, -0.2, 0.36, 0.5):
        foot = x + pen.rng.uniform(-0.12, 0.12)
        pen.stroke([(x, 0.2), (foot, 0.85)], leg, body)
        pen.oval(foot - 0.05, 0.87, leg * 0.75, 0.07, second)
    wag = pen.rng.uniform(-0.5, 0.2)
    pen.stroke([(0.55, -0.05), (0.85, wag)], 0.13, body)
    pen.oval(0.08, 0.1, 0.6, hip, body)
    for _ in range(pen.rng.integers(3, 6)):
        x, y = pen.rng.uniform(-0.3, 0.45), pen.rng.uniform(-0.6, 0.6) * hip
        pen.oval(x, 0.1 + y, pen.about(0.13, 0.4), pen.about(0.09, 0.4), second)
    nod = pen.rng.uniform(-0.12, 0.12)
    pen.stroke([(-0.35, 0.0), (-0.55, -0.4 + nod)], 0.34, body)
    pen.oval(-0.6, -0.48 + nod, 0.27, 0.23, body)
    pen.oval(-0.82, -0.38 + nod, 0.17, 0.11, body)
    pen.oval(-0.97, -0.41 + nod, 0.05, 0.05, dark)
    pen.oval(-0.68, -0.53 + nod, 0.04, 0.04, dark)
    pen.oval(-0.45, -0.32 + nod, pen.about(0.12), pen.about(0.28), second)


def cassette_player(pen: Pen) -> None:
    """Draw a wide box with a handle, two round speakers, two reels, a row of keys."""
    body, second, dark, light = pen.inks
    h, size = pen.about(0.5), pen.about(0.27)
    handle = [(-0.6, -h), (-0.6, -h - 0.22), (0.6, -h - 0.22), (0.6, -h)]
    pen.stroke(handle, 0.08, dark)
    pen.box(-0.95, -h, 0.95, h, body)
    for x in (-0.62, 0.62):
        for part, ink in ((1.0, dark), (0.85, second), (0.3, dark)):
            pen.oval(x, 0.1, size * part, size * part, ink)
        for dot_x, dot_y in arc(x, 0.1, size * 0.6, size * 0.6, n_points=11):
            pen.oval(dot_x, dot_y, 0.025, 0.025, dark)
    pen.box(-0.28, -0.12, 0.28, 0.22, dark)
    for x in (-0.13, 0.13):
        pen.oval(x, 0.04, 0.09, 0.09, light)
        pen.oval(x, 0.04, 0.035, 0.035, dark)
    for x in np.linspace(-0.27, 0.27, int(pen.rng.integers(4, 8))):
        pen.box(x - 0.03, 0.28, x + 0.03, 0.4, light)
    pen.box(-0.85, -h + 0.08, 0.85, -h + 0.2, light)
    dial = pen.rng.uniform(-0.8, 0.8)
    pen.box(dial, -h + 0.08, dial + 0.03, -h + 0.2, dark)


def chain_saw(pen: Pen) -> None:
    """Draw a motor with two handles and a long bar with teeth all round."""
    body, second, dark, light = pen.inks
    half, tip = pen.about(0.11, 0.25), -pen.about(0.95, 0.08)
    nose = arc(tip + half, 0.12, half, half, 0.25, 0.75, 12)
    bar = np.r_[nose, [(0.2, 0.12 - half), (0.2, 0.12 + half)]]
    teeth = pen.about(0.09, 0.2)
    for x in np.arange(tip + half, 0.15, teeth):
        for y, side in ((0.12 - half, -1), (0.12 + half, 1)):
            tooth = [(x, y), (x + teeth * 0.7, y), (x, y + side * 0.09)]
            pen.polygon(tooth, dark)
    for x, y in arc(tip + half, 0.12, half + 0.03, half + 0.03, 0.35, 0.65, 4):
        pen.oval(x, y, 0.05, 0.05, dark)
    pen.polygon(bar, light)
    grip = pen.about(0.5, 0.12)
    pen.stroke([(0.05, 0.2), (0.0, -grip), (0.4, -grip), (0.45, 0)], 0.1, dark)
    pen.stroke([(0.6, -0.15), (0.95, -0.1), (0.97, 0.3), (0.6, 0.35)], 0.1, dark)
    pen.polygon([(0.05, -0.2), (0.6, -0.28), (0.7, 0.4), (0.1, 0.42)], body)
    for y in np.linspace(-0.1, 0.12, 4):
        pen.stroke([(0.18, y), (0.42, y - 0.02)], 0.03, dark)
    pen.oval(0.52, 0.18, 0.12, 0.12, second)


def church(pen: Pen) -> None:
    """Draw a tower with a spire and a cross, a nave, arched windows, rows of stone."""
    body, second, dark, light = pen.inks
    tower, eaves = pen.about(0.24), pen.about(0.1, 0.9)
    left = -0.55
    pen.box(left, eaves, 0.9, 0.9, body)
    ridge = eaves - 0.35
    roof = [(left, eaves), (0.95, eaves), (0.75, ridge), (left, ridge)]
    pen.polygon(roof, second)
    pen.box(left - tower, -0.3, left + tower, 0.9, body)
    top, wide = -0.3 - pen.about(0.42, 0.2), tower + 0.05
    pen.polygon([(left - wide, -0.3), (left + wide, -0.3), (left, top)], second)
    pen.stroke([(left, top), (left, top - 0.22)], 0.04, dark)
    pen.stroke([(left - 0.08, top - 0.14), (left + 0.08, top - 0.14)], 0.04, dark)
    for y in np.arange(-0.2, 0.9, pen.about(0.14, 0.2)):
        right = 0.9 if y > eaves else left + tower
        pen.stroke([(left - tower, y), (right, y)], 0.012, second)
    for x in np.linspace(-0.1, 0.7, int(pen.rng.integers(2, 5))):
        _arch(pen, x, 0.62, 0.07, 0.26, light)
    _arch(pen, left, 0.1, 0.07, 0.22, light)
    _arch(pen, left, 0.9, 0.12, 0.35, dark)


def _arch(
    pen: Pen, x: float, foot: float, half: float, height: float, ink: Ink
) -> None:
    top = arc(x, foot - height + half, half, half * 1.3, 0.5, 1.0, 10)
    pen.polygon(np.r_[top, [(x + half, foot), (x - half, foot)]], ink)


def french_horn(pen: Pen) -> None:
    """Draw a coil of tubes with valves, a wide bell below it and a mouthpiece above."""
    body, second, dark, light = pen.inks
    radius, tube = pen.about(0.5, 0.12), pen.about(0.09, 0.2)
    mouth = [(-radius, -0.2), (-0.75, -0.62), (-0.92, -0.75)]
    pen.stroke(mouth, tube * 0.7, body)
    pen.stroke(mouth[-1:] * 2, tube * 1.5, second)
    throat = [(0.15, 0.0), (radius - 0.05, 0.2), (0.95, 0.55), (0.3, 0.98), (0.0, 0.45)]
    pen.polygon(throat, body)
    tilt = np.array([[0.8, -0.6], [0.6, 0.8]])
    pen.polygon(arc(0, 0, 0.42, 0.2) @ tilt + [0.63, 0.74], second)
    pen.polygon(arc(0, 0, 0.32, 0.13) @ tilt + [0.63, 0.74], dark)
    for part, ink in ((1.0, body), (0.72, body), (0.45, second)):
        ring = arc(-0.05, -0.05, radius * part, radius * part, 0, 1, 40)
        pen.stroke(ring, tube + 0.035, dark)
        pen.stroke(ring, tube, ink)
    for x in (-0.2, -0.05, 0.1):
        pen.stroke([(x, -0.1), (x, 0.2)], tube, light)
        pen.stroke([(x, -0.1), (x - 0.03, -0.28)], 0.03, dark)


def garbage_truck(pen: Pen) -> None:
    """Draw a truck: a cab with a window, a ribbed container, a sloping rear, wheels."""
    body, second, dark, light = pen.inks
    roof, cab = -pen.about(0.55, 0.15), pen.about(0.42, 0.12)
    rear = [(-0.3, roof), (0.7, roof), (0.95, roof * 0.2), (0.9, 0.4), (-0.3, 0.4)]
    pen.polygon(rear, body)
    for x in np.linspace(-0.15, 0.6, int(pen.rng.integers(4, 7))):
        pen.stroke([(x, roof + 0.06), (x, 0.34)], 0.045, second)
    pen.stroke([(0.7, roof), (0.62, 0.4)], 0.04, dark)
    back, front = -0.35, -0.45 - cab
    slope = [(back, -0.35), (front + 0.12, -0.35), (front, 0.05), (back, 0.05)]
    pen.polygon(slope, second)
    pen.box(front, 0.05, back, 0.45, second)
    pane = [(-0.42, -0.26), (front + 0.15, -0.26), (front + 0.07, 0.03), (-0.42, 0.03)]
    pen.polygon(pane, light)
    pen.box(front, 0.4, 0.9, 0.5, dark)
    pen.oval(front + 0.04, 0.28, 0.05, 0.05, light)
    wheel = pen.about(0.17)
    for x in (-0.6, 0.3, 0.3 + 2.2 * wheel):
        pen.oval(x, 0.55, wheel, wheel, dark)
        pen.oval(x, 0.55, wheel * 0.5, wheel * 0.5, light)


def gas_pump(pen: Pen) -> None:
    """Draw an upright box with a sign, a display and a hose that ends in a nozzle."""
    body, second, dark, light = pen.inks
    half, top = pen.about(0.36), -pen.about(0.65, 0.12)
    low, rest = pen.about(0.6, 0.25), half + 0.42
    hose = [(half, -0.1), (half + 0.2, 0.2), (half + 0.25, low), (half + 0.4, low)]
    pen.stroke([*hose, (rest, -0.15)], 0.07, dark)
    pen.stroke([(rest, -0.1), (rest - 0.04, -0.4)], 0.13, second)
    pen.stroke([(rest - 0.04, -0.4), (half + 0.14, -0.45)], 0.06, dark)
    pen.box(-half, top, half, 0.85, body)
    if pen.rng.random() < 0.5:
        pen.oval(0, top - 0.15, half * 0.75, 0.24, second)
    else:
        pen.box(-half * 0.9, top - 0.25, half * 0.9, top - 0.02, second)
    pen.box(-half * 0.75, top + 0.12, half * 0.75, top + 0.48, light)
    for row in (0.2, 0.32):
        for x in np.linspace(-half * 0.55, half * 0.55, 5):
            pen.box(x - 0.035, top + row, x + 0.035, top + row + 0.07, dark)
    pen.box(-half * 0.75, 0.05, half * 0.75, pen.about(0.5), second)
    pen.box(-half - 0.12, 0.82, half + 0.12, 0.95, dark)


def golf_ball(pen: Pen) -> None:
    """Draw a ball whose dimples crowd towards the rim, often on a tee."""
    body, second, dark, _ = pen.inks
    if pen.rng.random() < 0.6:
        pen.polygon([(-0.25, 0.62), (0.25, 0.62), (0.06, 0.98), (-0.06, 0.98)], second)
    radius = 0.7
    pen.oval(0, 0, radius, radius, mix(body, dark, 0.25))
    angle = pen.rng.uniform(0, 2 * np.pi)  # where the light comes from
    x, y = 0.14 * np.cos(angle), 0.14 * np.sin(angle)
    pen.oval(x, y, radius * 0.78, radius * 0.78, body)
    step = pen.about(0.19, 0.2)
    for row, a in enumerate(np.arange(-1.4, 1.4, step)):
        for b in np.arange(-1.4 + (row % 2) * step / 2, 1.4, step):
            away = np.hypot(a, b)
            if away < 1.4:  # the arc length from the pole; its sine is seen from above
                seen = np.sinc(away / np.pi) * radius
                flat = step * 0.36 * radius * max(np.cos(away), 0.25)
                pen.oval(a * seen, b * seen, flat, flat, mix(body, dark, 0.45))


def parachute(pen: Pen) -> None:
    """Draw a canopy of coloured gores over lines that meet at someone hanging."""
    body, second, dark, light = pen.inks
    n_gores, rise = int(pen.rng.integers(5, 9)), pen.about(0.75, 0.15)
    x = np.linspace(-0.9, 0.9, n_gores + 1)
    swing = pen.rng.uniform(-0.15, 0.15)
    for edge in x:
        pen.stroke([(edge, -0.15), (swing, 0.68)], 0.018, dark)
    for k in range(n_gores):
        across = [arc(0, -0.15, edge, rise, 0.75, 1.0, 12) for edge in x[k : k + 2]]
        hem = arc((x[k] + x[k + 1]) / 2, -0.15, 0.9 / n_gores, 0.08, 0, 0.5, 8)
        gore = np.r_[across[0], hem[::-1], across[1][::-1]]
        pen.polygon(gore, (body, second, light)[k % (2 + (n_gores % 3 == 0))])
    pen.oval(swing, 0.66, 0.07, 0.08, light)
    pen.stroke([(swing, 0.74), (swing, 0.88)], 0.12, dark)
    for side in (-1, 1):
        pen.stroke([(swing, 0.88), (swing + side * 0.07, 0.98)], 0.05, dark)


DRAWINGS: dict[str, Callable[[Pen], None]] = {
    "n01440764": tench,
    "n02102040": springer,
    "n02979186": cassette_player,
    "n03000684": chain_saw,
    "n03028079": church,
    "n03394916": french_horn,
    "n03417042": garbage_truck,
    "n03425413": gas_pump,
    "n03445777": golf_ball,
    "n03888257": parachute,
}
