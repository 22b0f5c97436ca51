"""Convolution of images: by loops, as a sparse matrix, and by unfolding.

All give y[b, o, i, j], the sum over c, r, s of x[b, c, i stride + r, j stride + s]
times weight[o, c, r, s], plus bias[o], with ``padding`` zeros around x. As everywhere
in this field, nothing is turned around; in mathematics that is cross-correlation.

Letters: B images of C channels, H x W; O filters of kh x kw; the results are H' x W'.

Book: ch. 13.
"""

from __future__ import annotations

import torch
from torch import Tensor

from minifast.errors import DTypeError, OptionError, ShapeError, named, whole_number


def conv_size(size: int, kernel_size: int, *, stride: int = 1, padding: int = 0) -> int:
    """Size of what a convolution gives: the places at which the filter fits.

    Args:
        size: The height or the width of the image.
        kernel_size: That of the filter.
        stride: How many positions the filter moves at a time.
        padding: How many zeros are added at either end.

    Raises:
        OptionError: If one of them is no whole number in its range.
        ShapeError: If the filter is larger than the image with its padding.

    Shape:
        Integers -> an integer.

    Example:
        >>> conv_size(28, 5, stride=2, padding=2)
        14

    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic", relation 6.
    Book: ch. 13.
    """
    whole_number("size", size, 1)
    whole_number("kernel_size", kernel_size, 1)
    whole_number("stride", stride, 1)
    whole_number("padding", padding, 0)
    if size + 2 * padding < kernel_size:
        must = "The image, with its padding, must be as large as the filter at least."
        got = f"{size} + 2 x {padding} positions for a filter of {kernel_size}"
        raise ShapeError(must, got, "Add padding, or leave out a layer before.")
    return (size + 2 * padding - kernel_size) // stride + 1


