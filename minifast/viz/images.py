"""Batches of images, shown as one grid.

Book: ch. 02, "A look at the data".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch

from minifast.errors import ShapeError, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


def show_images(
    images: torch.Tensor,
    titles: Sequence[object] | None = None,
    *,
    columns: int = 10,
    width_in: float = 6.4,
) -> Axes:
    """Show a batch of grey images as one grid, with an optional title over each.

    The grid is a single picture, so a page with many images stays light.

    Args:
        images: The batch; each image is stretched to its own full range of greys.
        titles: One for each image.
        columns: How many images in a row.
        width_in: Width of the figure in inches.

    Shape:
        images: (B, H, W), any real dtype.

    Raises:
        ShapeError: If ``images`` is not (B, H, W), is empty, or the titles don't match.

    Book: ch. 02, "A look at the data".
    """
    if images.ndim != 3 or images.numel() == 0:
        raise ShapeError(
            "Images must come as a batch (B, H, W) that is not empty.",
            describe(images),
            "Index or reshape it, for example images.view(-1, 28, 28).",
        )
    count, height, width = images.shape
    if titles is not None and len(titles) != count:
        raise ShapeError(
            "There must be one title for each image.",
            f"{count} images, {len(titles)} titles",
        )
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    gap = max(1, width // 14)
    top = height // 3 if titles is not None else gap
    sheet = torch.zeros(rows * (height + top), columns * (width + gap) - gap)
    height_in = width_in * sheet.shape[0] / sheet.shape[1]
    _, ax = plt.subplots(figsize=(width_in, height_in))
    for i, image in enumerate(images.float()):
        y = (i // columns) * (height + top) + top
        x = (i % columns) * (width + gap)
        low, high = image.min(), image.max()
        sheet[y : y + height, x : x + width] = (image - low) / (high - low + 1e-12)
        if titles is not None:
            center = x + width / 2
            ax.text(center, y - top * 0.2, str(titles[i]), ha="center", fontsize=9)
    ax.imshow(sheet.numpy(), cmap="gray_r", interpolation="nearest")
    ax.set_axis_off()
    return ax
