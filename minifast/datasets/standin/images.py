"""Stand-in for Imagenette: pictures of ten drawn things before cluttered backgrounds.

The class folders have Imagenette's names, and each drawing shows what its folder's name
means: n01440764 tench, n02102040 English springer, n02979186 cassette player,
n03000684 chain saw, n03028079 church, n03394916 French horn, n03417042 garbage truck,
n03425413 gas pump, n03445777 golf ball, n03888257 parachute. Colour, place, size,
angle, light and background vary freely and in the same way for all classes.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm

from minifast.datasets.standin.drawings import DRAWINGS
from minifast.datasets.standin.pen import Pen, arc, random_ink, random_inks

if TYPE_CHECKING:
    from pathlib import Path

SHORT_PX = 160
ASPECTS = (4 / 3, 4 / 3, 4 / 3, 3 / 2, 3 / 4, 2 / 3, 1.0)  # width to height
OVERSAMPLING = 2  # drawn twice as large, then reduced: smooth edges
GREY_EVERY = 50  # one picture in so many is grey: 242 of 13,394 are in the real set
NOISE_LEVELS = (0, 1, 5, 25, 50)  # percent of training labels that are made wrong


def generate(root: Path, n_train: int = 120, n_val: int = 40) -> str:
    """Write ``{train,val}/<class id>/*.JPEG`` and the CSV of labels into ``root``.

    Args:
        root: An existing folder.
        n_train: Number of training pictures of each class.
        n_val: Number of validation pictures of each class.

    Returns:
        One line on what the set is made of.
    """
    paths = []
    classes = tqdm(DRAWINGS, desc="stand-in for imagenette", disable=None)
    for kind, class_id in enumerate(classes):
        for number in range(n_train + n_val):
            part = "train" if number < n_train else "val"
            path = root / part / class_id / f"{class_id}_{number}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng([kind, number])
            image = picture(class_id, rng)
            if number % GREY_EVERY == GREY_EVERY - 1:
                image = image.convert("L")
            image.save(path, "JPEG", quality=85)
            paths.append(path.relative_to(root).as_posix())
    _write_labels(root / "noisy_imagenette.csv", sorted(paths))
    return (
        f"stand-in: {n_train} + {n_val} drawings of each of Imagenette's ten classes, "
        "made of polygons before random backgrounds; no photographs"
    )


def picture(class_id: str, rng: np.random.Generator) -> Image.Image:
    """Draw one picture of a class, 160 pixels on its shorter side.

    Args:
        class_id: One of the ten folder names.
        rng: Source of everything that varies.

    Returns:
        A picture in mode RGB.
    """
    aspect = rng.choice(ASPECTS) * rng.uniform(0.95, 1.05)
    width = round(SHORT_PX * max(1.0, aspect))
    height = round(SHORT_PX * max(1.0, 1 / aspect))
    size = (width * OVERSAMPLING, height * OVERSAMPLING)
    canvas = _background((width, height), rng).resize(size, Image.Resampling.BILINEAR)
    _clutter(canvas, rng, count=int(rng.integers(2, 6)))
    thing = canvas.copy()
    pen = Pen(ImageDraw.Draw(thing), _placed(size, rng), random_inks(rng), rng)
    DRAWINGS[class_id](pen)
    canvas = Image.blend(canvas, thing, rng.uniform(0.88, 1.0))
    if rng.random() < 0.3:
        _clutter(canvas, rng, count=1, largest=0.1)
    canvas = canvas.resize((width, height), Image.Resampling.LANCZOS)
    return _photographed(canvas, rng)


def _background(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A cloudy mix of two colours, or a ground under a sky, with a fine pattern."""
    width, height = size
    mix = _clouds(size, rng, knots=int(rng.integers(2, 7)))
    if rng.random() < 0.5:
        horizon = rng.uniform(0.35, 0.9)
        y = np.linspace(0, 1, height)[:, None]
        mix = 0.3 * mix + 0.7 / (1 + np.exp((horizon - y) * rng.uniform(20, 200)))
    mix = mix + rng.uniform(0, 0.5) * (_clouds(size, rng, knots=48) - 0.5)
    if rng.random() < 0.4:  # stripes or tiles
        x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / width)
        angle, waves = rng.uniform(0, np.pi), rng.uniform(20, 120)
        mix = mix + 0.15 * np.sin(waves * (np.cos(angle) * x + np.sin(angle) * y))
    first, second = (np.array(random_ink(rng, 0.1)) for _ in range(2))
    values = first + mix.clip(0, 1)[:, :, None] * (second - first)
    return Image.fromarray(values.astype(np.uint8))


def _clouds(size: tuple[int, int], rng: np.random.Generator, knots: int) -> np.ndarray:
    """A smooth random field in 0..1, (height, width), with ``knots`` bumps a side."""
    field = Image.fromarray(rng.random((knots, knots), dtype=np.float32))
    return np.asarray(field.resize(size, Image.Resampling.BICUBIC))


def _clutter(
    canvas: Image.Image, rng: np.random.Generator, count: int, largest: float = 0.25
) -> None:
    """Strew ovals, polygons and lines over a picture, in place."""
    to_px = np.diag(canvas.size) @ np.eye(2, 3)
    pen = Pen(ImageDraw.Draw(canvas), to_px, random_inks(rng), rng)
    for _ in range(count):
        x, y = rng.random(2)
        rx, ry = rng.uniform(0.03, largest, 2)
        ink = random_ink(rng, 0.1)
        kind = rng.integers(3)
        if kind == 0:
            pen.oval(x, y, rx, ry, ink)
        elif kind == 1:
            corners = arc(x, y, rx, ry, rng.random(), rng.random() + 1, 6)
            pen.polygon(corners + rng.normal(0, 0.03, (6, 2)), ink)
        else:
            pen.stroke(np.array([[x, y], rng.random(2)]), rng.uniform(0.01, 0.04), ink)


def _placed(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Matrix that turns, mirrors, stretches and moves a drawing into the picture."""
    angle = rng.normal(0, 0.17)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, rng.normal(0, 0.1)], [0.0, 1.0]])
    stretch = np.diag([rng.choice([-1, 1]) * rng.uniform(0.85, 1.18), 1.0])
    half_px = rng.uniform(0.36, 0.56) * min(size)
    room = np.maximum(np.array(size) / 2 - 0.85 * half_px, 0)
    centre = np.array(size) / 2 + rng.uniform(-1, 1, 2) * room
    return np.column_stack([half_px * turn @ shear @ stretch, centre])


def _photographed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light from one side, a lens that is a little off, a noisy sensor."""
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.1)))
    width, height = image.size
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.3)
    light = rng.uniform(0.75, 1.15) + depth * (np.cos(angle) * x + np.sin(angle) * y)
    grain = rng.normal(0, rng.uniform(1, 9), (height, width, 3))
    patches = 1 + 0.25 * (_clouds(image.size, rng, knots=12)[:, :, None] - 0.5)
    values = np.asarray(image) * light[:, :, None] * patches + grain
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _write_labels(path: Path, pictures: list[str]) -> None:
    """Write the label of each picture, and versions with some labels made wrong."""
    rng = np.random.default_rng(len(pictures))
    names = list(DRAWINGS)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        noisy = [f"noisy_labels_{level}" for level in NOISE_LEVELS]
        table.writerow(["path", *noisy, "is_valid"])
        for picture_path in pictures:
            part, label, _ = picture_path.split("/")
            others = [name for name in names if name != label]
            # One draw decides for all levels: a label wrong at 5 % is wrong at 25 %.
            luck, wrong = 100 * rng.random(), str(rng.choice(others))
            labels = [
                wrong if part == "train" and luck < level else label
                for level in NOISE_LEVELS
            ]
            table.writerow([picture_path, *labels, part == "val"])
