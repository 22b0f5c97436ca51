"""The shapes of printed digits, as fields of distance to the path of a pen.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from minifast.errors import DataError

GLYPH_PX, FIELD_PX = 40, 64  # longer side of a digit, and of the field around it
# Many people write a 1 as a bare stroke and a round 0, and no face has these.
OTHER_SHAPES = (
    *[("DejaVuSans", "l", 1)] * 8,
    *(("DejaVuSans", "O", 0), ("STIXGeneral", "O", 0), ("cmr10", "O", 0)) * 2,
)


class Glyphs(NamedTuple):
    """Digit shapes to draw from.

    Shape:
        fields: (N, 1, 64, 64) float32, distance to the skeleton in pixels.
        by_digit: for each of the 10 digits the rows that show it.
    """

    fields: torch.Tensor
    by_digit: list[np.ndarray]


def load_glyphs(faces: tuple[str, ...]) -> Glyphs:
    """Render the ten digits of each face and measure the distance to their skeletons.

    Args:
        faces: Names of font files, without ``.ttf``.

    Returns:
        The glyphs of all faces, and the other shapes.

    Raises:
        DataError: a font file is not there.
    """
    folder = font_folder()
    drawn = [(face, digit, int(digit)) for face in faces for digit in "0123456789"]
    drawn += OTHER_SHAPES
    masks = torch.stack([_render(folder / f"{face}.ttf", c) for face, c, _ in drawn])
    digits = np.array([digit for *_, digit in drawn])
    by_digit = [np.flatnonzero(digits == k) for k in range(10)]
    return Glyphs(_distance(_thin(masks)).unsqueeze(1), by_digit)


def font_folder() -> Path:
    """Find the font files that matplotlib ships, without importing it.

    Raises:
        DataError: matplotlib is not installed, or not as plain files.
    """
    must = "The stand-in digits need the font files that matplotlib ships."
    try:
        spec = importlib.util.find_spec("matplotlib")
    except ImportError:  # somebody keeps it from being imported
        spec = None
    if spec is None or spec.origin is None:
        fix = (
            "pip install matplotlib (the extra viz of minifast), or get the real MNIST."
        )
        raise DataError(must, "no matplotlib", fix)
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    if not folder.is_dir():
        got = "no folder mpl-data/fonts/ttf beside matplotlib"
        raise DataError(must, got, "Install its wheel, or get the real MNIST.")
    return folder


def _render(font_file: Path, character: str) -> torch.Tensor:
    """Draw one character, fitted into the middle of the field, as a mask."""
    try:
        font = ImageFont.truetype(
            font_file, 3 * FIELD_PX, layout_engine=ImageFont.Layout.BASIC
        )
    except OSError as error:
        raise DataError(
            "The stand-in digits need the font files that matplotlib ships.",
            f"{font_file.name}: {error}",
            "Install matplotlib again, or get the real MNIST.",
        ) from error
    left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
    glyph = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(glyph).text((-left, -top), character, fill=255, font=font)
    shrink = GLYPH_PX / max(glyph.size)
    width, height = (max(1, round(side * shrink)) for side in glyph.size)
    field = Image.new("L", (FIELD_PX, FIELD_PX))
    corner = ((FIELD_PX - width) // 2, (FIELD_PX - height) // 2)
    field.paste(glyph.resize((width, height), Image.Resampling.LANCZOS), corner)
    return torch.from_numpy(np.array(field)) > 127


def _thin(masks: torch.Tensor) -> torch.Tensor:
    """Thin each shape to a skeleton one pixel wide: the path of a pen.

    Shape:
        masks: (N, S, S) bool, with an empty border -> (N, S, S) bool.

    Source: Zhang & Suen, "A Fast Parallel Algorithm for Thinning Digital Patterns",
        1984; the order of the neighbours and the two conditions are theirs.
    """
    around = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    while True:
        before = masks
        for side in (0, 1):
            n, _, e, _, s, _, w, _ = ring = [
                masks.roll((-dy, -dx), (1, 2)) for dy, dx in around
            ]
            count = torch.stack(ring).sum(0, dtype=torch.uint8)
            turn = zip(ring, [*ring[1:], n], strict=True)
            enters = torch.stack([~a & b for a, b in turn]).sum(0, dtype=torch.uint8)
            keeps = (n & e & s | e & s & w) if side == 0 else (n & e & w | n & s & w)
            drop = (count >= 2) & (count <= 6) & (enters == 1) & ~keeps
            masks = masks & ~drop
        if masks.equal(before):
            return masks


def _distance(masks: torch.Tensor) -> torch.Tensor:
    """Distance of each pixel to the nearest pixel of its mask, exact, in two passes.

    Shape:
        masks: (N, S, S) bool -> (N, S, S) float32, in pixels.

    Source: Felzenszwalb & Huttenlocher, "Distance Transforms of Sampled Functions",
        2012: squared distances separate into columns and rows.
    """
    at = torch.arange(masks.shape[-1], dtype=torch.float32, device=masks.device)
    apart = (at - at.unsqueeze(1)) ** 2
    far = 1e6 * (~masks).float()
    down = torch.stack([(f.unsqueeze(0) + apart.unsqueeze(2)).amin(1) for f in far])
    both = [(d.unsqueeze(1) + apart.unsqueeze(0)).amin(2) for d in down]
    return torch.stack(both).sqrt()