def conv2d_sizes(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> tuple[int, int]:
    """Check that images can be convolved with filters, and return H' and W'.

    Raises:
        ShapeError: If images or filters have not four dimensions, the channels don't
            match, there is not one bias for each filter, or the filter does not fit.
        DTypeError: If the dtypes differ.
        OptionError: If the groups don't divide the channels, or another is wrong.

    Shape:
        x: (B, C, H, W); weight: (O, C / groups, kh, kw); bias: (O,) -> two integers.
    """
    if x.ndim != 4 or weight.ndim != 4:
        must = "Images must be (B, C, H, W), and filters (O, C, kh, kw)."
        fix = "A grey image x of (H, W) becomes a batch of one with x[None, None]."
        raise ShapeError(must, named(x=x, weight=weight), fix)
    whole_number("groups", groups, 1)
    if x.shape[1] % groups or weight.shape[0] % groups:
        must = "Groups must divide both the channels and the filters."
        got = f"{groups} groups; {named(x=x, weight=weight)}"
        raise OptionError(must, got, "Use groups=1.")
    if x.shape[1] // groups != weight.shape[1]:
        must = "A filter must have as many channels as the images of its group."
        got = f"{named(x=x, weight=weight)}; groups: {groups}"
        raise ShapeError(must, got, "Make the filters for the channels that come.")
    if bias is not None and bias.shape != weight.shape[:1]:
        must = "There must be one bias for each filter."
        raise ShapeError(must, named(weight=weight, bias=bias), "Leave it out, or fit.")
    if x.dtype != weight.dtype:
        must, fix = "Images and filters must have one dtype.", "Use x.to(weight.dtype)."
        raise DTypeError(must, named(x=x, weight=weight), fix)
    height, width = (
        conv_size(x.shape[d], weight.shape[d], stride=stride, padding=padding)
        for d in (2, 3)
    )
    return height, width


def conv2d_loops(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> Tensor:
    """Convolve images with filters, one result after the other in four loops.

    Raises:
        ShapeError, DTypeError, OptionError: As ``conv2d_sizes`` does.

    Shape:
        x: (B, C, H, W); weight: (O, C / groups, kh, kw); bias: (O,) -> (B, O, H', W').

    Book: ch. 13.
    """
    height, width = conv2d_sizes(
        x, weight, bias, stride=stride, padding=padding, groups=groups
    )
    x = zero_pad(x, padding)
    (n_filters, channels, kh, kw), per_group = weight.shape, len(weight) // groups
    y = x.new_zeros(len(x), n_filters, height, width)
    for b in range(len(x)):
        for o in range(n_filters):
            first = o // per_group * channels
            for i in range(height):
                for j in range(width):
                    top, left = i * stride, j * stride
                    window = x[b, first : first + channels]
                    window = window[:, top : top + kh, left : left + kw]
                    y[b, o, i, j] = (window * weight[o]).sum()
    return y if bias is None else y + bias[:, None, None]


def conv2d_matrix(
    weight: Tensor,
    height: int,
    width: int,
    *,
    stride: int = 1,
    padding: int = 0,
) -> Tensor:
    """Return the matrix that does to a flattened image what filters do: mostly zeros.

    Each row has the weights of one filter at one place, so a filter's weights stand in
    as many rows as there are places: the rows share them. Those that would meet the
    padding are left out.

    Raises:
        ShapeError, OptionError: As ``conv2d_sizes`` does.

    Shape:
        weight: (O, C, kh, kw); images of height x width -> (O H' W', C height width).

    Example:
        >>> conv2d_matrix(torch.tensor([[[[1.0, -1.0]]]]), 1, 3)
        tensor([[ 1., -1.,  0.],
                [ 0.,  1., -1.]])

    Book: ch. 13.
    """
    n_inputs = weight.shape[1] * height * width
    units = torch.eye(n_inputs, dtype=weight.dtype, device=weight.device)
    images = units.view(n_inputs, weight.shape[1], height, width)
    return conv2d_unfold(images, weight, stride=stride, padding=padding).flatten(1).T


def unfold(
    x: Tensor, kernel_size: tuple[int, int], *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Write out the window at each place as a column ("im2col").

    Nothing is copied before the last line: strides of a tensor can step through the
    same numbers many times.

    Raises:
        ShapeError: If ``x`` is no batch of images, or the window does not fit.
        OptionError: If stride or padding is no whole number in its range.

    Shape:
        x: (B, C, H, W) -> (B, C kh kw, H' W').

    Source: Chellapilla, Puri and Simard 2006, "High performance convolutional neural
    networks for document processing", sec. 3.1.
    Book: ch. 13.
    """
    kh, kw = kernel_size
    height, width = conv2d_sizes(
        x,
        x.new_empty(1, x.shape[1] if x.ndim > 1 else 0, kh, kw),
        stride=stride,
        padding=padding,
    )
    x = zero_pad(x, padding)
    b, c, h, w = x.stride()
    windows = x.as_strided(
        (len(x), x.shape[1], kh, kw, height, width),
        (b, c, h, w, h * stride, w * stride),
    )
    return windows.reshape(len(x), -1, height * width)


def conv2d_unfold(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> Tensor:
    """Convolve images with filters by one matrix product for each group.

    Raises:
        ShapeError, DTypeError, OptionError: As ``conv2d_sizes`` does.

    Shape:
        x: (B, C, H, W); weight: (O, C / groups, kh, kw); bias: (O,) -> (B, O, H', W').

    Book: ch. 13.
    """
    height, width = conv2d_sizes(
        x, weight, bias, stride=stride, padding=padding, groups=groups
    )
    kh, kw = weight.shape[2:]
    columns = unfold(x, (kh, kw), stride=stride, padding=padding)
    columns = columns.view(len(x), groups, -1, height * width)
    filters = weight.reshape(groups, -1, columns.shape[2])
    y = (filters @ columns).view(len(x), len(weight), height, width)
    return y if bias is None else y + bias[:, None, None]


def zero_pad(x: Tensor, padding: int) -> Tensor:
    """Put zeros around each image.

    Shape:
        x: (B, C, H, W) -> (B, C, H + 2 padding, W + 2 padding).
    """
    if padding == 0:
        return x
    *outer, height, width = x.shape
    padded = x.new_zeros(*outer, height + 2 * padding, width + 2 * padding)
    padded[..., padding : padding + height, padding : padding + width] = x
    return padded
