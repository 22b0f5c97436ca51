"""A small convolutional network; apart, as a model lives with its domain.

Book: ch. 13.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from torch import nn

from minifast.errors import OptionError, whole_number
from minifast.nn import AdaptiveAvgPool, Flatten, conv_block

if TYPE_CHECKING:
    from collections.abc import Sequence


def simple_cnn(
    widths: Sequence[int] = (8, 16, 32, 32),
    *,
    in_channels: int = 1,
    n_classes: int = 10,
    **block: Any,
) -> nn.Sequential:
    """Make a network of convolutions with stride 2, then an average and a linear layer.

    The first has windows of 5 x 5, as a window of 3 x 3 of a grey image has nine
    numbers, hardly more than the channels that it is turned into; the others 3 x 3.

    Args:
        widths: The channels behind each convolution.
        in_channels: The channels of the images.
        n_classes: K, the number of outputs.
        block: For :func:`minifast.nn.layers.conv_block`: ``norm``, ``activation``,
            ``norm_last``, ``bias``.

    Raises:
        OptionError: If there is no width, or one is no whole number above zero.

    Shape:
        The network: (B, in_channels, H, W) -> (B, K).

    Example:
        >>> import torch
        >>> simple_cnn()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])

    Source: the course's notebook 06_cuda_cnn_hooks_init has the layers.
    Book: ch. 13.
    """
    if not widths:
        must = "There must be at least one convolution."
        raise OptionError(must, f"widths={widths!r}", "Use widths=(8, 16, 32, 32).")
    whole_number("n_classes", n_classes, 1)
    parts: dict[str, nn.Module] = {}
    for i, width in enumerate(widths):
        before, kernel_size = (widths[i - 1], 3) if i else (in_channels, 5)
        parts[f"block{i + 1}"] = conv_block(
            before, width, kernel_size, stride=2, **block
        )
    parts |= {"pool": AdaptiveAvgPool(), "flatten": Flatten()}
    parts["linear"] = nn.Linear(widths[-1], n_classes)
    return nn.Sequential(OrderedDict(parts))
