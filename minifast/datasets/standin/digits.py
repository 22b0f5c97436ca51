"""Stand-in for MNIST: printed digits, bent until they look written.

Each picture starts as a digit of one of the typefaces that matplotlib ships, thinned to
the path that a pen would take. The distance to that path is warped (turned, slanted,
stretched, bent) and cut at the width of a random pen. Then the digit is fitted and
centred as MNIST's are: the longer side 20 pixels, the centre of mass in the middle of
28 x 28.

Source: Simard, Steinkraus & Platt, "Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis", 2003, section 2 (elastic distortions);
    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998,
    section III.A (how MNIST was fitted and centred).

Book: ch. 00, "The data".
"""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from minifast.datasets.standin.glyphs import FIELD_PX, Glyphs, load_glyphs

if TYPE_CHECKING:
    from pathlib import Path

FACES = (
    *("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSans-Bold", "DejaVuSans-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "STIXGeneralBolIta"),
    *("cmr10", "cmmi10", "cmb10", "cmti10", "cmtt10"),
)
# No training picture is drawn with these: the test part has "writers" of its own.
TEST_ONLY_FACES = ("DejaVuSerif-Italic", "cmss10")
WARPED_PX, IMAGE_PX, BOX_PX = 48, 28, 20
BATCH = 2_000


def generate(root: Path, n_train: int = 60_000, n_test: int = 10_000) -> str:
    """Write the four idx files of MNIST into ``root``.

    Args:
        root: An existing folder.
        n_train: Number of training pictures.
        n_test: Number of test pictures.

    Returns:
        One line on what the set is made of.

    Raises:
        DataError: matplotlib's font files can't be found.
    """
    parts = [("train", n_train, FACES), ("t10k", n_test, FACES + TEST_ONLY_FACES)]
    for stream, (part, count, faces) in enumerate(parts):
        images, labels = draw_digits(count, faces, seed=stream)
        write_idx(root / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(root / f"{part}-labels-idx1-ubyte.gz", labels)
    n_faces = len(FACES + TEST_ONLY_FACES)
    return (
        f"stand-in: digits drawn from {n_faces} font faces with random affine, elastic "
        "and stroke changes; not handwriting"
    )


def draw_digits(
    count: int, faces: tuple[str, ...], seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw ``count`` digits, as many of each class as of any other, in random order.

    Args:
        count: Number of pictures.
        faces: Names of the font files to draw from.
        seed: Number of the random stream.

    Returns:
        Pictures and labels.

    Raises:
        DataError: a font file is not there.

    Shape:
        pictures: (B, 28, 28) uint8, 0 is paper and 255 is ink; labels: (B,) uint8.
    """
    rng = np.random.default_rng([seed, 28])
    glyphs = load_glyphs(faces)
    labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
    batches = np.split(labels, range(BATCH, count, BATCH))
    shown = tqdm(batches, desc="stand-in for mnist", disable=None)
    images = torch.cat([_draw_batch(batch, glyphs, rng) for batch in shown])
    return images, torch.from_numpy(labels)


def _draw_batch(
    labels: np.ndarray, glyphs: Glyphs, rng: np.random.Generator
) -> torch.Tensor:
    rows = torch.from_numpy(np.array([rng.choice(glyphs.by_digit[k]) for k in labels]))
    grid = _bent_grid(len(labels), rng)
    away = F.grid_sample(glyphs.fields[rows], grid, "bilinear", "border", False)
    pen = _uniform(rng, len(labels), 1.3, 4.0).view(-1, 1, 1, 1)
    level, px = _fit(pen - away)
    blur = _uniform(rng, len(labels), 0.8, 1.6).view(-1, 1, 1, 1)
    pressure = _uniform(rng, len(labels), 0.85, 1.15).view(-1, 1, 1, 1)
    ink = (0.5 + level / (blur * px)).clamp(0, 1) * pressure
    return (ink.clamp(0, 1) * 255).round().to(torch.uint8).squeeze(1)


def _bent_grid(count: int, rng: np.random.Generator) -> torch.Tensor:
    """Where each warped pixel looks: an affine map, then a smooth random shift."""
    angle = _normal(rng, count, 0.12)
    slant = _normal(rng, count, 0.2) + 0.1
    width = _uniform(rng, count, 0.75, 1.3)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    to_glyph = torch.stack(
        [cos / width, cos * slant + sin, zero, -sin / width, cos - sin * slant, zero], 1
    )
    size = [count, 1, WARPED_PX, WARPED_PX]
    grid = F.affine_grid(to_glyph.view(-1, 2, 3), size, align_corners=False)
    knots = _normal(rng, (count, 2, 5, 5), 0.077)
    bend = F.interpolate(knots, WARPED_PX, mode="bicubic", align_corners=True)
    return grid + bend.permute(0, 2, 3, 1)


def _fit(level: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale each digit's longer side to 20 pixels, its centre of mass to the middle.

    Returns:
        The fitted level field, and the side of a fitted pixel in pixels of a glyph.

    Shape:
        level: (B, 1, 48, 48) float32 -> (B, 1, 28, 28) and (B, 1, 1, 1), float32.
    """
    ink = (level + 0.5).clamp(0, 1).squeeze(1)
    at = torch.arange(WARPED_PX, device=level.device) + 0.5
    centre, extent = [], []
    for axis in (1, 2):  # sums along y leave the profile over x, and the reverse
        profile = ink.sum(axis)
        centre.append((profile * at).sum(1) / profile.sum(1))
        inked = (ink.amax(axis) > 0.5).float()
        extent.append((inked * at).amax(1) - (at + 99 * (1 - inked)).amin(1) + 1)
    px = torch.maximum(*extent) / BOX_PX
    zoom, zero = px * IMAGE_PX / WARPED_PX, torch.zeros_like(px)
    x, y = (2 * c / WARPED_PX - 1 for c in centre)
    to_warped = torch.stack([zoom, zero, x, zero, zoom, y], 1).view(-1, 2, 3)
    size = [len(px), 1, IMAGE_PX, IMAGE_PX]
    grid = F.affine_grid(to_warped, size, align_corners=False)
    fitted = F.grid_sample(level, grid, "bilinear", "border", False)
    return fitted, px.view(-1, 1, 1, 1) * FIELD_PX / WARPED_PX


def _uniform(
    rng: np.random.Generator, count: int, low: float, high: float
) -> torch.Tensor:
    return torch.from_numpy(rng.uniform(low, high, count).astype(np.float32))


def _normal(
    rng: np.random.Generator, shape: int | tuple[int, ...], std: float
) -> torch.Tensor:
    values = rng.standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(values * np.float32(std))


def write_idx(path: Path, values: torch.Tensor) -> None:
    """Write bytes as a gzip-compressed idx file, the format of the MNIST files.

    Args:
        path: The file to write.
        values: What to write.

    Shape:
        values: any shape, uint8.
    """
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
    ):
        packed.write(header + values.numpy().tobytes())
